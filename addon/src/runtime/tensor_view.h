// Elements that something else owns (a mapped file, a test): what weights are prepared from.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "runtime/context.h"
#include "runtime/dtype.h"
#include "runtime/tensor.h"

namespace rushes {

/// Row-major little-endian elements. `data` need not be aligned: read elements with memcpy or unaligned loads.
struct TensorView {
  std::string name;
  DType type = DType::f32;
  Shape shape;
  const std::byte* data = nullptr;  // null: shape and type only (planning from a header)
  int64_t count() const { return element_count(shape); }
  uint64_t bytes() const { return static_cast<uint64_t>(count()) * dtype_size(type); }
};

/// Elements as float: f32, bf16, f16, f64, f8_e4m3, f8_e5m2; Error checkpoint.unsupported for integer types.
/// `out` has view.count() elements.
void to_float(const TensorView& view, std::span<float> out);

/// A counted copy of the view as `type` (f32 or bf16), on the device of a cuda context. With context.dry_run only
/// counted.
Tensor load_tensor(const Context& context, const TensorView& view, DType type = DType::f32,
                   MemoryUse use = MemoryUse::weights);

}  // namespace rushes
