// Int8 scores with AVX-VNNI (256 bit, no AVX-512).
#if defined(__AVXVNNI__)
#include <immintrin.h>

#include "ops/attention/block_math_avx2_lanes.h"

namespace rushes::attention {
namespace {

// Not __m256i: g++ 12 keeps arrays of that on the stack.
using Int8Sums = int32_t __attribute__((vector_size(32)));

struct Int8Lanes {
  using Operand = __m256i;
  using Sum = Int8Sums;
  static constexpr int64_t kWidth = 8, kVectorBytes = 32;
  static constexpr int kTileRows = 6, kTileVectors = 2;
  static constexpr int32_t kKeyOffset = 128;

  static Sum zero_sum() { return Sum{}; }
  static Operand load_operand(const char* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static Operand broadcast_word(const char* p) {
    int32_t word;
    std::memcpy(&word, p, 4);
    return _mm256_set1_epi32(word);
  }
  static Sum multiply_add(Operand q, Operand k, Sum sum) {
    return reinterpret_cast<Sum>(_mm256_dpbusd_avx_epi32(reinterpret_cast<__m256i>(sum), k, q));
  }
  static void store_scaled(float* p, Sum sum, int32_t offset, float factor) {
    _mm256_storeu_ps(
        p, _mm256_mul_ps(_mm256_cvtepi32_ps(reinterpret_cast<__m256i>(sum - offset)), _mm256_set1_ps(factor)));
  }
};

}  // namespace

const Int8Math kInt8MathAvxVnni = make_int8_math<Int8Lanes>();

}  // namespace rushes::attention
#endif
