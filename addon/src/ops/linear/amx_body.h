// The AMX kernels over a Tiles type that gives the few tile instructions: the real ones, or a plain C++ model of them
// on machines that lack them. Tiles: template <int> zero(), load(from, stride), store(to, stride); template <int, int,
// int> dot_int8() and dot_bf16() (destination, rows, columns); enter() and leave() set and drop the tile shapes, 16
// rows of 64 bytes each.
//
// A block is 32 rows x 32 columns: tiles 0-3 hold its sums (row half * 2 + column half), 4-5 the rows, 6-7 the columns.
// Rows are packed in groups of 64 bytes, so a tile of 16 rows is one run of 1 KiB; columns in groups of 4 bytes, 32
// columns side by side.
#pragma once
#include "ops/linear/finish_body.h"
#include "ops/linear/pack_body.h"

namespace rushes {
namespace {

constexpr int kAmxRows = 32, kAmxColumns = 32;

/// One step of 64 bytes of depth: loads both halves of both sides and makes four tile products.
template <class Tiles, bool kInt8>
RUSHES_INLINE void amx_step(const std::byte* rows, const std::byte* columns) {
  Tiles::template load<4>(rows, 64);
  Tiles::template load<6>(columns, kAmxColumns * 4);
  Tiles::template load<7>(columns + 64, kAmxColumns * 4);
  Tiles::template load<5>(rows + 16 * 64, 64);
  if constexpr (kInt8) {
    Tiles::template dot_int8<0, 4, 6>();
    Tiles::template dot_int8<1, 4, 7>();
    Tiles::template dot_int8<2, 5, 6>();
    Tiles::template dot_int8<3, 5, 7>();
  } else {
    Tiles::template dot_bf16<0, 4, 6>();
    Tiles::template dot_bf16<1, 4, 7>();
    Tiles::template dot_bf16<2, 5, 6>();
    Tiles::template dot_bf16<3, 5, 7>();
  }
}

template <class Tiles>
RUSHES_INLINE void amx_store(std::byte* to) {
  constexpr int kStride = kAmxColumns * 4;
  Tiles::template store<0>(to, kStride);
  Tiles::template store<1>(to + 64, kStride);
  Tiles::template store<2>(to + 16 * kStride, kStride);
  Tiles::template store<3>(to + 16 * kStride + 64, kStride);
}

/// Adds one depth tile's int32 sums to the f32 sums in the order of multiply_int8 (product_body.h).
RUSHES_INLINE void amx_add_scaled(const PanelProduct& p, int64_t tile, const int32_t* words) {
  using V = Vector<16>;
  const bool first = p.first && tile == p.depth_begin / kTile;
  for (int r = 0; r < kAmxRows; ++r) {
    const float scale = p.row_scales[tile * kAmxRows + r] * p.column_scales[tile];
    for (int c = 0; c < kAmxColumns; c += 16) {
      typename V::Int part;
      std::memcpy(&part, words + r * kAmxColumns + c, sizeof part);
      const typename V::Float value = __builtin_convertvector(part, typename V::Float) * scale;
      float* to = p.sums + r * kAmxColumns + c;
      V::store(to, first ? value : V::load(to) + value);
    }
  }
}

/// The vector unit scales the tile before while the tile unit works on the next: the two buffers keep them independent.
template <class Tiles>
void multiply_int8_amx(const PanelProduct& p) {
  alignas(64) int32_t words[2][kAmxRows * kAmxColumns];
  const int64_t begin = p.depth_begin / kTile, end = p.depth_end / kTile;
  for (int64_t tile = begin; tile < end; ++tile) {
    const std::byte* rows = p.activations + tile * kTile * kAmxRows;
    const std::byte* columns = p.weights + tile * kTile * kAmxColumns;
    Tiles::template zero<0>();
    Tiles::template zero<1>();
    Tiles::template zero<2>();
    Tiles::template zero<3>();
    amx_step<Tiles, true>(rows, columns);
    amx_step<Tiles, true>(rows + 64 * kAmxRows, columns + 64 * kAmxColumns);
    amx_store<Tiles>(reinterpret_cast<std::byte*>(words[tile & 1]));
    if (tile > begin) amx_add_scaled(p, tile - 1, words[(tile - 1) & 1]);
  }
  if (end > begin) amx_add_scaled(p, end - 1, words[(end - 1) & 1]);
}

template <class Tiles>
void multiply_bf16_amx(const PanelProduct& p) {
  std::byte* sums = reinterpret_cast<std::byte*>(p.sums);
  if (p.first) {
    Tiles::template zero<0>();
    Tiles::template zero<1>();
    Tiles::template zero<2>();
    Tiles::template zero<3>();
  } else {
    constexpr int kStride = kAmxColumns * 4;
    Tiles::template load<0>(sums, kStride);
    Tiles::template load<1>(sums + 64, kStride);
    Tiles::template load<2>(sums + 16 * kStride, kStride);
    Tiles::template load<3>(sums + 16 * kStride + 64, kStride);
  }
  for (int64_t depth = p.depth_begin; depth < p.depth_end; depth += 32)
    amx_step<Tiles, false>(p.activations + depth * kAmxRows * 2, p.weights + depth * kAmxColumns * 2);
  amx_store<Tiles>(sums);
}

template <class Tiles>
constexpr PanelKernel int8_amx_kernel() {
  return {.format = LinearFormat::int8_tiles,
          .product = DType::i8,
          .activation = DType::i8,
          .weight = DType::i8,
          .rows = kAmxRows,
          .columns = kAmxColumns,
          .row_group = 64,
          .column_group = 4,
          .weight_offset = 0,
          .pack = pack_int8<16, kAmxRows, 64, int8_t, 0>,
          .interleave = interleave_words<16>,
          .quantize = quantize_tile<16>,
          .multiply = multiply_int8_amx<Tiles>,
          .finish = finish_panel<16, kAmxColumns>,
          .enter = Tiles::enter,
          .leave = Tiles::leave};
}

template <class Tiles>
constexpr PanelKernel bf16_amx_kernel() {
  return {.format = LinearFormat::bf16,
          .product = DType::bf16,
          .activation = DType::bf16,
          .weight = DType::bf16,
          .rows = kAmxRows,
          .columns = kAmxColumns,
          .row_group = 32,
          .column_group = 2,
          .weight_offset = 0,
          .pack = pack_float<16, kAmxRows, 32, true>,
          .interleave = interleave_words<16>,
          .multiply = multiply_bf16_amx<Tiles>,
          .finish = finish_panel<16, kAmxColumns>,
          .enter = Tiles::enter,
          .leave = Tiles::leave};
}

}  // namespace
}  // namespace rushes
