// The epilogue of a block of sums: bias and addend in f32, activation, then one store (f32, or bf16 rounded once) or a
// gated accumulation. Written once for all vector widths; see vector_body.h.
#pragma once
#include "ops/linear/panel_kernel.h"
#include "ops/linear/vector_body.h"

namespace rushes {
namespace {

/// `valid` values of a row of f32 or bf16; what comes after them is not read.
template <int kLanes>
RUSHES_INLINE typename Vector<kLanes>::Float load_valid(const std::byte* from, DType type, int valid) {
  using V = Vector<kLanes>;
  std::byte part[kLanes * sizeof(float)];
  if (valid < kLanes) {
    std::memset(part, 0, sizeof part);
    std::memcpy(part, from, static_cast<size_t>(valid) * (type == DType::bf16 ? 2 : 4));
    from = part;
  }
  return type == DType::bf16 ? V::from_bf16(from) : V::load(reinterpret_cast<const float*>(from));
}

template <int kLanes, Activation kActivation>
RUSHES_INLINE void finish_rows(const PanelOutput& o, int panel_columns) {
  using V = Vector<kLanes>;
  for (int row = 0; row < o.rows; ++row) {
    for (int column = 0; column < o.columns; column += kLanes) {
      typename V::Float y = V::load(o.sums + row * panel_columns + column);
      if (o.bias) y = y + V::load(o.bias + column);
      const int valid = o.columns - column < kLanes ? o.columns - column : kLanes;
      if (o.addend) {
        const int64_t at = row * o.out_stride + column;
        y = y + load_valid<kLanes>(o.addend + at * (o.addend_type == DType::bf16 ? 2 : 4), o.addend_type, valid);
      }
      if constexpr (kActivation == Activation::silu) y = V::silu(y);
      if constexpr (kActivation == Activation::gelu_tanh) y = V::gelu_tanh(y);
      if (o.out_type == DType::bf16) {
        uint16_t* to = reinterpret_cast<uint16_t*>(o.out) + row * o.out_stride + column;
        uint16_t part[kLanes];
        V::store_bf16(valid == kLanes ? to : part, y);
        if (valid < kLanes) std::memcpy(to, part, sizeof(uint16_t) * valid);
        continue;
      }
      float* to = reinterpret_cast<float*>(o.out) + row * o.out_stride + column;
      if (valid == kLanes) {
        if (o.accumulate) y = V::load(to) + (o.gate ? V::load(o.gate + column) * y : y);
        V::store(to, y);
        continue;
      }
      float part[kLanes];
      V::store(part, y);
      for (int i = 0; i < valid; ++i) {
        if (!o.accumulate)
          to[i] = part[i];
        else
          to[i] += o.gate ? o.gate[column + i] * part[i] : part[i];
      }
    }
  }
}

template <int kLanes, int kPanelColumns>
void finish_panel(const PanelOutput& o) {
  switch (o.activation) {
    case Activation::none:
      finish_rows<kLanes, Activation::none>(o, kPanelColumns);
      return;
    case Activation::silu:
      finish_rows<kLanes, Activation::silu>(o, kPanelColumns);
      return;
    case Activation::gelu_tanh:
      finish_rows<kLanes, Activation::gelu_tanh>(o, kPanelColumns);
      return;
  }
}

}  // namespace
}  // namespace rushes
