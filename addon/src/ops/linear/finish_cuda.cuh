// The way out of a linear layer's sums on the device: bias, addend, activation, then a store or a gated addition.
// Fragments of matrix instructions pass through shared memory, so that a warp writes whole rows, four outputs to a
// thread.
#pragma once
#include "cuda/device.h"
#include "ops/linear/product_cuda.h"

namespace rushes::cuda {

/// -u log2(e) of y / (1 + e^-u), which silu and gelu_tanh are.
RUSHES_DEVICE float logistic_exponent(float y, int activation) {
  constexpr float kLog2e = 1.44269504f;
  const float u = activation == static_cast<int>(Activation::gelu_tanh) ? 1.59576912f * (0.044715f * y * y * y + y) : y;
  return -kLog2e * u;
}
/// Activation::silu and gelu_tanh within 1e-6 max(1, |y|): x / (1 + e^-u), which does not cancel for negative x.
RUSHES_DEVICE float activated(float y, int activation) {
  if (activation == static_cast<int>(Activation::none)) return y;
  return divide(y, 1.0f + exp2_quick(logistic_exponent(y, activation)));
}
/// The same with a quicker division, where bf16 follows. Not by tanh.approx: its 2^-11 of 1 is a fifth of what
/// gelu_tanh(-3) is.
RUSHES_DEVICE float activated_for_bf16(float y, int activation) {
  if (activation == static_cast<int>(Activation::none)) return y;
  return divide_quick(y, 1.0f + exp2_quick(logistic_exponent(y, activation)));
}

/// One value of the addend.
RUSHES_DEVICE float addend_at(const LinearOutput& o, int64_t at) {
  return o.addend_is_bf16 ? from_bf16(static_cast<const uint16_t*>(o.addend)[at])
                          : static_cast<const float*>(o.addend)[at];
}
/// Adds four neighbours of it.
RUSHES_DEVICE void add_four(const LinearOutput& o, int64_t at, float (&y)[4]) {
  if (o.addend_is_bf16) {
    const Words2 words = *reinterpret_cast<const Words2*>(static_cast<const uint16_t*>(o.addend) + at);
    for (int i = 0; i < 4; ++i) y[i] = add(y[i], i % 2 ? bf16_high(words.word[i / 2]) : bf16_low(words.word[i / 2]));
    return;
  }
  const Words4 words = *reinterpret_cast<const Words4*>(static_cast<const float*>(o.addend) + at);
  for (int i = 0; i < 4; ++i) y[i] = add(y[i], bits_float(words.word[i]));
}

/// One output on its way.
RUSHES_DEVICE void finish_one(const LinearOutput& o, int row, int column, float y) {
  const int64_t at = static_cast<int64_t>(row) * o.outputs + column;
  if (o.bias) y = add(y, o.bias[column]);
  if (o.addend) y = add(y, addend_at(o, at));
  if (o.is_bf16) {
    static_cast<uint16_t*>(o.out)[at] = to_bf16(activated_for_bf16(y, o.activation));
    return;
  }
  y = activated(y, o.activation);
  float* out = static_cast<float*>(o.out) + at;
  if (o.accumulate) y = add(*out, o.gate ? multiply(o.gate[column], y) : y);
  *out = y;
}

/// Bias and gate of four neighbouring outputs, read once for many rows.
struct FourColumns {
  float bias[4], gate[4];
};
RUSHES_DEVICE void read_four(const float* from, float (&to)[4], float otherwise) {
  if (!from) {
    for (int i = 0; i < 4; ++i) to[i] = otherwise;
    return;
  }
  const Words4 words = *reinterpret_cast<const Words4*>(from);
  for (int i = 0; i < 4; ++i) to[i] = bits_float(words.word[i]);
}
RUSHES_DEVICE FourColumns four_columns(const LinearOutput& o, int column) {
  FourColumns four;
  const bool read = o.in_fours && column < o.outputs;
  read_four(o.bias && read ? o.bias + column : nullptr, four.bias, 0.0f);
  read_four(o.gate && read ? o.gate + column : nullptr, four.gate, 1.0f);
  return four;
}

/// Outputs column .. column + 3 of one row; what lies beyond the matrix is left out.
RUSHES_DEVICE void finish_four(const LinearOutput& o, const FourColumns& four, int row, int column, float (&y)[4]) {
  if (row >= o.rows || column >= o.outputs) return;
  if (!o.in_fours) {
    for (int i = 0; i < 4; ++i)
      if (column + i < o.outputs) finish_one(o, row, column + i, y[i]);
    return;
  }
  const int64_t at = static_cast<int64_t>(row) * o.outputs + column;
  if (o.bias)
    for (int i = 0; i < 4; ++i) y[i] = add(y[i], four.bias[i]);
  if (o.addend) add_four(o, at, y);
  if (o.is_bf16) {
    for (int i = 0; i < 4; ++i) y[i] = activated_for_bf16(y[i], o.activation);
    *reinterpret_cast<Words2*>(static_cast<uint16_t*>(o.out) + at) = {{pack_bf16(y[0], y[1]), pack_bf16(y[2], y[3])}};
    return;
  }
  for (int i = 0; i < 4; ++i) y[i] = activated(y[i], o.activation);
  Words4* out = reinterpret_cast<Words4*>(static_cast<float*>(o.out) + at);
  if (o.accumulate) {
    const Words4 old = *out;
    for (int i = 0; i < 4; ++i) y[i] = add(bits_float(old.word[i]), o.gate ? multiply(four.gate[i], y[i]) : y[i]);
  }
  *out = {{float_bits(y[0]), float_bits(y[1]), float_bits(y[2]), float_bits(y[3])}};
}

/// Floats from row to row of a warp's window in shared memory: 8 more than the columns keep both ways free of
/// conflicts.
template <int kColumns>
constexpr int kStagedStride = kColumns + 8;

/// 16 rows of fragments into a warp's window; a fragment is 8 columns wide and laid out as mma's sums are.
template <int kColumns>
RUSHES_DEVICE void stage_fragment(Shared<float> window, int row, int fragment, const float* sums) {
  const int lane = lane_index();
  Shared<Words2> pairs = window.template as<Words2>();
  const int at = ((row + lane / 4) * kStagedStride<kColumns> + fragment * 8 + lane % 4 * 2) / 2;
  pairs[at] = Words2{{float_bits(sums[0]), float_bits(sums[1])}};
  pairs[at + 8 * kStagedStride<kColumns> / 2] = Words2{{float_bits(sums[2]), float_bits(sums[3])}};
}

/// A window of kRows x kColumns staged sums to `out` at (row, column). The whole warp, after sync_warp.
template <int kRows, int kColumns>
RUSHES_DEVICE void finish_window(const LinearOutput& o, Shared<float> window, int row, int column) {
  constexpr int kLanesOfRow = kColumns / 4, kRowsAtOnce = 32 / kLanesOfRow;
  static_assert(kColumns % 32 == 0 && kColumns <= 128);
  const int lane = lane_index(), first = lane % kLanesOfRow * 4;
  const FourColumns four = four_columns(o, column + first);
  Shared<Words4> fours = window.template as<Words4>();
#pragma unroll 2
  for (int r = lane / kLanesOfRow; r < kRows; r += kRowsAtOnce) {
    const Words4 words = fours[(r * kStagedStride<kColumns> + first) / 4];
    float y[4] = {bits_float(words.word[0]), bits_float(words.word[1]), bits_float(words.word[2]),
                  bits_float(words.word[3])};
    finish_four(o, four, row + r, column + first, y);
  }
}

/// The place of output tile `tile` in the order of bands (LinearChoice::band): first row tile, then column tile.
RUSHES_DEVICE void tile_place(int tile, int row_tiles, int column_tiles, int band, int& row_tile, int& column_tile) {
  const int whole = band * column_tiles, first = tile / whole * band;
  const int rows = row_tiles - first < band ? row_tiles - first : band;
  const int rest = tile % whole;
  column_tile = rest / rows;
  row_tile = first + rest % rows;
}

}  // namespace rushes::cuda
