// Attention's block operations in plain C++: four lanes as the compiler's vector type, any processor.
#include "ops/attention/block_math_portable_lanes.h"

namespace rushes::attention {
namespace {

// A word of four int8 products: |127 * 127 + 127 * 127| fits 16 bits, so that two products are added there and the two
// halves in 32 bits.
using Short8 = int16_t __attribute__((vector_size(16)));

struct Int8Lanes {
  using Sum = Int4;
  struct Operand {
    Short8 even, odd;
  };
  static constexpr int64_t kWidth = 4, kVectorBytes = 16;
  static constexpr int kTileRows = 4, kTileVectors = 1;
  static constexpr int32_t kKeyOffset = 0;

  static Sum zero_sum() { return Int4{}; }
  static Operand split(Short8 bytes) {
    using Unsigned8 = uint16_t __attribute__((vector_size(16)));
    return {reinterpret_cast<Short8>(reinterpret_cast<Unsigned8>(bytes) << 8) >> 8, bytes >> 8};
  }
  static Operand load_operand(const char* p) {
    Short8 x;
    std::memcpy(&x, p, 16);
    return split(x);
  }
  static Operand broadcast_word(const char* p) {
    int32_t x;
    std::memcpy(&x, p, 4);
    return split(reinterpret_cast<Short8>(Int4{x, x, x, x}));
  }
  static Sum multiply_add(Operand a, Operand b, Sum sum) {
    const Short8 products = a.even * b.even + a.odd * b.odd;
    const auto pairs = reinterpret_cast<Int4>(products);
    using Word4 = uint32_t __attribute__((vector_size(16)));
    return sum + (reinterpret_cast<Int4>(reinterpret_cast<Word4>(pairs) << 16) >> 16) + (pairs >> 16);
  }
  static void store_scaled(float* p, Sum sum, int32_t offset, float factor) {
    const Float4 x = __builtin_convertvector(sum - offset, Float4) * FloatLanes4::broadcast(factor);
    std::memcpy(p, &x, 16);
  }
};

}  // namespace

const BlockMath kBlockMathPortable = make_block_math<FloatLanes4>();
const Int8Math kInt8MathPortable = make_int8_math<Int8Lanes>();

}  // namespace rushes::attention
