// Which kernel multiplies a linear layer on a card, with which numbers: pure functions of the card and the shape, so
// that every answer can be tested, and every plan made, without the card. Attention and convolution have files of their
// own.
#pragma once
#include <cstdint>
#include <span>

#include "runtime/device.h"

namespace rushes::cuda {

/// What is multiplied: int8 with a scale per 128 x 128 tile, bf16 with f32 sums, or f32 by fused multiply-adds.
enum class LinearProduct { int8, bf16, f32 };

/// dot: a warp to a few outputs, for so few rows that reading the weights is all the work. fma: plain multiply-adds.
/// mma: matrix instructions of one warp. wgmma: of four warps together (architecture 90 only).
enum class LinearKernel { dot, fma, mma, wgmma };

struct LinearShape {
  int64_t rows = 0, outputs = 0, depth = 0;
};

/// A block's tile of outputs and how it is made. `share` is the part of the card's peak that tiles of this size are
/// taken to reach on a full card: a tuning number that only orders the candidates, nothing measured.
struct LinearTile {
  LinearKernel kernel = LinearKernel::fma;
  int rows = 0, columns = 0;
  int stages = 0;  // steps of 128 bytes of depth in shared memory
  int threads = 0;
  int shared_bytes = 0;
  int blocks = 1;  // on a multiprocessor at a time
  double share = 1;
};

/// A launch: `tile` on `grid` blocks. Blocks take tiles of outputs in bands of `band` row tiles, column after column,
/// so that those that run together share rows and weights in the second-level cache.
struct LinearChoice {
  LinearTile tile;
  int64_t row_tiles = 0, column_tiles = 0;
  int grid = 0;
  int band = 0;
  /// Rows and outputs multiplied, the parts of tiles beyond the matrix included.
  int64_t padded_rows() const { return row_tiles * tile.rows; }
  int64_t padded_outputs() const { return column_tiles * tile.columns; }
};

/// Most rows that the kernel `dot` takes; int8 products never go there.
constexpr int kDotRows = 8;
/// Outputs of one block of it, and its threads.
constexpr int kDotOutputs = 8, kDotThreads = 128;

/// The tiles that may run on an architecture (80, 86, 89, 90, 100, 120; others get those of the nearest older one),
/// from the largest to the smallest.
std::span<const LinearTile> linear_tiles(int architecture, LinearProduct product);

/// The tile with the shortest predicted time: blocks of the fullest multiprocessor x the time of one. Never a kernel
/// that the architecture lacks, nor one whose shared memory the card does not have. rows, outputs and depth >= 1.
LinearChoice choose_linear(const DeviceInfo& card, LinearProduct product, const LinearShape& shape);

/// The launch of a given tile for a shape: what choose_linear returns, for tests that force a tile.
LinearChoice linear_launch(const DeviceInfo& card, const LinearTile& tile, const LinearShape& shape);

/// Rows multiplied at a time, a multiple of 128: as many as keep the scratch (quantized or packed rows) within 128 MiB, or a
/// 64th of a small card's memory, so that a plan's peak does not grow with the clip.
int64_t linear_chunk_rows(const DeviceInfo& card, LinearProduct product, int64_t depth);

}  // namespace rushes::cuda
