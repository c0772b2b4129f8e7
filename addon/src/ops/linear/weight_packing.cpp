#include "ops/linear/weight_packing.h"

#include <algorithm>
#include <cstring>

namespace rushes {
namespace {

// Words that kernels without interleave are made of.
using ShortWord = uint16_t;
// Words that interleave takes at once, and rows unless the panel has fewer.
constexpr int64_t kSquare = 16;

}  // namespace

WeightPacking::WeightPacking(const LinearSource& source, const PanelKernel& kernel)
    : source_(source), kernel_(kernel), tiles_(source), rows_(source.weight.shape[0]), depth_(source.weight.shape[1]) {}

// One 128 x 128 tile as the kernel's weight type, zeros beyond the matrix; int8: returns the scale.
float WeightPacking::read_tile(int64_t row_tile, int64_t depth_tile, std::byte* packed) const {
  const DType type = source_.weight.type;
  const auto size = static_cast<int64_t>(dtype_size(type));
  const int64_t rows = std::min<int64_t>(kTile, rows_ - row_tile * kTile);
  const int64_t depth = std::min<int64_t>(kTile, depth_ - depth_tile * kTile);
  const std::byte* from = source_.weight.data + (row_tile * kTile * depth_ + depth_tile * kTile) * size;
  if (kernel_.weight == DType::i8) {
    auto* q = reinterpret_cast<int8_t*>(packed);
    if (type == DType::i8) return tiles_.read_int8(row_tile, depth_tile, q);
    std::memset(q, 0, kTile * kTile);
    PackTile tile = {};
    tile.rows = static_cast<int>(rows);
    tile.depth = static_cast<int>(depth);
    alignas(64) float values[kTile * kTile];
    if (type == DType::bf16 || type == DType::f32) {
      tile.x = from;
      tile.x_type = type;
      tile.x_stride = depth_;
    } else {
      tiles_.read(row_tile, depth_tile, values);
      tile.x = reinterpret_cast<const std::byte*>(values);
      tile.x_type = DType::f32;
      tile.x_stride = kTile;
    }
    return kernel_.quantize(tile, q);
  }
  if (kernel_.weight == type) {
    if (rows < kTile || depth < kTile) std::memset(packed, 0, kTile * kTile * size);
    for (int64_t row = 0; row < rows; ++row)
      std::memcpy(packed + row * kTile * size, from + row * depth_ * size, static_cast<size_t>(depth * size));
    return 0;
  }
  alignas(64) float values[kTile * kTile];
  tiles_.read(row_tile, depth_tile, values);
  if (kernel_.weight == DType::f32)
    std::memcpy(packed, values, sizeof values);
  else
    for (int i = 0; i < kTile * kTile; ++i) reinterpret_cast<bf16*>(packed)[i] = bf16(values[i]);
  return 0;
}

void WeightPacking::place(const std::byte* from, int64_t from_stride, int64_t rows, int64_t words, std::byte* to,
                          int64_t panel_bytes) const {
  const int64_t columns = kernel_.columns;
  if (!kernel_.interleave) {
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t word = 0; word < words; ++word)
        std::memcpy(to + row / columns * panel_bytes + (word * columns + row % columns) * sizeof(ShortWord),
                    from + row * from_stride + word * sizeof(ShortWord), sizeof(ShortWord));
    return;
  }
  const uint32_t flip = kernel_.weight_offset ? 0x80808080u : 0;  // + 128 turns the sign bit over
  // Few rows at a time over the whole depth: few streams for the processor to read ahead.
  const int64_t step = std::min(kSquare, columns);
  for (int64_t row = 0; row < rows; row += step)
    kernel_.interleave(from + row * from_stride, from_stride, static_cast<int>(step), words, flip,
                       to + row / columns * panel_bytes + row % columns * 4, columns * 4);
}

void WeightPacking::pack(int64_t row_tile, int64_t begin, int64_t end, int64_t padded_rows, std::byte* to,
                         int64_t panel_bytes, float* scales) const {
  const auto size = static_cast<int64_t>(dtype_size(kernel_.weight));
  const int64_t group = kernel_.column_group, rows = std::min<int64_t>(kTile, padded_rows - row_tile * kTile);
  const bool whole = (row_tile + 1) * kTile <= rows_ && end <= depth_ && (end - begin) / group % kSquare == 0;
  if (whole && keeps_values(source_.weight.type, kernel_)) {
    place(source_.weight.data + (row_tile * kTile * depth_ + begin) * size, depth_ * size, rows, (end - begin) / group,
          to, panel_bytes);
    for (int64_t depth = begin; scales && depth < end; depth += kTile)
      scales[(depth - begin) / kTile] = tiles_.scale(row_tile, depth / kTile);
    return;
  }
  for (int64_t depth = begin; depth < end; depth += kTile) {
    alignas(64) std::byte packed[kTile * kTile * 4];
    const float scale = read_tile(row_tile, depth / kTile, packed);
    if (scales) scales[(depth - begin) / kTile] = scale;
    const int64_t count = std::min<int64_t>(kTile, end - depth);
    std::byte* const at = to + (depth - begin) * kernel_.columns * size;
    if (count / group % kSquare == 0 || !kernel_.interleave) {
      place(packed, kTile * size, rows, count / group, at, panel_bytes);
      continue;
    }
    // The last words of a depth that no square fits.
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t k = 0; k < count; k += group)
        std::memcpy(
            at + row / kernel_.columns * panel_bytes + (k * kernel_.columns + row % kernel_.columns * group) * size,
            packed + (row * kTile + k) * size, static_cast<size_t>(group * size));
    if (kernel_.weight_offset)
      for (int64_t panel = 0; panel < rows; panel += kernel_.columns)
        for (int64_t i = 0; i < count * kernel_.columns; ++i)
          at[panel / kernel_.columns * panel_bytes + i] ^= std::byte{0x80};
  }
}

}  // namespace rushes
