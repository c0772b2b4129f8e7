// Register tiles of the convolution for AVX2: 6 pixels x 16 outputs in f32.
#if defined(__x86_64__)
#include <immintrin.h>

#include "ops/convolution/convolution_kernel.h"

namespace rushes::convolution_tiles {
namespace {

constexpr int kLanes = 8;

template <int kVectors, int kPixels>
void block(const TileCall& call, const float* x, float* sums) {
  __m256 s[kPixels][kVectors];
#pragma GCC unroll 16
  for (int m = 0; m < kPixels; ++m)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) s[m][v] = _mm256_loadu_ps(sums + (m * kVectors + v) * kLanes);
  for (int tap = 0; tap < call.taps; ++tap) {
    // Three pixels share a base pointer: base, base + stride, base + 2 stride are addressing modes.
    const float* base[(kPixels + 2) / 3];
#pragma GCC unroll 8
    for (int g = 0; g < (kPixels + 2) / 3; ++g) base[g] = x + tap * call.tap_stride + 3 * g * call.pixel_stride;
    const float* w = static_cast<const float*>(call.weights) + tap * call.weight_tap_stride;
    for (int64_t c = 0; c < call.channels; ++c, w += kVectors * kLanes) {
      __m256 weight[kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) weight[v] = _mm256_loadu_ps(w + v * kLanes);
#pragma GCC unroll 16
      for (int m = 0; m < kPixels; ++m) {
        const __m256 value = _mm256_broadcast_ss(base[m / 3] + (m % 3) * call.pixel_stride);
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) s[m][v] = _mm256_fmadd_ps(value, weight[v], s[m][v]);
      }
#pragma GCC unroll 8
      for (int g = 0; g < (kPixels + 2) / 3; ++g) ++base[g];
    }
  }
#pragma GCC unroll 16
  for (int m = 0; m < kPixels; ++m)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) _mm256_storeu_ps(sums + (m * kVectors + v) * kLanes, s[m][v]);
}

void tile(const TileCall& call) {
  const int step = call.vectors == 2 ? 6 : 12;
  for (int64_t p = 0; p < call.pixels; p += step) {
    const float* x = static_cast<const float*>(call.x) + p * call.pixel_stride;
    float* sums = call.sums + p * call.vectors * kLanes;
    if (call.vectors == 2)
      block<2, 6>(call, x, sums);
    else
      block<1, 12>(call, x, sums);
  }
}

__m256 widen(__m128i bits) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16)); }

__m128i round_to_bf16(__m256 value) {
  const __m256i word = _mm256_castps_si256(value);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(word, 16), _mm256_set1_epi32(1));
  const __m256i rounded =
      _mm256_srli_epi32(_mm256_add_epi32(word, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff))), 16);
  const __m256i quiet = _mm256_or_si256(_mm256_srli_epi32(word, 16), _mm256_set1_epi32(0x40));
  const __m256 is_nan = _mm256_cmp_ps(value, value, _CMP_UNORD_Q);
  const __m256i bits = _mm256_blendv_epi8(rounded, quiet, _mm256_castps_si256(is_nan));
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(bits, bits), 0x08);
  return _mm256_castsi256_si128(packed);
}

uint16_t round_one(float value) {
  return static_cast<uint16_t>(_mm_extract_epi16(round_to_bf16(_mm256_set1_ps(value)), 0));
}
float widen_one(uint16_t bits) {
  return _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(static_cast<int>(static_cast<uint32_t>(bits) << 16))));
}

void store(const StoreCall& call) {
  for (int64_t p = 0; p < call.pixels; ++p) {
    const float* sums = call.sums + p * call.sum_stride;
    const int64_t start = p * call.out_stride;
    int64_t o = 0;
    for (; o + kLanes <= call.outputs; o += kLanes) {
      __m256 value = _mm256_loadu_ps(sums + o);
      if (call.residual)
        value = _mm256_add_ps(value, call.residual_bf16
                                         ? widen(_mm_loadu_si128(reinterpret_cast<const __m128i*>(
                                               static_cast<const uint16_t*>(call.residual) + start + o)))
                                         : _mm256_loadu_ps(static_cast<const float*>(call.residual) + start + o));
      if (call.out_bf16)
        _mm_storeu_si128(reinterpret_cast<__m128i*>(static_cast<uint16_t*>(call.out) + start + o),
                         round_to_bf16(value));
      else
        _mm256_storeu_ps(static_cast<float*>(call.out) + start + o, value);
    }
    for (; o < call.outputs; ++o) {
      float value = sums[o];
      if (call.residual)
        value += call.residual_bf16 ? widen_one(static_cast<const uint16_t*>(call.residual)[start + o])
                                    : static_cast<const float*>(call.residual)[start + o];
      if (call.out_bf16)
        static_cast<uint16_t*>(call.out)[start + o] = round_one(value);
      else
        static_cast<float*>(call.out)[start + o] = value;
    }
  }
}

void to_bf16(const float* in, uint16_t* out, int64_t count) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), round_to_bf16(_mm256_loadu_ps(in + i)));
  for (; i < count; ++i) out[i] = round_one(in[i]);
}
void to_f32(const uint16_t* in, float* out, int64_t count) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    _mm256_storeu_ps(out + i, widen(_mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i))));
  for (; i < count; ++i) out[i] = widen_one(in[i]);
}

}  // namespace

const TileKernel kAvx2 = {
    .lanes = kLanes, .pixels = {0, 12, 6, 0, 0}, .tile = tile, .store = store, .to_bf16 = to_bf16, .to_f32 = to_f32};

}  // namespace rushes::convolution_tiles
#endif
