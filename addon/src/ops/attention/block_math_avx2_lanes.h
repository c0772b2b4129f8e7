// Eight f32 lanes of AVX2 and FMA.
#pragma once
#include <immintrin.h>

#include "ops/attention/block_math_kernels.h"

namespace rushes::attention {
namespace {

struct FloatLanes8 {
  using Vector = __m256;
  using Operand = __m256;
  using Sum = __m256;
  static constexpr int64_t kWidth = 8, kWordElements = 1, kVectorBytes = 32;
  static constexpr int kTileRows = 6, kTileVectors = 2;

  static Vector load(const float* p) { return _mm256_loadu_ps(p); }
  static void store(float* p, Vector x) { _mm256_storeu_ps(p, x); }
  static Vector broadcast(float x) { return _mm256_set1_ps(x); }
  static Vector add(Vector a, Vector b) { return _mm256_add_ps(a, b); }
  static Vector fused(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
  static Vector largest(Vector a, Vector b) { return _mm256_max_ps(a, b); }
  static float reduce_largest(Vector x) {
    __m128 y = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    y = _mm_max_ps(y, _mm_movehl_ps(y, y));
    return _mm_cvtss_f32(_mm_max_ss(y, _mm_shuffle_ps(y, y, 1)));
  }
  static float reduce_sum(Vector x) {
    __m128 y = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    y = _mm_add_ps(y, _mm_movehl_ps(y, y));
    return _mm_cvtss_f32(_mm_add_ss(y, _mm_shuffle_ps(y, y, 1)));
  }
  static Vector exp2(Vector x) {
    const __m256 floor = _mm256_set1_ps(kSmallestExponent);
    const __m256 below = _mm256_cmp_ps(x, floor, _CMP_LT_OQ);
    x = _mm256_max_ps(floor, x);  // in this order NaN stays
    const __m256 n = _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m256i power = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
    const __m256 p = exp2_polynomial<FloatLanes8>(_mm256_sub_ps(x, n));
    return _mm256_andnot_ps(below, _mm256_mul_ps(p, _mm256_castsi256_ps(power)));
  }
  static void store_pair(void* p, Vector a, Vector b) {
    store(static_cast<float*>(p), a);
    store(static_cast<float*>(p) + kWidth, b);
  }

  static Sum zero_sum() { return _mm256_setzero_ps(); }
  static Operand load_operand(const char* p) { return load(reinterpret_cast<const float*>(p)); }
  static Operand broadcast_word(const char* p) { return _mm256_broadcast_ss(reinterpret_cast<const float*>(p)); }
  static Sum multiply_add(Operand a, Operand b, Sum sum) { return _mm256_fmadd_ps(a, b, sum); }
};

}  // namespace
}  // namespace rushes::attention
