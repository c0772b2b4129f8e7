// Tables of tiles per architecture, and the choice among them.
#include "cuda/kernel_choice.h"

#include <algorithm>
#include <limits>

namespace rushes::cuda {
namespace {

constexpr int kDepthBytes = 128;  // of a stage

// Operands of all stages; wgmma besides it 16 rows x (columns of a piece + 8) floats for each of 8 warps on their way
// out.
constexpr int mma_bytes(int rows, int columns, int stages) { return (rows + columns) * kDepthBytes * stages; }
constexpr int wgmma_bytes(int columns, int stages, int piece) {
  return mma_bytes(128, columns, stages) + 8 * 16 * (piece + 8) * 4;
}
constexpr int fma_bytes(int side) { return 2 * 2 * 16 * (side + 4) * 4; }

constexpr LinearTile mma(int rows, int columns, int threads, int blocks, double share) {
  return {LinearKernel::mma, rows, columns, 3, threads, mma_bytes(rows, columns, 3), blocks, share};
}
constexpr LinearTile wgmma(int columns, int stages, int piece, double share) {
  return {LinearKernel::wgmma, 128, columns, stages, 256, wgmma_bytes(columns, stages, piece), 1, share};
}

// 80 and 100: 163 and 227 KiB of shared memory, twice the matrix rate of the consumer cards to each multiprocessor: the
// largest tile halves what comes from the second-level cache.
constexpr LinearTile kLarge[] = {mma(128, 256, 256, 1, 0.80), mma(128, 128, 256, 1, 0.70), mma(64, 64, 128, 2, 0.45)};
// 86, 89, 120: 99 KiB.
constexpr LinearTile kConsumer[] = {mma(128, 128, 256, 1, 0.80), mma(64, 64, 128, 2, 0.60)};
// 90: mma reaches little more than half of wgmma's rate there, but needs no 128 rows.
constexpr LinearTile kHopperInt8[] = {wgmma(256, 3, 64, 0.80), wgmma(128, 4, 64, 0.62), mma(64, 64, 128, 2, 0.30)};
constexpr LinearTile kHopperBf16[] = {wgmma(256, 4, 32, 0.80), wgmma(128, 4, 64, 0.65), mma(64, 64, 128, 2, 0.30)};
constexpr LinearTile kFma[] = {{LinearKernel::fma, 128, 128, 2, 256, fma_bytes(128), 2, 0.85},
                               {LinearKernel::fma, 64, 64, 2, 256, fma_bytes(64), 3, 0.60}};

constexpr int64_t kOverheadBytes = 512;  // of depth: what filling the pipeline and finishing a tile cost

int64_t tiles_of(int64_t count, int tile) { return (count + tile - 1) / tile; }

int64_t depth_bytes(LinearProduct product, int64_t depth) {
  return product == LinearProduct::int8 ? depth : product == LinearProduct::bf16 ? 2 * depth : 4 * depth;
}

}  // namespace

std::span<const LinearTile> linear_tiles(int architecture, LinearProduct product) {
  if (product == LinearProduct::f32) return kFma;
  if (architecture >= 100) return architecture >= 120 ? std::span<const LinearTile>(kConsumer) : kLarge;
  if (architecture >= 90) return product == LinearProduct::int8 ? kHopperInt8 : kHopperBf16;
  if (architecture >= 86) return kConsumer;
  return kLarge;
}

LinearChoice linear_launch(const DeviceInfo& card, const LinearTile& tile, const LinearShape& shape) {
  LinearChoice choice;
  choice.tile = tile;
  choice.row_tiles = tiles_of(shape.rows, tile.rows);
  choice.column_tiles = tiles_of(shape.outputs, tile.columns);
  const int64_t tiles = choice.row_tiles * choice.column_tiles;
  // wgmma's blocks stay and take one tile after the other.
  choice.grid =
      static_cast<int>(tile.kernel == LinearKernel::wgmma ? std::min<int64_t>(tiles, std::max(1, card.multiprocessors))
                                                          : std::min<int64_t>(tiles, std::numeric_limits<int>::max()));
  // About as many rows as columns of operands among the blocks that run together.
  const double together = static_cast<double>(std::max(1, card.multiprocessors)) * tile.blocks;
  int band = 1;
  while (band * band * tile.rows < together * tile.columns) ++band;
  choice.band = static_cast<int>(std::min<int64_t>(band, choice.row_tiles));
  return choice;
}

LinearChoice choose_linear(const DeviceInfo& card, LinearProduct product, const LinearShape& shape) {
  if (product != LinearProduct::int8 && shape.rows <= kDotRows) {
    LinearChoice choice;
    choice.tile = {LinearKernel::dot, static_cast<int>(shape.rows), kDotOutputs, 0, kDotThreads, 0, 8, 1};
    choice.row_tiles = 1;
    choice.column_tiles = tiles_of(shape.outputs, kDotOutputs);
    choice.grid = static_cast<int>(choice.column_tiles);
    choice.band = 1;
    return choice;
  }
  const std::span<const LinearTile> tiles = linear_tiles(card.architecture, product);
  const LinearTile* best = &tiles.back();
  double best_time = std::numeric_limits<double>::infinity();
  for (const LinearTile& tile : tiles) {
    if (card.shared_bytes && static_cast<uint64_t>(tile.shared_bytes) > card.shared_bytes) continue;
    const int64_t count = tiles_of(shape.rows, tile.rows) * tiles_of(shape.outputs, tile.columns);
    // The multiprocessor with the most blocks is the last; blocks that it holds at a time share its units.
    const auto most = static_cast<double>(tiles_of(count, std::max(1, card.multiprocessors)));
    const double time = most * tile.rows * tile.columns / tile.share *
                        static_cast<double>(depth_bytes(product, shape.depth) + kOverheadBytes);
    if (time < best_time) {
      best_time = time;
      best = &tile;
    }
  }
  return linear_launch(card, *best, shape);
}

int64_t linear_chunk_rows(const DeviceInfo& card, LinearProduct product, int64_t depth) {
  constexpr int64_t kScratchBytes = int64_t{128} << 20, kShare = 64;
  const auto share = static_cast<int64_t>(card.total_bytes) / kShare;
  const int64_t scratch = share > 0 ? std::min(kScratchBytes, share) : kScratchBytes;
  const int64_t bytes = std::max<int64_t>(1, product == LinearProduct::int8 ? depth : 2 * depth);
  return std::max<int64_t>(128, scratch / bytes / 128 * 128);
}

}  // namespace rushes::cuda
