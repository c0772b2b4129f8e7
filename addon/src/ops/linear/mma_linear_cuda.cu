// Products of a linear layer by the matrix instructions of one warp (mma.sync), for every architecture: int8 with a
// scale per 128 x 128 tile, and bf16. A block makes one tile of outputs from a pipeline of three steps of 128 bytes of
// depth in shared memory.
//
// int8 gives the bits of the CPU's kernels: after every 128 depths the exact int32 sum is converted (below 2^22,
// exact), multiplied by row scale x column scale and added to the f32 sum, each operation rounded by itself, depths
// rising.
#include "cuda/launch.h"
#include "ops/linear/finish_cuda.cuh"
#include "ops/linear/operands_cuda.cuh"

namespace rushes::cuda {
namespace {

constexpr int kStages = 3;
constexpr int kSlices = 4;  // matrix instructions along a step: 32 bytes each

template <bool kInt8>
struct Sums;
template <>
struct Sums<true> {
  using Type = int32_t;
  static RUSHES_DEVICE void multiply_add(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    mma_int8(d, a, b);
  }
};
template <>
struct Sums<false> {
  using Type = float;
  static RUSHES_DEVICE void multiply_add(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    mma_bf16(d, a, b);
  }
};

/// Where a warp finds its fragments: tiles of 16 rows and of 8 columns. int8 and bf16 fragments are the same bytes,
/// rows of 16.
struct WarpOperands {
  Shared<uint8_t> rows, columns;
  int first_row, first_column;

  RUSHES_DEVICE void row_fragment(uint32_t (&a)[4], int tile, int slice) const {
    const int lane = lane_index(), row = first_row + lane % 16, chunk = slice * 2 + lane / 16;
    load_matrix(a, rows, swizzled_128(row, chunk) + tile * 16 * kStepBytes);
  }
  template <int kColumnTiles>
  RUSHES_DEVICE void column_fragments(uint32_t (&b)[kColumnTiles][2], int slice) const {
    const int lane = lane_index();
    const int column = first_column + lane % 8 + lane / 16 * 8, chunk = slice * 2 + lane / 8 % 2;
#pragma unroll
    for (int j = 0; j < kColumnTiles / 2; ++j) {
      uint32_t both[4];
      load_matrix(both, columns, swizzled_128(column, chunk) + j * 16 * kStepBytes);
      b[2 * j][0] = both[0];
      b[2 * j][1] = both[1];
      b[2 * j + 1][0] = both[2];
      b[2 * j + 1][1] = both[3];
    }
  }
};

/// One step of a warp: sums += a b, the next slice's fragments on their way while one is multiplied.
template <bool kInt8, int kRowTiles, int kColumnTiles>
RUSHES_DEVICE void multiply_step(typename Sums<kInt8>::Type (&sums)[kRowTiles][kColumnTiles][4],
                                 const WarpOperands& operands) {
  uint32_t a[2][kRowTiles][4], b[2][kColumnTiles][2];
  const auto load = [&](int slice) {
#pragma unroll
    for (int i = 0; i < kRowTiles; ++i) operands.row_fragment(a[slice % 2][i], i, slice);
    operands.column_fragments(b[slice % 2], slice);
  };
  load(0);
#pragma unroll
  for (int slice = 0; slice < kSlices; ++slice) {
    if (slice + 1 < kSlices) load(slice + 1);
#pragma unroll
    for (int i = 0; i < kRowTiles; ++i)
#pragma unroll
      for (int j = 0; j < kColumnTiles; ++j) Sums<kInt8>::multiply_add(sums[i][j], a[slice % 2][i], b[slice % 2][j]);
  }
}

/// The same with one fragment of rows at a time, where sums leave no registers for more.
template <bool kInt8, int kRowTiles, int kColumnTiles>
RUSHES_DEVICE void multiply_step_narrow(typename Sums<kInt8>::Type (&sums)[kRowTiles][kColumnTiles][4],
                                        const WarpOperands& operands) {
#pragma unroll
  for (int slice = 0; slice < kSlices; ++slice) {
    uint32_t b[kColumnTiles][2];
    operands.column_fragments(b, slice);
#pragma unroll
    for (int i = 0; i < kRowTiles; ++i) {
      uint32_t a[4];
      operands.row_fragment(a, i, slice);
#pragma unroll
      for (int j = 0; j < kColumnTiles; ++j) Sums<kInt8>::multiply_add(sums[i][j], a, b[j]);
    }
  }
}

template <bool kInt8, int kRows, int kColumns, int kWarpRows, int kWarpColumns>
struct Shape {
  static constexpr int kRowWarps = kRows / kWarpRows, kWarps = kRowWarps * (kColumns / kWarpColumns);
  static constexpr int kThreads = kWarps * 32;
  static constexpr int kStageBytes = (kRows + kColumns) * kStepBytes;
  static constexpr int kRowTiles = kWarpRows / 16, kColumnTiles = kWarpColumns / 8;
  static constexpr int kWindow = kWarpRows * kStagedStride<32>;  // floats of a warp on their way out
  static_assert(kWarps * kWindow * 4 <= kStages * kStageBytes);
};

template <bool kInt8, int kRows, int kColumns, int kWarpRows, int kWarpColumns, int kBlocks>
RUSHES_KERNEL((kRows / kWarpRows) * (kColumns / kWarpColumns) * 32, kBlocks)
multiply_tiles(LinearOperands operands, LinearOutput output) {
  using S = Shape<kInt8, kRows, kColumns, kWarpRows, kWarpColumns>;
  int row_tile, column_tile;
  tile_place(block_x(), operands.row_tiles, operands.column_tiles, operands.band, row_tile, column_tile);
  const int first_row = row_tile * kRows, first_column = column_tile * kColumns;
  const int warp_row = warp_index() % S::kRowWarps * kWarpRows,
            warp_column = warp_index() / S::kRowWarps * kWarpColumns;

  const int steps = (operands.depth_bytes + kStepBytes - 1) / kStepBytes;
  const auto row_stage = [](int stage) { return shared_memory<uint8_t>(stage * S::kStageBytes, kRows * kStepBytes); };
  const auto column_stage = [](int stage) {
    return shared_memory<uint8_t>(stage * S::kStageBytes + kRows * kStepBytes, kColumns * kStepBytes);
  };
  const auto load = [&](int step, int stage) {
    if (step < steps) {
      copy_step<kRows, S::kThreads>(row_stage(stage), operands.x, operands.x_stride, first_row, output.rows,
                                    step * kStepBytes, operands.depth_bytes);
      copy_step<kColumns, S::kThreads>(column_stage(stage), operands.weights, operands.weight_stride, first_column,
                                       output.outputs, step * kStepBytes, operands.depth_bytes);
    }
    copy_async_commit();
  };
  for (int stage = 0; stage < kStages - 1; ++stage) load(stage, stage);

  float sums[S::kRowTiles][S::kColumnTiles][4];
#pragma unroll
  for (int i = 0; i < S::kRowTiles; ++i)
#pragma unroll
    for (int j = 0; j < S::kColumnTiles; ++j)
#pragma unroll
      for (int e = 0; e < 4; ++e) sums[i][j][e] = 0;

  // A warp's columns lie in one tile of 128.
  const int scale_column = first_column + (first_column + warp_column < output.outputs ? warp_column : 0);

  int stage = 0, free_stage = kStages - 1;
  for (int step = 0; step < steps; ++step) {
    copy_async_wait<kStages - 2>();
    sync_block();
    load(step + kStages - 1, free_stage);
    free_stage = stage;
    if constexpr (kInt8) {
      // int32 sums lie beside the f32 ones: for 32 columns at a time.
      constexpr int kPieces = kWarpColumns / 32, kPieceTiles = 4;
      const float scale = multiply(operands.row_scales[first_row / 128 * steps + step],
                                   operands.column_scales[scale_column / 128 * steps + step]);
#pragma unroll
      for (int piece = 0; piece < kPieces; ++piece) {
        // Otherwise the compiler begins the next piece before this one's int32 sums are gone, and runs out of
        // registers.
        if (piece > 0) sync_warp();
        int32_t products[S::kRowTiles][kPieceTiles][4];
#pragma unroll
        for (int i = 0; i < S::kRowTiles; ++i)
#pragma unroll
          for (int j = 0; j < kPieceTiles; ++j)
#pragma unroll
            for (int e = 0; e < 4; ++e) products[i][j][e] = 0;
        const WarpOperands from = {row_stage(stage), column_stage(stage), warp_row, warp_column + piece * 32};
        if constexpr (kPieces == 1)
          multiply_step<true>(products, from);
        else
          multiply_step_narrow<true>(products, from);
#pragma unroll
        for (int i = 0; i < S::kRowTiles; ++i)
#pragma unroll
          for (int j = 0; j < kPieceTiles; ++j)
#pragma unroll
            for (int e = 0; e < 4; ++e) {
              float& sum = sums[i][piece * kPieceTiles + j][e];
              sum = add(sum, multiply(static_cast<float>(products[i][j][e]), scale));
            }
      }
    } else {
      multiply_step<false>(sums, WarpOperands{row_stage(stage), column_stage(stage), warp_row, warp_column});
    }
    stage = stage + 1 == kStages ? 0 : stage + 1;
  }

  copy_async_wait<0>();
  sync_block();  // the stages are free now: windows on the way out lie there
  Shared<float> window = shared_memory<float>(warp_index() * S::kWindow * 4, S::kWindow);
#pragma unroll
  for (int piece = 0; piece < kWarpColumns / 32; ++piece) {
    sync_warp();
#pragma unroll
    for (int i = 0; i < S::kRowTiles; ++i)
#pragma unroll
      for (int j = 0; j < 4; ++j) stage_fragment<32>(window, i * 16, j, sums[i][piece * 4 + j]);
    sync_warp();
    finish_window<kWarpRows, 32>(output, window, first_row + warp_row, first_column + warp_column + piece * 32);
  }
}

template <bool kInt8, int kRows, int kColumns, int kWarpRows, int kWarpColumns, int kBlocks>
void launch_tiles(StreamHandle stream, const LinearChoice& choice, const LinearOperands& operands,
                  const LinearOutput& output) {
  using S = Shape<kInt8, kRows, kColumns, kWarpRows, kWarpColumns>;
  if (choice.tile.shared_bytes != kStages * S::kStageBytes || choice.tile.threads != S::kThreads)
    throw Error("engine.internal", "A tile of the table of kernels is not the tile of its kernel.");
  launch(stream, kInt8 ? "int8 linear (mma)" : "bf16 linear (mma)",
         multiply_tiles<kInt8, kRows, kColumns, kWarpRows, kWarpColumns, kBlocks>, Grid{choice.grid}, S::kThreads,
         kStages * S::kStageBytes, operands, output);
}

template <bool kInt8>
void launch_for(StreamHandle stream, const LinearChoice& choice, const LinearOperands& operands,
                const LinearOutput& output) {
  if (choice.tile.columns == 256)
    launch_tiles<kInt8, 128, 256, 64, 64, 1>(stream, choice, operands, output);
  else if (choice.tile.columns == 128)
    launch_tiles<kInt8, 128, 128, 64, 32, 1>(stream, choice, operands, output);
  else
    launch_tiles<kInt8, 64, 64, 32, 32, 2>(stream, choice, operands, output);
}

}  // namespace

void launch_mma_linear(StreamHandle stream, const LinearChoice& choice, LinearProduct product,
                       const LinearOperands& operands, const LinearOutput& output) {
  if (product == LinearProduct::int8)
    launch_for<true>(stream, choice, operands, output);
  else
    launch_for<false>(stream, choice, operands, output);
}

}  // namespace rushes::cuda
