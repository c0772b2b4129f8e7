// Products of a linear layer by the matrix instructions of four warps (wgmma), for architecture 90: int8 with a scale
// per 128 x 128 tile, and bf16. Two groups of four warps make 64 rows each of a tile of 128 x 128 or 128 x 256 outputs.
// Blocks stay and take one tile after the other, so that the next tile's operands arrive while one's sums go out.
//
// int8 gives the bits of the CPU's kernels (mma_linear_cuda.cu says how). Converting and scaling int32 sums costs the
// vector units about as long as the products cost the matrix units, so the groups take turns: the second group does its
// last conversion of a step when the first has gone on to the next step's products.
#include "cuda/launch.h"
#include "ops/linear/finish_cuda.cuh"
#include "ops/linear/operands_cuda.cuh"

namespace rushes::cuda {
namespace {

constexpr int kRows = 128, kThreads = 256, kSlices = 4;

/// A step of depth of one of this block's tiles.
struct Position {
  int tile, step = 0;
  int first_row = 0, first_column = 0;

  RUSHES_DEVICE Position(const LinearOperands& o, int kColumns) : tile(block_x()) { place(o, kColumns); }
  RUSHES_DEVICE void place(const LinearOperands& o, int kColumns) {
    int row_tile = 0, column_tile = 0;
    tile_place(tile, o.row_tiles, o.column_tiles, o.band, row_tile, column_tile);
    first_row = row_tile * kRows;
    first_column = column_tile * kColumns;
  }
  RUSHES_DEVICE void advance(const LinearOperands& o, int kColumns, int steps) {
    if (++step < steps) return;
    step = 0;
    tile += grid_x();
    if (tile < o.row_tiles * o.column_tiles) place(o, kColumns);
  }
};

/// What int32 sums of a step are multiplied by, for 128 columns of a tile.
RUSHES_DEVICE float scale_at(const LinearOperands& o, const Position& p, int half, int outputs, int steps) {
  const int column = p.first_column + (p.first_column + half * 128 < outputs ? half * 128 : 0);
  return multiply(o.row_scales[p.first_row / 128 * steps + p.step], o.column_scales[column / 128 * steps + p.step]);
}

/// This warp's 16 rows of a tile on their way out, kPiece columns at a time.
template <int kColumns, int kPiece>
RUSHES_DEVICE void finish_tile(const LinearOutput& output, Shared<float> window, int first_row, int first_column,
                               const float* sums) {
#pragma unroll
  for (int piece = 0; piece < kColumns / kPiece; ++piece) {
    sync_warp();
#pragma unroll
    for (int j = 0; j < kPiece / 8; ++j) stage_fragment<kPiece>(window, 0, j, sums + (piece * kPiece / 8 + j) * 4);
    sync_warp();
    finish_window<16, kPiece>(output, window, first_row + warp_index() * 16, first_column + piece * kPiece);
  }
}

template <int kHalves>
RUSHES_DEVICE void begin_sums(float (&sums)[kHalves][64]) {
#pragma unroll
  for (int half = 0; half < kHalves; ++half)
#pragma unroll
    for (int i = 0; i < 64; ++i) sums[half][i] = 0;
}

/// The pipeline of a block: kStages steps in shared memory, of which kAhead are on their way while one is multiplied.
template <int kColumns, int kStages, int kAhead, int kPiece>
struct Pipeline {
  static constexpr int kRowBytes = kRows * kStepBytes, kStageBytes = (kRows + kColumns) * kStepBytes;
  static constexpr int kWindow = 16 * kStagedStride<kPiece>;
  static constexpr int kSharedBytes = kStages * kStageBytes + kThreads / 32 * kWindow * 4;
  static_assert(kAhead < kStages);

  const LinearOperands& operands;
  int rows, outputs, steps, left;  // steps of all tiles that are not asked for yet
  Position at;
  int stage = 0;

  RUSHES_DEVICE Pipeline(const LinearOperands& o, const LinearOutput& output, int step_count, int total)
      : operands(o), rows(output.rows), outputs(output.outputs), steps(step_count), left(total), at(o, kColumns) {
    for (int i = 0; i < kAhead; ++i) ask();
  }
  static RUSHES_DEVICE Shared<uint8_t> row_stage(int stage, int warpgroup) {
    return shared_memory<uint8_t>(stage * kStageBytes + warpgroup * 64 * kStepBytes, 64 * kStepBytes);
  }
  static RUSHES_DEVICE Shared<uint8_t> column_stage(int stage, int first, int count) {
    return shared_memory<uint8_t>(stage * kStageBytes + kRowBytes + first * kStepBytes, count * kStepBytes);
  }
  /// Asks for the next step, into the stage that is longest out of use.
  RUSHES_DEVICE void ask() {
    if (left > 0) {
      const int byte = at.step * kStepBytes;
      copy_step<kRows, kThreads>(shared_memory<uint8_t>(stage * kStageBytes, kRowBytes), operands.x, operands.x_stride,
                                 at.first_row, rows, byte, operands.depth_bytes);
      copy_step<kColumns, kThreads>(shared_memory<uint8_t>(stage * kStageBytes + kRowBytes, kColumns * kStepBytes),
                                    operands.weights, operands.weight_stride, at.first_column, outputs, byte,
                                    operands.depth_bytes);
      at.advance(operands, kColumns, steps);
      --left;
    }
    copy_async_commit();
    stage = stage + 1 == kStages ? 0 : stage + 1;
  }
  /// The oldest step asked for is there, for all threads and for wgmma.
  RUSHES_DEVICE void arrived() {
    copy_async_wait<kAhead - 1>();
    fence_shared_for_wgmma();
    sync_block();
  }
  static RUSHES_DEVICE Shared<float> window() {
    return shared_memory<float>(kStages * kStageBytes + warp_index() * kWindow * 4, kWindow);
  }
};

RUSHES_DEVICE int steps_of_block(const LinearOperands& o, int steps) {
  return (o.row_tiles * o.column_tiles - block_x() + grid_x() - 1) / grid_x() * steps;
}

template <int kColumns, int kStages, int kPiece>
RUSHES_KERNEL(256, 1)
multiply_int8(LinearOperands operands, LinearOutput output) {
  constexpr int kHalves = kColumns / 128;
  using Line = Pipeline<kColumns, kStages, kStages - 1, kPiece>;
  const int steps = operands.depth_bytes / kStepBytes, total = steps_of_block(operands, steps);
  const int warpgroup = warp_index() / 4;
  const bool late = warpgroup == 1;
  Line line(operands, output, steps, total);
  Position at(operands, kColumns), before = at;
  float sums[kHalves][64];
  begin_sums(sums);
  int32_t products[64];
  float last_scale = 0;
  int stage = 0;
  for (int done = 0; done <= total; ++done) {
    if (done < total) {
      line.arrived();
      line.ask();
    }
    if (late && done > 0) {
#pragma unroll
      for (int i = 0; i < 64; ++i)
        sums[kHalves - 1][i] = add(sums[kHalves - 1][i], multiply(static_cast<float>(products[i]), last_scale));
      if (before.step == steps - 1) {
        finish_tile<kColumns, kPiece>(output, Line::window(), before.first_row, before.first_column, sums[0]);
        begin_sums(sums);
      }
    }
    if (done == total) break;
    before = at;
    at.advance(operands, kColumns, steps);
#pragma unroll
    for (int half = 0; half < kHalves; ++half) {
      const Shared<uint8_t> rows = Line::row_stage(stage, warpgroup);
      const Shared<uint8_t> columns = Line::column_stage(stage, half * 128, 128);
      wgmma_begin();
#pragma unroll
      for (int slice = 0; slice < kSlices; ++slice) wgmma_int8<128>(products, rows, columns, slice * 32, slice > 0);
      wgmma_commit();
      const float scale = scale_at(operands, before, half, output.outputs, steps);
      wgmma_wait<0>();
      wgmma_ready(products);
      if (half == kHalves - 1 && late) {
        last_scale = scale;
      } else {
#pragma unroll
        for (int i = 0; i < 64; ++i)
          sums[half][i] = add(sums[half][i], multiply(static_cast<float>(products[i]), scale));
      }
    }
    if (!late && before.step == steps - 1) {
      finish_tile<kColumns, kPiece>(output, Line::window(), before.first_row, before.first_column, sums[0]);
      begin_sums(sums);
    }
    stage = stage + 1 == kStages ? 0 : stage + 1;
  }
  copy_async_wait<0>();
}

// Products of one step run while the next step's operands are waited for, so a stage is free one step later than in
// multiply_int8. The loop over a tile's steps touches no sum: the compiler would wait for the products there.
template <int kColumns, int kStages, int kPiece>
RUSHES_KERNEL(256, 1)
multiply_bf16(LinearOperands operands, LinearOutput output) {
  using Line = Pipeline<kColumns, kStages, kStages - 2, kPiece>;
  const int steps = (operands.depth_bytes + kStepBytes - 1) / kStepBytes;
  const int warpgroup = warp_index() / 4;
  Line line(operands, output, steps, steps_of_block(operands, steps));
  Position at(operands, kColumns);
  int stage = 0;
  while (at.tile < operands.row_tiles * operands.column_tiles) {
    float sums[kColumns / 2];
#pragma unroll
    for (int i = 0; i < kColumns / 2; ++i) sums[i] = 0;
    wgmma_ready(sums);
    for (int step = 0; step < steps; ++step) {
      line.arrived();
      line.ask();
      const Shared<uint8_t> rows = Line::row_stage(stage, warpgroup);
      const Shared<uint8_t> columns = Line::column_stage(stage, 0, kColumns);
      wgmma_begin();
#pragma unroll
      for (int slice = 0; slice < kSlices; ++slice) wgmma_bf16<kColumns>(sums, rows, columns, slice * 32);
      wgmma_commit();
      wgmma_wait<1>();
      stage = stage + 1 == kStages ? 0 : stage + 1;
    }
    wgmma_wait<0>();
    wgmma_ready(sums);
    finish_tile<kColumns, kPiece>(output, Line::window(), at.first_row, at.first_column, sums);
    at.tile += grid_x();
    if (at.tile < operands.row_tiles * operands.column_tiles) at.place(operands, kColumns);
  }
  copy_async_wait<0>();
}

template <bool kInt8, int kColumns, int kStages, int kPiece>
void start(StreamHandle stream, const LinearChoice& choice, const LinearOperands& operands,
           const LinearOutput& output) {
  constexpr int kSharedBytes = Pipeline<kColumns, kStages, kStages - (kInt8 ? 1 : 2), kPiece>::kSharedBytes;
  if (choice.tile.shared_bytes != kSharedBytes)
    throw Error("engine.internal", "A tile of the table of kernels is not the tile of its kernel.");
  if constexpr (kInt8)
    launch(stream, "int8 linear (wgmma)", multiply_int8<kColumns, kStages, kPiece>, Grid{choice.grid}, kThreads,
           kSharedBytes, operands, output);
  else
    launch(stream, "bf16 linear (wgmma)", multiply_bf16<kColumns, kStages, kPiece>, Grid{choice.grid}, kThreads,
           kSharedBytes, operands, output);
}

}  // namespace

void launch_wgmma_linear(StreamHandle stream, const LinearChoice& choice, LinearProduct product,
                         const LinearOperands& operands, const LinearOutput& output) {
  const bool wide = choice.tile.columns == 256;
  if (product == LinearProduct::int8)
    wide ? start<true, 256, 3, 64>(stream, choice, operands, output)
         : start<true, 128, 4, 64>(stream, choice, operands, output);
  else
    wide ? start<false, 256, 4, 32>(stream, choice, operands, output)
         : start<false, 128, 4, 64>(stream, choice, operands, output);
}

}  // namespace rushes::cuda
