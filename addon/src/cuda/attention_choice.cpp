// The table of dense attention's tiles per architecture, and the choice from it.
#include "cuda/attention_choice.h"

#include <algorithm>
#include <string>

#include "runtime/status.h"

namespace rushes::cuda {
namespace {

constexpr int kKeys = 64, kPanel = 64;

/// Forms of `tiles` for long sequences. Two row tiles a warp halve what the warps read from shared memory for their
/// products (32 query rows share every fragment of keys and values); where tensor cores are slower than that by far
/// (86, 89, 120) a second warp on each scheduler, whose products run under the first one's softmax, is worth more.
struct TileRow {
  int architecture, padded_head, form;
};
constexpr TileRow kTiles[] = {
    {80, 128, 0},   // 64 KB: two blocks in 164 KB
    {80, 64, 1},    //
    {86, 128, 2},   // 96 KB: one block in 100 KB
    {86, 64, 2},    //
    {89, 128, 2},   //
    {89, 64, 2},    //
    {90, 128, 1},   // 96 KB: two blocks in 228 KB
    {90, 64, 1},    //
    {100, 128, 0},  // with two buffers ptxas has no register left for an address
    {100, 64, 1},   //
    {120, 128, 2},  //
    {120, 64, 2},
};
/// For few queries, so that more blocks share the work, and for relative bias, whose indices need registers.
constexpr int kSmallForm = kTileFormCount - 1;

/// The listed architecture whose row serves `architecture`: the latest that is not later (103 runs what 100 runs).
int listed(int architecture) {
  int best = kTiles[0].architecture;
  for (const TileRow& row : kTiles)
    if (row.architecture <= architecture && row.architecture > best) best = row.architecture;
  return best;
}

AttentionChoice tiles_of(const AttentionShape& shape, int form) {
  const TileForm& tiles = kTileForms[shape.bias ? kSmallForm : form];
  const int rows = tiles.row_tiles * tiles.warps * 16, padded = shape.head_size <= 64 ? 64 : 128;
  return {.kernel = AttentionKernel::tiles,
          .padded_head = padded,
          .query_rows = rows,
          .key_rows = kKeys,
          .row_tiles = tiles.row_tiles,
          .warps = tiles.warps,
          .buffers = tiles.buffers,
          .shared_bytes = 2 * padded * (rows + 2 * tiles.buffers * kKeys)};
}

AttentionChoice choose_tiles(const AttentionShape& shape, const DeviceInfo& device) {
  const int padded = shape.head_size <= 64 ? 64 : 128, architecture = listed(device.architecture);
  const auto row = std::ranges::find_if(kTiles, [&](const TileRow& candidate) {
    return candidate.architecture == architecture && candidate.padded_head == padded;
  });
  const AttentionChoice large = tiles_of(shape, row->form);
  // Fewer than two blocks for each multiprocessor leave some of it waiting.
  const int64_t blocks = (shape.queries + large.query_rows - 1) / large.query_rows * shape.heads;
  return blocks < 2 * int64_t{device.multiprocessors} ? tiles_of(shape, kSmallForm) : large;
}

/// 64 query rows; two warps share 16 of them and divide keys and output columns. Queries stay in shared memory, panels
/// of keys and values go through a ring, P through 8 KB; 512 bytes for maxima and 512 for sums of both halves.
AttentionChoice choose_wide(const AttentionShape& shape) {
  const int padded = shape.head_size <= 256 ? 256 : shape.head_size <= 384 ? 384 : 512, panel = 2 * kKeys * kPanel;
  return {.kernel = AttentionKernel::wide,
          .padded_head = padded,
          .query_rows = 64,
          .key_rows = kKeys,
          .row_tiles = 1,
          .warps = 8,
          .buffers = 3,
          .shared_bytes = 2 * 64 * padded + 3 * panel + panel + 1024};
}

/// 64 query rows; panels of 64 columns of values, or of 32 columns of both queries and keys, go through a ring; P with
/// four columns of padding.
AttentionChoice choose_f32(const AttentionShape& shape) {
  const int padded = shape.head_size <= 64    ? 64
                     : shape.head_size <= 128 ? 128
                     : shape.head_size <= 256 ? 256
                     : shape.head_size <= 384 ? 384
                                              : 512;
  return {.kernel = AttentionKernel::f32,
          .padded_head = padded,
          .query_rows = 64,
          .key_rows = kKeys,
          .row_tiles = 1,
          .warps = 8,
          .buffers = 3,
          .shared_bytes = 3 * 4 * kKeys * kPanel + 4 * 64 * (kKeys + 4)};
}

void require_head(const AttentionShape& shape) {
  if (shape.head_size < 8 || shape.head_size > 512 || shape.head_size % 8)
    throw Error("engine.internal", "Attention has no kernel for this head size.", {}, std::to_string(shape.head_size));
}

}  // namespace

int block_shared_limit(int architecture) {
  switch (architecture) {
    case 80:
    case 87:
      return 163 << 10;
    case 90:
    case 100:
    case 103:
      return 227 << 10;
    default:
      return 99 << 10;  // 86, 89, 120
  }
}

AttentionChoice choose_attention(const AttentionShape& shape, const DeviceInfo& device) {
  require_head(shape);
  if (shape.input == DType::f32) return choose_f32(shape);
  return shape.head_size > 128 ? choose_wide(shape) : choose_tiles(shape, device);
}

AttentionChoice choose_attention(const AttentionShape& shape, int form) {
  require_head(shape);
  if (shape.input == DType::f32) return choose_f32(shape);
  return shape.head_size > 128 ? choose_wide(shape) : tiles_of(shape, form);
}

}  // namespace rushes::cuda
