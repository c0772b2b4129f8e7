// Every code of the types that weights come in, against a plain conversion by the definition of the format.
#include "runtime/tensor_view.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "runtime/cpu_features.h"
#include "runtime/half_floats.h"

using namespace rushes;

namespace {

/// Sign, exponent, mantissa; the exponent's last value is infinity or NaN, but for e4m3, where only the last code is
/// NaN. NaN of f16 keeps its mantissa and becomes quiet, NaN of f8 is the plain one.
struct Format {
  int exponent_bits, mantissa_bits;
  bool has_infinity;
};

float plain_value(uint32_t code, const Format& format) {
  const uint32_t mantissas = 1u << format.mantissa_bits, mantissa = code & (mantissas - 1);
  const int exponents = 1 << format.exponent_bits, bias = exponents / 2 - 1;
  const int exponent = static_cast<int>(code >> format.mantissa_bits) & (exponents - 1);
  const bool negative = code >> (format.mantissa_bits + format.exponent_bits);
  const float sign = negative ? -1.0f : 1.0f;
  if (format.has_infinity && exponent == exponents - 1) {
    if (mantissa == 0) return sign * std::numeric_limits<float>::infinity();
    if (format.mantissa_bits == 2) return std::numeric_limits<float>::quiet_NaN();
    return std::bit_cast<float>((negative ? 0xffc00000u : 0x7fc00000u) | mantissa << (23 - format.mantissa_bits));
  }
  if (!format.has_infinity && exponent == exponents - 1 && mantissa == mantissas - 1)
    return std::numeric_limits<float>::quiet_NaN();
  const double whole = exponent == 0 ? mantissa : mantissa + mantissas;
  return sign * static_cast<float>(whole * std::pow(2.0, std::max(exponent, 1) - bias - format.mantissa_bits));
}

uint32_t bits_of(float value) { return std::bit_cast<uint32_t>(value); }

template <class Code>
void compare_codes(DType type, const Format& format, uint32_t count) {
  // One code more in front, so that the elements do not lie at multiples of 16 bytes.
  std::vector<Code> codes(count + 1);
  for (uint32_t code = 0; code < count; ++code) codes[code + 1] = static_cast<Code>(code);
  std::vector<float> values(count);
  to_float({"codes", type, {count}, reinterpret_cast<const std::byte*>(codes.data() + 1)}, values);
  uint32_t different = 0;
  for (uint32_t code = 0; code < count; ++code)
    different += bits_of(values[code]) != bits_of(plain_value(code, format));
  CHECK(different == 0);
}

}  // namespace

TEST_CASE("every code of f16 and of both f8 types becomes its float, bit for bit") {
  compare_codes<uint8_t>(DType::f8_e4m3, {4, 3, false}, 256);
  compare_codes<uint8_t>(DType::f8_e5m2, {5, 2, true}, 256);
  compare_codes<uint16_t>(DType::f16, {5, 10, true}, 65536);
}

TEST_CASE("halves become the same floats on every CPU, in rows of every length") {
  constexpr Format kHalf = {5, 10, true};
  const bool wide = CpuFeatures::host().avx2;
  std::vector<uint16_t> codes(65536);
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<uint16_t>(i * 977);
  const auto* data = reinterpret_cast<const std::byte*>(codes.data());
  const auto compare = [&](auto widen, size_t length) {
    std::vector<float> values(length + 1, 5.0f);
    widen(data, std::span(values).first(length));
    size_t different = values[length] != 5.0f;
    for (size_t i = 0; i < length; ++i) different += bits_of(values[i]) != bits_of(plain_value(codes[i], kHalf));
    CHECK(different == 0);
  };
  for (size_t length = 0; length < 35; ++length) {
    compare(widen_f16, length);
    if (wide) compare(widen_f16_avx2, length);
  }
  compare(widen_f16, codes.size());
}
