// Wan's channel norm and SiLU for AVX-512.
#if defined(__x86_64__)
#include <immintrin.h>

#include "ops/convolution/convolution_kernel.h"

namespace rushes::convolution_tiles {
namespace {

__mmask16 lanes_below(int64_t count) { return static_cast<__mmask16>(count >= 16 ? 0xffff : (1 << count) - 1); }

__m512 load(const void* data, bool is_bf16, int64_t i, __mmask16 lanes) {
  if (!is_bf16) return _mm512_maskz_loadu_ps(lanes, static_cast<const float*>(data) + i);
  const __m256i bits = _mm256_maskz_loadu_epi16(lanes, static_cast<const uint16_t*>(data) + i);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

void store(void* data, bool is_bf16, int64_t i, __mmask16 lanes, __m512 value) {
  if (!is_bf16) return _mm512_mask_storeu_ps(static_cast<float*>(data) + i, lanes, value);
  const __m512i word = _mm512_castps_si512(value);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(word, 16), _mm512_set1_epi32(1));
  const __m512i rounded =
      _mm512_srli_epi32(_mm512_add_epi32(word, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))), 16);
  const __m512i quiet = _mm512_or_si512(_mm512_srli_epi32(word, 16), _mm512_set1_epi32(0x40));
  const __m512i bits = _mm512_mask_blend_epi32(_mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q), rounded, quiet);
  _mm256_mask_storeu_epi16(static_cast<uint16_t*>(data) + i, lanes, _mm512_cvtepi32_epi16(bits));
}

// exp for x <= 88. Cephes' polynomial on [-ln2/2, ln2/2], relative error 2e-7.
__m512 exponential(__m512 x) {
  x = _mm512_min_ps(_mm512_max_ps(x, _mm512_set1_ps(-87.0f)), _mm512_set1_ps(88.0f));
  const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)),
                                        _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x);
  r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f), r);
  __m512 p = _mm512_set1_ps(1.9875691500e-4f);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.3981999507e-3f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(8.3334519073e-3f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.1665795894e-2f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.6666665459e-1f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.0000001201e-1f));
  p = _mm512_add_ps(_mm512_fmadd_ps(p, _mm512_mul_ps(r, r), r), _mm512_set1_ps(1.0f));
  return _mm512_scalef_ps(p, n);
}

}  // namespace

void channel_norm_avx512(const NormCall& call) {
  const __m128 root = _mm_sqrt_ss(_mm_set_ss(static_cast<float>(call.channels)));
  for (int64_t p = 0; p < call.pixels; ++p) {
    const int64_t start = p * call.channels;
    __m512 squares = _mm512_setzero_ps();
    for (int64_t c = 0; c < call.channels; c += 16) {
      const __m512 x = load(call.x, call.x_bf16, start + c, lanes_below(call.channels - c));
      squares = _mm512_fmadd_ps(x, x, squares);
    }
    const __m128 norm = _mm_max_ss(_mm_sqrt_ss(_mm_set_ss(_mm512_reduce_add_ps(squares))), _mm_set_ss(1e-12f));
    const __m512 scale = _mm512_broadcastss_ps(_mm_div_ss(root, norm));
    for (int64_t c = 0; c < call.channels; c += 16) {
      const __mmask16 lanes = lanes_below(call.channels - c);
      __m512 y = _mm512_mul_ps(_mm512_mul_ps(load(call.x, call.x_bf16, start + c, lanes), scale),
                               _mm512_maskz_loadu_ps(lanes, call.gamma + c));
      if (call.silu) {
        const __m512 one = _mm512_set1_ps(1.0f);
        y = _mm512_div_ps(y, _mm512_add_ps(one, exponential(_mm512_sub_ps(_mm512_setzero_ps(), y))));
      }
      store(call.out, call.out_bf16, start + c, lanes, y);
    }
  }
}

}  // namespace rushes::convolution_tiles
#endif
