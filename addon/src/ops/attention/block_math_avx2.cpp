// Attention's block operations for AVX2 and FMA.
#if defined(__AVX2__)
#include <immintrin.h>

#include "ops/attention/block_math_avx2_lanes.h"

namespace rushes::attention {
namespace {

// |q| * (k with the sign of q): both below 128, so that the int16 sum of two products cannot overflow.
// Not __m256i: g++ 12 keeps arrays of that on the stack.
using Int8Sums = int32_t __attribute__((vector_size(32)));

struct Int8Lanes {
  using Operand = __m256i;
  using Sum = Int8Sums;
  static constexpr int64_t kWidth = 8, kVectorBytes = 32;
  static constexpr int kTileRows = 4, kTileVectors = 2;
  static constexpr int32_t kKeyOffset = 0;

  static Sum zero_sum() { return Sum{}; }
  static Operand load_operand(const char* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static Operand broadcast_word(const char* p) {
    int32_t word;
    std::memcpy(&word, p, 4);
    return _mm256_set1_epi32(word);
  }
  static Sum multiply_add(Operand q, Operand k, Sum sum) {
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(q), _mm256_sign_epi8(k, q));
    return sum + reinterpret_cast<Sum>(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
  static void store_scaled(float* p, Sum sum, int32_t offset, float factor) {
    _mm256_storeu_ps(
        p, _mm256_mul_ps(_mm256_cvtepi32_ps(reinterpret_cast<__m256i>(sum - offset)), _mm256_set1_ps(factor)));
  }
};

}  // namespace

const BlockMath kBlockMathAvx2 = make_block_math<FloatLanes8>();
const Int8Math kInt8MathAvx2 = make_int8_math<Int8Lanes>();

}  // namespace rushes::attention
#endif
