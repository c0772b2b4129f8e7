// Sixteen f32 lanes of AVX-512.
#pragma once
#include <immintrin.h>

#include "ops/attention/block_math_kernels.h"

namespace rushes::attention {
namespace {

struct FloatLanes16 {
  using Vector = __m512;
  using Operand = __m512;
  using Sum = __m512;
  static constexpr int64_t kWidth = 16, kWordElements = 1, kVectorBytes = 64;
  static constexpr int kTileRows = 6, kTileVectors = 4;

  static Vector load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, Vector x) { _mm512_storeu_ps(p, x); }
  static Vector broadcast(float x) { return _mm512_set1_ps(x); }
  static Vector add(Vector a, Vector b) { return _mm512_add_ps(a, b); }
  static Vector fused(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
  static Vector largest(Vector a, Vector b) { return _mm512_max_ps(a, b); }
  static float reduce_largest(Vector x) { return _mm512_reduce_max_ps(x); }
  static float reduce_sum(Vector x) { return _mm512_reduce_add_ps(x); }
  static Vector exp2(Vector x) {
    const __m512 n = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    // -inf - -inf is NaN; the reduced argument of -inf does not matter but must be finite.
    const __m512 f = _mm512_maskz_sub_ps(_mm512_cmp_ps_mask(x, _mm512_set1_ps(kMinusInfinity), _CMP_NEQ_UQ), x, n);
    return _mm512_scalef_ps(exp2_polynomial<FloatLanes16>(f), n);
  }
  static void store_pair(void* p, Vector a, Vector b) {
    store(static_cast<float*>(p), a);
    store(static_cast<float*>(p) + kWidth, b);
  }

  static Sum zero_sum() { return _mm512_setzero_ps(); }
  static Operand load_operand(const char* p) { return _mm512_loadu_ps(p); }
  static Operand broadcast_word(const char* p) {
    float word;
    std::memcpy(&word, p, 4);
    return _mm512_set1_ps(word);
  }
  static Sum multiply_add(Operand a, Operand b, Sum sum) { return _mm512_fmadd_ps(a, b, sum); }
};

}  // namespace
}  // namespace rushes::attention
