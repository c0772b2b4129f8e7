// Int8 scores with AVX-512 VNNI.
#if defined(__AVX512VNNI__)
#include "ops/attention/block_math_avx512_lanes.h"

namespace rushes::attention {
namespace {

// Sums as a vector of int32 and not of __m512i: g++ 12 keeps the latter's arrays on the stack.
using Int16Lanes = int32_t __attribute__((vector_size(64)));

struct Int8Lanes {
  using Operand = __m512i;
  using Sum = Int16Lanes;
  static constexpr int64_t kWidth = 16, kVectorBytes = 64;
  static constexpr int kTileRows = 6, kTileVectors = 4;
  static constexpr int32_t kKeyOffset = 128;

  static Sum zero_sum() { return Sum{}; }
  static Operand load_operand(const char* p) { return _mm512_loadu_si512(p); }
  static Operand broadcast_word(const char* p) {
    int32_t word;
    std::memcpy(&word, p, 4);
    return _mm512_set1_epi32(word);
  }
  static Sum multiply_add(Operand q, Operand k, Sum sum) {
    return reinterpret_cast<Sum>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sum), k, q));
  }
  static void store_scaled(float* p, Sum sum, int32_t offset, float factor) {
    _mm512_storeu_ps(
        p, _mm512_mul_ps(_mm512_cvtepi32_ps(reinterpret_cast<__m512i>(sum - offset)), _mm512_set1_ps(factor)));
  }
};

}  // namespace

const Int8Math kInt8MathAvx512Vnni = make_int8_math<Int8Lanes>();

}  // namespace rushes::attention
#endif
