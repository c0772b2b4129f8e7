// Sixteen lanes of AVX-512 BF16: operands are pairs of bf16, sums f32.
#pragma once
#include "ops/attention/block_math_avx512_lanes.h"

namespace rushes::attention {
namespace {

struct Bf16Lanes : FloatLanes16 {
  using Operand = __m512i;
  static constexpr int64_t kWordElements = 2;

  static void store_pair(void* p, Vector a, Vector b) {
    _mm512_storeu_si512(p, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(b, a)));
  }
  static Operand load_operand(const char* p) { return _mm512_loadu_si512(p); }
  static Operand broadcast_word(const char* p) {
    int32_t word;
    std::memcpy(&word, p, 4);
    return _mm512_set1_epi32(word);
  }
  static Sum multiply_add(Operand a, Operand b, Sum sum) {
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
  }
};

}  // namespace
}  // namespace rushes::attention
