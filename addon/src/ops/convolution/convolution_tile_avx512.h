// The register tile of the AVX-512 convolutions, over the arithmetic of one element type. Included only by files
// compiled for AVX-512; everything is in an anonymous namespace so that no other file can be given this code.
#pragma once
#include <immintrin.h>

#include "ops/convolution/convolution_kernel.h"

namespace rushes::convolution_tiles {
namespace {

template <class Arithmetic, int kVectors, int kPixels>
void block(const TileCall& call, const typename Arithmetic::Element* x, float* sums) {
  constexpr int kGroups = (kPixels + 2) / 3;
  __m512 s[kPixels][kVectors];
#pragma GCC unroll 24
  for (int m = 0; m < kPixels; ++m)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) s[m][v] = _mm512_loadu_ps(sums + (m * kVectors + v) * 16);
  const int64_t stride = call.pixel_stride;
  for (int tap = 0; tap < call.taps; ++tap) {
    // Three pixels share a base pointer: base, base + stride, base + 2 stride are addressing modes.
    const typename Arithmetic::Element* base[kGroups];
#pragma GCC unroll 8
    for (int g = 0; g < kGroups; ++g) base[g] = x + tap * call.tap_stride + 3 * g * stride;
    const auto* w = static_cast<const typename Arithmetic::Element*>(call.weights) + tap * call.weight_tap_stride;
    for (int64_t c = 0; c < call.channels; c += Arithmetic::kGroup, w += kVectors * 16 * Arithmetic::kGroup) {
      __m512 weight[kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) weight[v] = Arithmetic::weight(w + v * 16 * Arithmetic::kGroup);
#pragma GCC unroll 24
      for (int m = 0; m < kPixels; ++m) {
        const __m512 value = Arithmetic::broadcast(base[m / 3] + (m % 3) * stride + c);
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) s[m][v] = Arithmetic::multiply_add(s[m][v], value, weight[v]);
      }
    }
  }
#pragma GCC unroll 24
  for (int m = 0; m < kPixels; ++m)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) _mm512_storeu_ps(sums + (m * kVectors + v) * 16, s[m][v]);
}

template <class Arithmetic>
void tile(const TileCall& call) {
  using Element = typename Arithmetic::Element;
  constexpr int kSteps[5] = {0, 24, 12, 8, 6};
  const int step = kSteps[call.vectors];
  for (int64_t p = 0; p < call.pixels; p += step) {
    const Element* x = static_cast<const Element*>(call.x) + p * call.pixel_stride;
    float* sums = call.sums + p * call.vectors * 16;
    switch (call.vectors) {
      case 1:
        block<Arithmetic, 1, 24>(call, x, sums);
        break;
      case 2:
        block<Arithmetic, 2, 12>(call, x, sums);
        break;
      case 3:
        block<Arithmetic, 3, 8>(call, x, sums);
        break;
      default:
        block<Arithmetic, 4, 6>(call, x, sums);
        break;
    }
  }
}

inline __m512 widen(__m256i bits) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16)); }

inline __m256i round_to_bf16(__m512 value) {
  const __m512i word = _mm512_castps_si512(value);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(word, 16), _mm512_set1_epi32(1));
  const __m512i rounded =
      _mm512_srli_epi32(_mm512_add_epi32(word, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))), 16);
  const __m512i quiet = _mm512_or_si512(_mm512_srli_epi32(word, 16), _mm512_set1_epi32(0x40));
  const __mmask16 is_nan = _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
  return _mm512_cvtepi32_epi16(_mm512_mask_blend_epi32(is_nan, rounded, quiet));
}

void store(const StoreCall& call) {
  for (int64_t p = 0; p < call.pixels; ++p) {
    const float* sums = call.sums + p * call.sum_stride;
    for (int64_t o = 0; o < call.outputs; o += 16) {
      const int64_t i = p * call.out_stride + o, left = call.outputs - o;
      const auto mask = static_cast<__mmask16>(left >= 16 ? 0xffff : (1 << left) - 1);
      __m512 value = _mm512_maskz_loadu_ps(mask, sums + o);
      if (call.residual)
        value = _mm512_add_ps(
            value, call.residual_bf16
                       ? widen(_mm256_maskz_loadu_epi16(mask, static_cast<const uint16_t*>(call.residual) + i))
                       : _mm512_maskz_loadu_ps(mask, static_cast<const float*>(call.residual) + i));
      if (call.out_bf16)
        _mm256_mask_storeu_epi16(static_cast<uint16_t*>(call.out) + i, mask, round_to_bf16(value));
      else
        _mm512_mask_storeu_ps(static_cast<float*>(call.out) + i, mask, value);
    }
  }
}

void to_bf16(const float* in, uint16_t* out, int64_t count) {
  for (int64_t i = 0; i < count; i += 16) {
    const auto mask = static_cast<__mmask16>(count - i >= 16 ? 0xffff : (1 << (count - i)) - 1);
    _mm256_mask_storeu_epi16(out + i, mask, round_to_bf16(_mm512_maskz_loadu_ps(mask, in + i)));
  }
}
void to_f32(const uint16_t* in, float* out, int64_t count) {
  for (int64_t i = 0; i < count; i += 16) {
    const auto mask = static_cast<__mmask16>(count - i >= 16 ? 0xffff : (1 << (count - i)) - 1);
    _mm512_mask_storeu_ps(out + i, mask, widen(_mm256_maskz_loadu_epi16(mask, in + i)));
  }
}

}  // namespace
}  // namespace rushes::convolution_tiles
