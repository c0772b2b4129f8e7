// What the kernels of the linear layers are given: plain data, passed to them by value, and the functions that start
// them.
#pragma once
#include <cstdint>

#include "cuda/host.h"
#include "cuda/kernel_choice.h"
#include "ops/linear/linear.h"

namespace rushes::cuda {

/// Where sums go and what happens to them on the way (Epilogue of linear.h).
struct LinearOutput {
  const float* bias;   // [outputs] or null
  const float* gate;   // [outputs] or null; with accumulate
  const void* addend;  // [rows][outputs] or null, f32 or bf16
  void* out;           // [rows][outputs], f32 or bf16
  int rows, outputs;
  int activation;  // Activation
  int accumulate;  // out is f32 and added to
  int is_bf16;
  int addend_is_bf16;
  int in_fours;  // four neighbouring outputs may move in one instruction: outputs % 4 == 0, all pointers aligned
};

/// Rows of x and rows of weights, both along the depth. Tile kernels: rows of `depth_bytes` bytes, a multiple of 16,
/// that begin at multiples of 16 bytes.
struct LinearOperands {
  const void* x;
  const void* weights;
  int64_t x_stride, weight_stride;  // bytes
  int depth_bytes;
  const float* row_scales;     // int8: [ceil(rows / 128)][depth / 128]
  const float* column_scales;  // int8: [ceil(outputs / 128)][depth / 128]
  int row_tiles, column_tiles, band;
};

/// Operands of the kernels that read f32 or bf16 as they come: `depth` elements a row, strides in elements.
struct PlainOperands {
  const void* x;
  const void* weights;
  int64_t x_stride, weight_stride;
  int depth;
  int x_is_bf16, weight_is_bf16;
  int round_x;                      // x is rounded to bf16 first
  int x_in_fours, weight_in_fours;  // rows begin at multiples of four elements' bytes
  int row_tiles, column_tiles, band;
};

void launch_mma_linear(StreamHandle stream, const LinearChoice& choice, LinearProduct product,
                       const LinearOperands& operands, const LinearOutput& output);
void launch_wgmma_linear(StreamHandle stream, const LinearChoice& choice, LinearProduct product,
                         const LinearOperands& operands, const LinearOutput& output);
void launch_fma_linear(StreamHandle stream, const LinearChoice& choice, const PlainOperands& operands,
                       const LinearOutput& output);
void launch_dot_linear(StreamHandle stream, const LinearChoice& choice, const PlainOperands& operands,
                       const LinearOutput& output);

/// x [rows][columns], f32 or bf16, dense -> q i8 [rows][columns] and scales [ceil(rows / 128)][ceil(columns / 128)];
/// `round` rounds x to bf16 first. A tile with a value that is not finite gets the scale NaN and zeros.
void launch_quantize(StreamHandle stream, const void* x, bool is_bf16, bool round, int64_t rows, int64_t columns,
                     int8_t* q, float* scales);

/// Rows of `columns` elements f32, bf16 or i8 with tile scales -> rows of `out_columns` elements f32 or bf16, zeros
/// after the columns. Scales count tiles of 128 x 128 from the first row; `scale_columns` tiles a row.
void launch_convert(StreamHandle stream, DType from_type, const void* from, const float* scales, int64_t scale_columns,
                    DType to_type, void* to, int64_t rows, int64_t columns, int64_t out_columns);

}  // namespace rushes::cuda
