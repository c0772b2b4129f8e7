// The plain loop.
#include "runtime/half_floats.h"

#include <bit>
#include <cstdint>
#include <cstring>

namespace rushes {
namespace {

// In masks: the compiler makes vector instructions of a loop of it only where nothing looks like a branch. A subnormal
// half is what its mantissa adds to 2^-14, the smallest normal one.
float widened(uint16_t half) {
  constexpr uint32_t kRebias = 112u << 23, kSmallest = 113u << 23, kQuiet = 1u << 22;
  const uint32_t sign = (half & 0x8000u) << 16, exponent = (half & 0x7c00u) >> 10, mantissa = half & 0x3ffu;
  const uint32_t bits = (half & 0x7fffu) << 13;
  const uint32_t is_subnormal = 0u - ((exponent - 1) >> 31), is_infinite = 0u - ((exponent + 1) >> 5);  // or NaN
  const uint32_t is_nan = is_infinite & (0u - ((0u - mantissa) >> 31));
  const auto subnormal = std::bit_cast<uint32_t>(std::bit_cast<float>(bits + kSmallest) - 0x1p-14f);
  const uint32_t normal = (bits + kRebias + (kRebias & is_infinite)) | (kQuiet & is_nan);
  return std::bit_cast<float>(sign | (subnormal & is_subnormal) | (normal & ~is_subnormal));
}

}  // namespace

void widen_f16(const std::byte* data, std::span<float> out) {
  for (size_t i = 0; i < out.size(); ++i) {
    uint16_t half;
    std::memcpy(&half, data + i * sizeof half, sizeof half);
    out[i] = widened(half);
  }
}

}  // namespace rushes
