// Four f32 lanes in plain C++.
#pragma once
#include "ops/attention/block_math_kernels.h"

namespace rushes::attention {
namespace {

using Float4 = float __attribute__((vector_size(16)));
using Int4 = int32_t __attribute__((vector_size(16)));

struct FloatLanes4 {
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
    const Vector value = exp2_polynomial<FloatLanes4>(x - n) * reinterpret_cast<Vector>(power);
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

}  // namespace
}  // namespace rushes::attention
