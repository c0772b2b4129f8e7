// A linear layer of at most eight rows: reading the weights once is all the work. Each warp makes two outputs of every
// row, its lanes share the depth, and their sums meet in a tree of shuffles.
#include "cuda/launch.h"
#include "ops/linear/finish_cuda.cuh"
#include "ops/linear/plain_rows_cuda.cuh"

namespace rushes::cuda {
namespace {

constexpr int kOutputs = 2;  // of a warp
static_assert(kDotOutputs == kOutputs * kDotThreads / 32);

template <int kRows>
RUSHES_KERNEL(kDotThreads, kRows > 4 ? 4 : 8)
multiply_few(PlainOperands operands, LinearOutput output) {
  const PlainRows x = plain_x(operands), weights = plain_weights(operands);
  const int first = (block_x() * (kDotThreads / 32) + warp_index()) * kOutputs;
  if (first >= output.outputs) return;
  float sums[kRows][kOutputs];
#pragma unroll
  for (int r = 0; r < kRows; ++r)
#pragma unroll
    for (int n = 0; n < kOutputs; ++n) sums[r][n] = 0;
  // Two groups of four depths at a time: two independent reads of every row of weights.
  for (int k = lane_index() * 4; k < operands.depth; k += 256) {
    float w[2][kOutputs][4];
#pragma unroll
    for (int group = 0; group < 2; ++group)
#pragma unroll
      for (int n = 0; n < kOutputs; ++n)
        weights.four(first + n < output.outputs ? first + n : first, k + group * 128, w[group][n]);
#pragma unroll
    for (int group = 0; group < 2; ++group)
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        float values[4];
        x.four(r, k + group * 128, values);
#pragma unroll
        for (int n = 0; n < kOutputs; ++n)
#pragma unroll
          for (int e = 0; e < 4; ++e) sums[r][n] = fused(values[e], w[group][n][e], sums[r][n]);
      }
  }
  float mine = 0;  // lane i of the warp finishes sum i
#pragma unroll
  for (int r = 0; r < kRows; ++r)
#pragma unroll
    for (int n = 0; n < kOutputs; ++n) {
      float sum = sums[r][n];
#pragma unroll
      for (int distance = 16; distance > 0; distance /= 2) sum = add(sum, shuffle_xor(sum, distance));
      if (lane_index() == r * kOutputs + n) mine = sum;
    }
  const int row = lane_index() / kOutputs, column = first + lane_index() % kOutputs;
  if (row < kRows && column < output.outputs) finish_one(output, row, column, mine);
}

}  // namespace

void launch_dot_linear(StreamHandle stream, const LinearChoice& choice, const PlainOperands& operands,
                       const LinearOutput& output) {
  const auto start = [&](auto kernel) {
    launch(stream, "linear of few rows", kernel, Grid{choice.grid}, kDotThreads, 0, operands, output);
  };
  switch (output.rows) {
    case 1:
      return start(multiply_few<1>);
    case 2:
      return start(multiply_few<2>);
    case 3:
      return start(multiply_few<3>);
    case 4:
      return start(multiply_few<4>);
    case 5:
      return start(multiply_few<5>);
    case 6:
      return start(multiply_few<6>);
    case 7:
      return start(multiply_few<7>);
    default:
      return start(multiply_few<8>);
  }
}

}  // namespace rushes::cuda
