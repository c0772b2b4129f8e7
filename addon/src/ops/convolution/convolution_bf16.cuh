// The convolution as a matrix product on tensor cores that gathers its left side as it goes: rows are output pixels,
// columns outputs, and the depth is the kernel window times the channels, 32 at a step. Both sides come by copy_async
// into a ring of stages, four steps deep.
#pragma once
#include "ops/convolution/convolution_choice.h"
#include "ops/convolution/convolution_frames.cuh"

namespace rushes::convolution_tiles {



/// A row of a stage is 64 bytes; chunks of 16 change places so that 8 rows of one chunk lie in 8 different banks.
RUSHES_DEVICE int stage_place(int row, int chunk) { return row * 64 + ((chunk ^ ((row >> 1) & 3)) << 4); }

/// Block: kRows pixels x kColumns outputs of one frame. Grid: pixels, outputs, frames.
template <int kRows, int kColumns>
struct Bf16Tile {
  static constexpr int kWarpColumns = kColumns == 32 ? 1 : 2, kWarpRows = 8 / kWarpColumns;
  static constexpr int kM = kRows / kWarpRows / 16, kN = kColumns / kWarpColumns / 8;
  static constexpr int kRowPieces = kRows * 4 / kThreads, kColumnPieces = (kColumns * 4 + kThreads - 1) / kThreads;

  const FrameCall& call;
  cuda::Shared<uint8_t> stages;
  WindowOrigin origins[kRowPieces];
  WindowPlace place;
  int first_input;

  RUSHES_DEVICE explicit Bf16Tile(const FrameCall& call)
      : call(call),
        stages(cuda::shared_memory<uint8_t>(0, kStages * bf16_stage_bytes(kRows, kColumns))),
        first_input(cuda::block_z() * call.stride_time) {
#pragma unroll
    for (int i = 0; i < kRowPieces; ++i)
      origins[i] = WindowOrigin::of(call, cuda::block_x() * kRows + cuda::thread_index() / 4 + i * (kThreads / 4));
    place.skip_zero_frames(call, first_input);
  }

  /// Begins the copies of the present step into a stage, and goes to the next step.
  RUSHES_DEVICE void load(int stage) {
    const int chunk = cuda::thread_index() % 4, row = cuda::thread_index() / 4, channel = place.channel + chunk * 8;
    const cuda::Shared<uint8_t> to = stages.part(stage * bf16_stage_bytes(kRows, kColumns));
    const auto* frame = static_cast<const uint8_t*>(call.x[first_input + place.time]) + channel * 2;
    const bool has_channel = channel < call.channels;
#pragma unroll
    for (int i = 0; i < kRowPieces; ++i) {
      const int pixel = origins[i].pixel_at(call, place);
      const bool valid = pixel >= 0 && has_channel;
      cuda::copy_async(to, stage_place(row + i * (kThreads / 4), chunk),
                       frame + (valid ? static_cast<int64_t>(pixel) * call.channels * 2 : 0), valid);
    }
    const auto* weights = static_cast<const uint8_t*>(call.weights) +
                          ((static_cast<int64_t>(place.tap(call)) * call.padded_outputs + cuda::block_y() * kColumns) *
                               call.padded_channels +
                           channel) *
                              2;
#pragma unroll
    for (int i = 0; i < kColumnPieces; ++i) {
      const int column = row + i * (kThreads / 4);
      if (column < kColumns)
        cuda::copy_async(to, kRows * 64 + stage_place(column, chunk),
                         weights + static_cast<int64_t>(column) * call.padded_channels * 2);
    }
    place.advance(call, first_input, kStepChannels);
  }

  RUSHES_DEVICE void multiply(float (&sums)[kM][kN][4], int stage) const {
    const cuda::Shared<uint8_t> from = stages.part(stage * bf16_stage_bytes(kRows, kColumns));
    const int lane = cuda::lane_index(), warp = cuda::warp_index();
    const int row = warp / kWarpColumns * (kM * 16) + lane % 16;
    const int column = warp % kWarpColumns * (kN * 8) + lane % 8 + lane / 16 * 8;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      uint32_t a[kM][4];
#pragma unroll
      for (int m = 0; m < kM; ++m) cuda::load_matrix<4>(a[m], from, stage_place(row + m * 16, 2 * half + lane / 16));
#pragma unroll
      for (int n = 0; n < kN; n += 2) {
        uint32_t b[4];
        cuda::load_matrix<4>(b, from, kRows * 64 + stage_place(column + n * 8, 2 * half + lane / 8 % 2));
        const uint32_t left[2] = {b[0], b[1]}, right[2] = {b[2], b[3]};
#pragma unroll
        for (int m = 0; m < kM; ++m) {
          cuda::mma_bf16(sums[m][n], a[m], left);
          cuda::mma_bf16(sums[m][n + 1], a[m], right);
        }
      }
    }
  }

  RUSHES_DEVICE void store(const float (&sums)[kM][kN][4]) const {
    const int lane = cuda::lane_index(), warp = cuda::warp_index();
    const int row = cuda::block_x() * kRows + warp / kWarpColumns * (kM * 16) + lane / 4;
    const int column = cuda::block_y() * kColumns + warp % kWarpColumns * (kN * 8) + lane % 4 * 2;
#pragma unroll
    for (int m = 0; m < kM; ++m)
#pragma unroll
      for (int half = 0; half < 2; ++half)
#pragma unroll
        for (int n = 0; n < kN; ++n)
          store_outputs(call, cuda::block_z(), row + m * 16 + half * 8, column + n * 8, sums[m][n][2 * half],
                        sums[m][n][2 * half + 1]);
  }
};

template <int kRows, int kColumns>
RUSHES_KERNEL(kThreads, 1)
convolve_bf16(const FrameCall call) {
  using Tile = Bf16Tile<kRows, kColumns>;
  Tile tile(call);
  const int steps = window_steps(call, tile.first_input, kStepChannels);
  for (int step = 0; step < kStages - 1; ++step) {
    if (step < steps) tile.load(step);
    cuda::copy_async_commit();
  }
  float sums[Tile::kM][Tile::kN][4] = {};
  for (int step = 0; step < steps; ++step) {
    cuda::copy_async_wait<kStages - 2>();
    cuda::sync_block();  // the step's copies are there, and nobody reads the stage that is filled next
    if (step + kStages - 1 < steps) tile.load((step + kStages - 1) % kStages);
    cuda::copy_async_commit();
    tile.multiply(sums, step % kStages);
  }
  tile.store(sums);
}

}  // namespace rushes::convolution_tiles
