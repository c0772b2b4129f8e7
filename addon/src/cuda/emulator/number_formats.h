// The short floating-point formats of tensor cores, to and from float, rounding to nearest even as the GPU's
// conversions do.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>

#include "runtime/dtype.h"

namespace rushes::cuda::emulator {

inline uint16_t bf16_bits(float value) { return bf16(value).bits; }
inline float bf16_value(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

inline uint16_t f16_bits(float value) {
  const auto word = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>((word >> 16) & 0x8000u);
  const uint32_t magnitude = word & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7fffu);
  if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);  // rounds to 65536 or more
  if (magnitude < 0x38800000u)                                                 // subnormal: in units of 2^-24
    return static_cast<uint16_t>(sign | static_cast<uint16_t>(std::nearbyintf(std::fabs(value) * 0x1p24f)));
  const uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
  return static_cast<uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
}
inline float f16_value(uint16_t bits) { return f16_to_float(bits); }

/// Saturates to +-448; NaN becomes NaN.
inline uint8_t e4m3_bits(float value) {
  const auto word = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint8_t>((word >> 24) & 0x80u);
  const uint32_t magnitude = word & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint8_t>(sign | 0x7fu);
  if (magnitude >= 0x43e00000u) return static_cast<uint8_t>(sign | 0x7eu);  // 448
  if (magnitude < 0x3c800000u)                                              // below 2^-6: in units of 2^-9
    return static_cast<uint8_t>(sign | static_cast<uint8_t>(std::nearbyintf(std::fabs(value) * 512.0f)));
  const uint32_t rounded = magnitude + 0x7ffffu + ((magnitude >> 20) & 1u);
  return static_cast<uint8_t>(sign | ((rounded - 0x3c000000u) >> 20));
}
inline float e4m3_value(uint8_t bits) {
  const int exponent = (bits >> 3) & 15, mantissa = bits & 7;
  const float sign = bits & 0x80 ? -1.0f : 1.0f;
  if (exponent == 15 && mantissa == 7) return std::bit_cast<float>(0x7fffffffu);
  if (exponent == 0) return sign * static_cast<float>(mantissa) * 0x1p-9f;
  return sign *
         std::bit_cast<float>(static_cast<uint32_t>(exponent + 120) << 23 | static_cast<uint32_t>(mantissa) << 20);
}

}  // namespace rushes::cuda::emulator
