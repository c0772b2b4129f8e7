// Products of a linear layer in f32 by fused multiply-adds, for every architecture: x and weights f32 or bf16 (widened,
// which is exact), sums in f32 with depths rising. 256 threads make a tile of 128 x 128 or 64 x 64 outputs, from two
// buffers of 16 depths that lie depth by depth in shared memory.
#include "cuda/launch.h"
#include "ops/linear/finish_cuda.cuh"
#include "ops/linear/plain_rows_cuda.cuh"

namespace rushes::cuda {
namespace {

constexpr int kThreads = 256, kDepth = 16;

/// kSide rows of one operand and 16 depths, on their way through registers.
template <int kSide>
struct Tile {
  static constexpr int kFours = kSide * kDepth / 4 / kThreads;
  static constexpr int kStride = kSide + 4;  // a depth's rows, shifted by four banks from the last depth's
  float values[kFours][4];

  RUSHES_DEVICE void fetch(const PlainRows& rows, int first_row, int row_count, int first_depth) {
#pragma unroll
    for (int i = 0; i < kFours; ++i) {
      const int four = thread_index() + i * kThreads, row = first_row + four / 4;
      if (row < row_count) {
        rows.four(row, first_depth + four % 4 * 4, values[i]);
      } else {
#pragma unroll
        for (int e = 0; e < 4; ++e) values[i][e] = 0;
      }
    }
  }
  RUSHES_DEVICE void store(Shared<float> to) const {
#pragma unroll
    for (int i = 0; i < kFours; ++i) {
      const int four = thread_index() + i * kThreads;
#pragma unroll
      for (int e = 0; e < 4; ++e) to[(four % 4 * 4 + e) * kStride + four / 4] = values[i][e];
    }
  }
};

/// A thread's part of a side: kCount / 4 groups of four neighbours, 64 apart.
template <int kCount>
RUSHES_DEVICE void read_part(float (&to)[kCount], Shared<float> depth, int part) {
  Shared<Words4> fours = depth.template as<Words4>();
#pragma unroll
  for (int i = 0; i < kCount / 4; ++i) {
    const Words4 words = fours[part + i * 16];
#pragma unroll
    for (int e = 0; e < 4; ++e) to[i * 4 + e] = bits_float(words.word[e]);
  }
}

template <int kSide, int kBlocks>
RUSHES_KERNEL(256, kBlocks)
multiply_f32(PlainOperands operands, LinearOutput output) {
  constexpr int kPart = kSide / 16;  // rows and columns of a thread
  constexpr int kBuffer = kDepth * Tile<kSide>::kStride;
  const PlainRows x = plain_x(operands), weights = plain_weights(operands);
  int row_tile, column_tile;
  tile_place(block_x(), operands.row_tiles, operands.column_tiles, operands.band, row_tile, column_tile);
  const int first_row = row_tile * kSide, first_column = column_tile * kSide;
  const auto buffer = [](int number, int operand) {
    return shared_memory<float>((number * 2 + operand) * kBuffer * 4, kBuffer);
  };
  const int row_part = thread_index() / 16, column_part = thread_index() % 16;
  float sums[kPart][kPart];
#pragma unroll
  for (int i = 0; i < kPart; ++i)
#pragma unroll
    for (int j = 0; j < kPart; ++j) sums[i][j] = 0;

  Tile<kSide> rows, columns;
  rows.fetch(x, first_row, output.rows, 0);
  columns.fetch(weights, first_column, output.outputs, 0);
  const int steps = (operands.depth + kDepth - 1) / kDepth;
  for (int step = 0; step < steps; ++step) {
    rows.store(buffer(step % 2, 0));
    columns.store(buffer(step % 2, 1));
    sync_block();
    if (step + 1 < steps) {
      rows.fetch(x, first_row, output.rows, (step + 1) * kDepth);
      columns.fetch(weights, first_column, output.outputs, (step + 1) * kDepth);
    }
    const Shared<float> a = buffer(step % 2, 0), b = buffer(step % 2, 1);
#pragma unroll
    for (int k = 0; k < kDepth; ++k) {
      float row[kPart], column[kPart];
      read_part(row, a.part(k * Tile<kSide>::kStride), row_part);
      read_part(column, b.part(k * Tile<kSide>::kStride), column_part);
#pragma unroll
      for (int i = 0; i < kPart; ++i)
#pragma unroll
        for (int j = 0; j < kPart; ++j) sums[i][j] = fused(row[i], column[j], sums[i][j]);
    }
  }
#pragma unroll
  for (int j = 0; j < kPart / 4; ++j) {
    const int column = first_column + j * 64 + column_part * 4;
    const FourColumns four = four_columns(output, column);
#pragma unroll
    for (int i = 0; i < kPart; ++i) {
      float y[4] = {sums[i][j * 4], sums[i][j * 4 + 1], sums[i][j * 4 + 2], sums[i][j * 4 + 3]};
      finish_four(output, four, first_row + i / 4 * 64 + row_part * 4 + i % 4, column, y);
    }
  }
}

}  // namespace

void launch_fma_linear(StreamHandle stream, const LinearChoice& choice, const PlainOperands& operands,
                       const LinearOutput& output) {
  if (choice.tile.rows == 128)
    launch(stream, "f32 linear", multiply_f32<128, 2>, Grid{choice.grid}, kThreads, choice.tile.shared_bytes, operands,
           output);
  else
    launch(stream, "f32 linear", multiply_f32<64, 3>, Grid{choice.grid}, kThreads, choice.tile.shared_bytes, operands,
           output);
}

}  // namespace rushes::cuda
