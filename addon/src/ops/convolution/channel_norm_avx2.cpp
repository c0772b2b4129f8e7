// Wan's channel norm and SiLU for AVX2.
#if defined(__x86_64__)
#include <immintrin.h>

#include "ops/convolution/convolution_kernel.h"

namespace rushes::convolution_tiles {
namespace {

// Lanes below `count` (1..8) of a mask load or store.
__m256i lanes_below(int64_t count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

__m256 load(const void* data, bool is_bf16, int64_t i, int64_t left) {
  if (!is_bf16) {
    const float* from = static_cast<const float*>(data) + i;
    return left >= 8 ? _mm256_loadu_ps(from) : _mm256_maskload_ps(from, lanes_below(left));
  }
  alignas(16) uint16_t part[8] = {};
  const uint16_t* from = static_cast<const uint16_t*>(data) + i;
  __m128i bits;
  if (left >= 8) {
    bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  } else {
    for (int64_t l = 0; l < left; ++l) part[l] = from[l];
    bits = _mm_load_si128(reinterpret_cast<const __m128i*>(part));
  }
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}

void store(void* data, bool is_bf16, int64_t i, int64_t left, __m256 value) {
  if (!is_bf16) {
    float* to = static_cast<float*>(data) + i;
    if (left >= 8)
      _mm256_storeu_ps(to, value);
    else
      _mm256_maskstore_ps(to, lanes_below(left), value);
    return;
  }
  const __m256i word = _mm256_castps_si256(value);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(word, 16), _mm256_set1_epi32(1));
  __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(word, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff))), 16);
  const __m256i quiet = _mm256_or_si256(_mm256_srli_epi32(word, 16), _mm256_set1_epi32(0x40));
  rounded = _mm256_blendv_epi8(rounded, quiet, _mm256_castps_si256(_mm256_cmp_ps(value, value, _CMP_UNORD_Q)));
  const __m128i packed = _mm256_castsi256_si128(_mm256_permute4x64_epi64(_mm256_packus_epi32(rounded, rounded), 0x08));
  uint16_t* to = static_cast<uint16_t*>(data) + i;
  if (left >= 8) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), packed);
  } else {
    alignas(16) uint16_t part[8];
    _mm_store_si128(reinterpret_cast<__m128i*>(part), packed);
    for (int64_t l = 0; l < left; ++l) to[l] = part[l];
  }
}

// exp for x <= 88; below -87 it gives exp(-87). Cephes' polynomial on [-ln2/2, ln2/2], relative error 2e-7.
__m256 exponential(__m256 x) {
  x = _mm256_min_ps(_mm256_max_ps(x, _mm256_set1_ps(-87.0f)), _mm256_set1_ps(88.0f));
  const __m256 n =
      _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693359375f), x);
  r = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.12194440e-4f), r);
  __m256 p = _mm256_set1_ps(1.9875691500e-4f);
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.3981999507e-3f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(8.3334519073e-3f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(4.1665795894e-2f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.6666665459e-1f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(5.0000001201e-1f));
  p = _mm256_add_ps(_mm256_fmadd_ps(p, _mm256_mul_ps(r, r), r), _mm256_set1_ps(1.0f));
  const __m256i power = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
  return _mm256_mul_ps(p, _mm256_castsi256_ps(power));
}

float sum(__m256 v) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}

}  // namespace

void channel_norm_avx2(const NormCall& call) {
  const __m128 root = _mm_sqrt_ss(_mm_set_ss(static_cast<float>(call.channels)));
  for (int64_t p = 0; p < call.pixels; ++p) {
    const int64_t start = p * call.channels;
    __m256 squares = _mm256_setzero_ps();
    for (int64_t c = 0; c < call.channels; c += 8) {
      const __m256 x = load(call.x, call.x_bf16, start + c, call.channels - c);
      squares = _mm256_fmadd_ps(x, x, squares);
    }
    const __m128 norm = _mm_max_ss(_mm_sqrt_ss(_mm_set_ss(sum(squares))), _mm_set_ss(1e-12f));
    const __m256 scale = _mm256_broadcastss_ps(_mm_div_ss(root, norm));
    for (int64_t c = 0; c < call.channels; c += 8) {
      const int64_t left = call.channels - c;
      __m256 y = _mm256_mul_ps(_mm256_mul_ps(load(call.x, call.x_bf16, start + c, left), scale),
                               load(call.gamma, false, c, left));
      if (call.silu) {
        const __m256 one = _mm256_set1_ps(1.0f);
        y = _mm256_div_ps(y, _mm256_add_ps(one, exponential(_mm256_sub_ps(_mm256_setzero_ps(), y))));
      }
      store(call.out, call.out_bf16, start + c, left, y);
    }
  }
}

}  // namespace rushes::convolution_tiles
#endif
