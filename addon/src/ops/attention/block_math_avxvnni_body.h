// Int8 scores for 256-bit VNNI over an Instruction that gives the one operation: the real one, or a plain C++ model of
// it where the machine lacks it. Instruction::dot(sum, k, q) adds to each int32 lane the four products of unsigned k
// and signed q bytes.
#pragma once
#include "ops/attention/block_math_kernels.h"

namespace rushes::attention {
namespace {

// Not __m256i: g++ 12 keeps arrays of that on the stack.
using Int8Sums = int32_t __attribute__((vector_size(32)));

template <class Instruction>
struct AvxVnniLanes {
  using Operand = Int8Sums;
  using Sum = Int8Sums;
  static constexpr int64_t kWidth = 8, kVectorBytes = 32;
  static constexpr int kTileRows = 6, kTileVectors = 2;
  static constexpr int32_t kKeyOffset = 128;

  static Sum zero_sum() { return Sum{}; }
  static Operand load_operand(const char* p) {
    Operand x;
    std::memcpy(&x, p, 32);
    return x;
  }
  static Operand broadcast_word(const char* p) {
    int32_t word;
    std::memcpy(&word, p, 4);
    return Operand{word, word, word, word, word, word, word, word};
  }
  static Sum multiply_add(Operand q, Operand k, Sum sum) { return Instruction::dot(sum, k, q); }
  static void store_scaled(float* p, Sum sum, int32_t offset, float factor) {
    using Float8 = float __attribute__((vector_size(32)));
    const Float8 x = __builtin_convertvector(sum - offset, Float8) * factor;
    std::memcpy(p, &x, 32);
  }
};

}  // namespace
}  // namespace rushes::attention
