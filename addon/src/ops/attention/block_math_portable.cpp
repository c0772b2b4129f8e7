// Attention's block operations in plain C++: four lanes as the compiler's vector type, any processor.
#include "ops/attention/block_math_kernels.h"

namespace rushes::attention {
namespace {

using Float4 = float __attribute__((vector_size(16)));
using Int4 = int32_t __attribute__((vector_size(16)));

struct FloatLanes {
  using Vector = Float4;
  using Operand = Float4;
  using Sum = Float4;
  static constexpr int64_t kWidth = 4, kWordElements = 1, kVectorBytes = 16;
  static constexpr int kTileRows = 4, kTileVectors = 2;

  static Vector load(const float* p) {
    Vector x;
    std::memcpy(&x, p, 16);
    return x;
  }
  static void store(float* p, Vector x) { std::memcpy(p, &x, 16); }
  static Vector broadcast(float x) { return Vector{x, x, x, x}; }
  static Vector add(Vector a, Vector b) { return a + b; }
  static Vector fused(Vector a, Vector b, Vector c) { return a * b + c; }
  static Vector largest(Vector a, Vector b) { return a > b ? a : b; }
  static float reduce_largest(Vector x) {
    const float a = x[0] > x[2] ? x[0] : x[2], b = x[1] > x[3] ? x[1] : x[3];
    return a > b ? a : b;
  }
  static float reduce_sum(Vector x) { return (x[0] + x[2]) + (x[1] + x[3]); }
  static Vector exp2(Vector x) {
    // Adding 1.5 * 2^23 leaves the nearest integer in the low bits of the mantissa.
    const Vector magic = broadcast(12582912.0f), floor = broadcast(kSmallestExponent);
    const Int4 below = x < floor;
    x = below ? floor : x;
    const Vector shifted = x + magic, n = shifted - magic;
    using Word4 = uint32_t __attribute__((vector_size(16)));
    const Word4 power = (reinterpret_cast<Word4>(shifted) - 0x4b400000u + 127u) << 23;
    const Vector value = exp2_polynomial<FloatLanes>(x - n) * reinterpret_cast<Vector>(power);
    return below ? broadcast(0.0f) : value;
  }
  static void store_pair(void* p, Vector a, Vector b) {
    store(static_cast<float*>(p), a);
    store(static_cast<float*>(p) + kWidth, b);
  }

  static Sum zero_sum() { return broadcast(0.0f); }
  static Operand load_operand(const char* p) { return load(reinterpret_cast<const float*>(p)); }
  static Operand broadcast_word(const char* p) {
    float x;
    std::memcpy(&x, p, 4);
    return broadcast(x);
  }
  static Sum multiply_add(Operand a, Operand b, Sum sum) { return a * b + sum; }
};

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
    const Float4 x = __builtin_convertvector(sum - offset, Float4) * FloatLanes::broadcast(factor);
    std::memcpy(p, &x, 16);
  }
};

}  // namespace

const BlockMath kBlockMathPortable = make_block_math<FloatLanes>();
const Int8Math kInt8MathPortable = make_int8_math<Int8Lanes>();

}  // namespace rushes::attention
