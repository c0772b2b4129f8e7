// Rows of f32, bf16 or scaled int8 as rows of f32 or bf16: activations that enter bf16 products, and weights when a
// layer is prepared. Eight elements to a thread; rows come out with zeros up to a length that suits 16-byte copies.
#include "cuda/access_choice.h"
#include "cuda/launch.h"
#include "ops/linear/product_cuda.h"

namespace rushes::cuda {
namespace {

constexpr int kThreads = 256, kRun = 8;

struct ConvertParameters {
  const void* from;
  const float* scales;
  void* to;
  int64_t rows, columns, out_columns, scale_columns;
  int from_type, to_bf16;
  int in_runs;  // rows of `from` begin at multiples of 16 bytes (8 for int8)
};
enum From { kF32, kBf16, kInt8 };

RUSHES_DEVICE float element(const ConvertParameters& p, int64_t row, int64_t column) {
  const int64_t at = row * p.columns + column;
  if (p.from_type == kF32) return static_cast<const float*>(p.from)[at];
  if (p.from_type == kBf16) return from_bf16(static_cast<const uint16_t*>(p.from)[at]);
  return multiply(static_cast<float>(static_cast<const int8_t*>(p.from)[at]),
                  p.scales[row / 128 * p.scale_columns + column / 128]);
}

RUSHES_DEVICE void read_run(const ConvertParameters& p, int64_t row, int64_t column, float (&to)[kRun]) {
  if (!p.in_runs || column + kRun > p.columns || p.from_type == kInt8) {
#pragma unroll
    for (int i = 0; i < kRun; ++i) to[i] = column + i < p.columns ? element(p, row, column + i) : 0.0f;
    return;
  }
  const int64_t at = row * p.columns + column;
  if (p.from_type == kF32) {
    const Words4* from = reinterpret_cast<const Words4*>(static_cast<const float*>(p.from) + at);
    const Words4 low = from[0], high = from[1];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      to[i] = bits_float(low.word[i]);
      to[i + 4] = bits_float(high.word[i]);
    }
  } else {
    const Words4 four = *reinterpret_cast<const Words4*>(static_cast<const uint16_t*>(p.from) + at);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      to[i * 2] = bf16_low(four.word[i]);
      to[i * 2 + 1] = bf16_high(four.word[i]);
    }
  }
}

RUSHES_KERNEL(kThreads, 4)
convert(ConvertParameters p) {
  const int64_t runs = p.out_columns / kRun;
  const int64_t number = static_cast<int64_t>(block_x()) * kThreads + thread_index();
  if (number >= p.rows * runs) return;
  const int64_t row = number / runs, column = number % runs * kRun;
  float values[kRun];
  read_run(p, row, column, values);
  const int64_t at = row * p.out_columns + column;
  if (p.to_bf16) {
    Words4 out;
#pragma unroll
    for (int i = 0; i < 4; ++i) out.word[i] = pack_bf16(values[i * 2], values[i * 2 + 1]);
    *reinterpret_cast<Words4*>(static_cast<uint16_t*>(p.to) + at) = out;
    return;
  }
  Words4* to = reinterpret_cast<Words4*>(static_cast<float*>(p.to) + at);
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    Words4 out;
#pragma unroll
    for (int i = 0; i < 4; ++i) out.word[i] = float_bits(values[half * 4 + i]);
    to[half] = out;
  }
}

}  // namespace

void launch_convert(StreamHandle stream, DType from_type, const void* from, const float* scales, int64_t scale_columns,
                    DType to_type, void* to, int64_t rows, int64_t columns, int64_t out_columns) {
  ConvertParameters p = {};
  p.from = from;
  p.scales = scales;
  p.to = to;
  p.rows = rows;
  p.columns = columns;
  p.out_columns = out_columns;
  p.scale_columns = scale_columns;
  p.from_type = from_type == DType::f32 ? kF32 : from_type == DType::bf16 ? kBf16 : kInt8;
  p.to_bf16 = to_type == DType::bf16;
  p.in_runs = cuda::choose_run(kRun, columns, {{from, static_cast<int>(dtype_size(from_type))}}) == kRun;
  const int64_t blocks = (rows * (out_columns / kRun) + kThreads - 1) / kThreads;
  launch(stream, "conversion of rows", convert, Grid{static_cast<int>(blocks)}, kThreads, 0, p);
}

}  // namespace rushes::cuda
