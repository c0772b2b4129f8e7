#include "runtime/tensor_view.h"

#include <algorithm>
#include <array>
#include <limits>

#include "runtime/cpu_features.h"
#include "runtime/half_floats.h"
#include "runtime/status.h"
#include "runtime/transfer.h"

namespace rushes {
namespace {

template <class T>
T read(const std::byte* data, int64_t index) {
  T value;
  std::memcpy(&value, data + index * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return value;
}

// fp8: sign, `exponent_bits`, mantissa; e4m3 is the "fn" variant (no infinities, 0x7f is NaN).
float f8_to_float(uint8_t bits, int exponent_bits, int bias) {
  const int mantissa_bits = 7 - exponent_bits;
  const int exponent = (bits & 0x7f) >> mantissa_bits, mantissa = bits & ((1 << mantissa_bits) - 1);
  const float sign = bits & 0x80 ? -1.0f : 1.0f;
  if (exponent_bits == 4 && (bits & 0x7f) == 0x7f) return std::numeric_limits<float>::quiet_NaN();
  if (exponent_bits == 5 && exponent == 31)
    return mantissa ? std::numeric_limits<float>::quiet_NaN() : sign * std::numeric_limits<float>::infinity();
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), 1 - bias - mantissa_bits);
  return sign * std::ldexp(static_cast<float>(mantissa + (1 << mantissa_bits)), exponent - bias - mantissa_bits);
}

// Every code of an fp8 type: a text encoder has billions of weights, and a look-up each is all the time there is.
std::array<float, 256> f8_codes(int exponent_bits, int bias) {
  std::array<float, 256> values;
  for (int code = 0; code < 256; ++code)
    values[static_cast<size_t>(code)] = f8_to_float(static_cast<uint8_t>(code), exponent_bits, bias);
  return values;
}

void widen_f8(const std::array<float, 256>& codes, const std::byte* data, std::span<float> out) {
  for (size_t i = 0; i < out.size(); ++i) out[i] = codes[std::to_integer<size_t>(data[i])];
}

}  // namespace

void to_float(const TensorView& view, std::span<float> out) {
  const auto count = static_cast<int64_t>(out.size());
  if (count == 0) return;  // an empty tensor may have no data at all
  switch (view.type) {
    case DType::f32:
      std::memcpy(out.data(), view.data, out.size_bytes());
      return;
    case DType::bf16:
      for (int64_t i = 0; i < count; ++i) out[i] = read<bf16>(view.data, i);
      return;
    case DType::f16:
      return CpuFeatures::host().avx2 ? widen_f16_avx2(view.data, out) : widen_f16(view.data, out);
    case DType::f64:
      for (int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(read<double>(view.data, i));
      return;
    case DType::f8_e4m3: {
      static const auto codes = f8_codes(4, 7);
      return widen_f8(codes, view.data, out);
    }
    case DType::f8_e5m2: {
      static const auto codes = f8_codes(5, 15);
      return widen_f8(codes, view.data, out);
    }
    default:
      throw Error("checkpoint.unsupported", "The tensor " + view.name + " has the type " +
                                                std::string(dtype_name(view.type)) + ", which holds no weights here.");
  }
}

Tensor load_tensor(const Context& context, const TensorView& view, DType type, MemoryUse use) {
  Tensor out = context.on_host().allocate(type, view.shape, use);
  if (context.dry_run) return to_device(context, out, use);
  if (type == view.type) {
    std::memcpy(out.raw(), view.data, view.bytes());
  } else if (type == DType::f32) {
    to_float(view, {out.data<float>(), static_cast<size_t>(out.count())});
  } else {
    std::vector<float> values(static_cast<size_t>(out.count()));
    to_float(view, values);
    std::transform(values.begin(), values.end(), out.data<bf16>(), [](float value) { return bf16(value); });
  }
  return to_device(context, out, use);
}

}  // namespace rushes
