// The reference: plain loops over whole arrays, float64 sums for f32 and bf16, TurboDiffusion's definition for int8.
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/linear/linear_cuda.h"
#include "ops/linear/packed_linear.h"

namespace rushes {
namespace {

class ReferenceLinear final : public RunnableLinear {
 public:
  ReferenceLinear(const Context& context, const LinearSource& source, LinearFormat wanted);
  void run(const Context& context, const Tensor& x, Tensor& out, const Epilogue& epilogue) const override;

 private:
  void row_sums(const float* row, double* sums) const;
  void run_float(const Context& context, const Tensor& x, Tensor& out, const Epilogue& epilogue) const;
  void run_int8(const Context& context, const Tensor& x, Tensor& out, const Epilogue& epilogue) const;

  Tensor weights_;  // f32 [K, N] (transposed: the inner loop runs over outputs), or i8 [N, K]
  Tensor scales_;   // int8: f32 [ceil(N/128), K/128]
  Tensor bias_;     // f32 [N]
};

float bf16_rounded(float value) { return static_cast<float>(bf16(value)); }

float element(const Tensor& x, int64_t index) {
  return x.type() == DType::bf16 ? static_cast<float>(x.data<bf16>()[index]) : x.data<float>()[index];
}

double activate(double y, Activation activation) {
  switch (activation) {
    case Activation::none:
      return y;
    case Activation::silu:
      return y / (1 + std::exp(-y));
    case Activation::gelu_tanh:
      return 0.5 * y * (1 + std::tanh(0.79788456080286536 * (y + 0.044715 * y * y * y)));
  }
  return y;
}

void put(double y, const Epilogue& epilogue, Tensor& out, int64_t row, int64_t column) {
  const int64_t index = row * out.size(1) + column;
  if (epilogue.addend) y += element(*epilogue.addend, index);
  const auto value = static_cast<float>(activate(y, epilogue.activation));
  if (epilogue.accumulate)
    out.data<float>()[index] += (epilogue.gate ? epilogue.gate->data<float>()[column] : 1.0f) * value;
  else if (out.type() == DType::bf16)
    out.data<bf16>()[index] = bf16(value);
  else
    out.data<float>()[index] = value;
}

ReferenceLinear::ReferenceLinear(const Context& context, const LinearSource& source, LinearFormat wanted) {
  name = source.name;
  format = wanted;
  out_features = source.weight.shape[0];
  in_features = source.weight.shape[1];
  const int64_t row_tiles = (out_features + kTile - 1) / kTile, depth_tiles = (in_features + kTile - 1) / kTile;
  const bool int8 = format == LinearFormat::int8_tiles;
  weights_ = context.allocate(int8 ? DType::i8 : DType::f32, {out_features, in_features}, MemoryUse::weights);
  if (int8) scales_ = context.allocate(DType::f32, {row_tiles, depth_tiles}, MemoryUse::weights);
  bias_ = load_bias(context, source, out_features);
  resident_bytes = weights_.bytes() + (int8 ? scales_.bytes() : 0) + (bias_.defined() ? bias_.bytes() : 0);
  if (context.dry_run) return;
  const WeightTiles tiles(source);
#pragma omp parallel for collapse(2) num_threads(context.threads)
  for (int64_t row_tile = 0; row_tile < row_tiles; ++row_tile) {
    for (int64_t depth_tile = 0; depth_tile < depth_tiles; ++depth_tile) {
      std::vector<float> values(kTile * kTile);
      std::vector<int8_t> q(kTile * kTile);
      if (int8)
        scales_.data<float>()[row_tile * depth_tiles + depth_tile] = tiles.read_int8(row_tile, depth_tile, q.data());
      else
        tiles.read(row_tile, depth_tile, values.data());
      for (int64_t n = row_tile * kTile; n < std::min(out_features, (row_tile + 1) * kTile); ++n)
        for (int64_t k = depth_tile * kTile; k < std::min(in_features, (depth_tile + 1) * kTile); ++k) {
          const int64_t at = n % kTile * kTile + k % kTile;
          if (int8)
            weights_.data<int8_t>()[n * in_features + k] = q[at];
          else
            weights_.data<float>()[k * out_features + n] =
                format == LinearFormat::bf16 ? bf16_rounded(values[at]) : values[at];
        }
    }
  }
}

void ReferenceLinear::run(const Context& context, const Tensor& x, Tensor& out, const Epilogue& epilogue) const {
  const bool int8 = format == LinearFormat::int8_tiles;
  if (context.work)
    (int8 ? context.work->int8_ops : context.work->f32_ops) += 2.0 * x.size(0) * in_features * out_features;
  if (int8)
    run_int8(context, x, out, epilogue);
  else
    run_float(context, x, out, epilogue);
}

// sums[n] = sum over k of row[k] * W[n][k], in float64, k rising.
void ReferenceLinear::row_sums(const float* row, double* sums) const {
  constexpr int64_t kColumns = 1024;  // sums of this many outputs stay in the first-level cache
  std::fill(sums, sums + out_features, 0.0);
  for (int64_t first = 0; first < out_features; first += kColumns) {
    const int64_t last = std::min(out_features, first + kColumns);
    for (int64_t k = 0; k < in_features; ++k) {
      const float* weights = weights_.data<float>() + k * out_features;
      for (int64_t n = first; n < last; ++n) sums[n] += static_cast<double>(row[k]) * weights[n];
    }
  }
}

void ReferenceLinear::run_float(const Context& context, const Tensor& x, Tensor& out, const Epilogue& epilogue) const {
  const int64_t rows = x.size(0);
  const bool round = format == LinearFormat::bf16 && context.compute == DType::bf16;
  Tensor row_scratch = context.allocate(DType::f32, {context.threads, in_features});
  Tensor sum_scratch = context.allocate(DType::f64, {context.threads, out_features});
  if (context.dry_run) return;
#pragma omp parallel for schedule(dynamic) num_threads(context.threads)
  for (int64_t m = 0; m < rows; ++m) {
    if (context.is_cancelled()) continue;
    float* row = row_scratch.data<float>() + omp_get_thread_num() * in_features;
    double* sums = sum_scratch.data<double>() + omp_get_thread_num() * out_features;
    for (int64_t k = 0; k < in_features; ++k)
      row[k] = round ? bf16_rounded(element(x, m * in_features + k)) : element(x, m * in_features + k);
    row_sums(row, sums);
    for (int64_t n = 0; n < out_features; ++n)
      put(bias_.defined() ? sums[n] + bias_.data<float>()[n] : sums[n], epilogue, out, m, n);
  }
  context.check_cancelled();
}

void ReferenceLinear::run_int8(const Context& context, const Tensor& x, Tensor& out, const Epilogue& epilogue) const {
  const int64_t rows = x.size(0), tiles = in_features / kTile;
  Tensor q = context.allocate(DType::i8, {rows, in_features});
  Tensor scale = context.allocate(DType::f32, {(rows + kTile - 1) / kTile, tiles});
  if (context.dry_run) return;
  quantize_tiles(context, x, q, scale);
#pragma omp parallel for schedule(dynamic) num_threads(context.threads)
  for (int64_t m = 0; m < rows; ++m) {
    for (int64_t n = 0; n < out_features && !context.is_cancelled(); ++n) {
      float sum = 0;
      for (int64_t tile = 0; tile < tiles; ++tile) {
        const int8_t* a = q.data<int8_t>() + m * in_features + tile * kTile;
        const int8_t* w = weights_.data<int8_t>() + n * in_features + tile * kTile;
        int32_t product = 0;
        for (int k = 0; k < kTile; ++k) product += int32_t{a[k]} * w[k];
        const float scales =
            scale.data<float>()[m / kTile * tiles + tile] * scales_.data<float>()[n / kTile * tiles + tile];
        const float part = static_cast<float>(product) * scales;
        sum = tile == 0 ? part : sum + part;
      }
      put(bias_.defined() ? sum + bias_.data<float>()[n] : sum, epilogue, out, m, n);
    }
  }
  context.check_cancelled();
}

}  // namespace

void quantize_tiles(const Context& context, const Tensor& x, Tensor& q, Tensor& scale) {
  const int64_t rows = x.size(0), columns = x.size(1);
  const int64_t row_tiles = (rows + kTile - 1) / kTile, column_tiles = (columns + kTile - 1) / kTile;
  if (q.type() != DType::i8 || q.count() != x.count() || scale.type() != DType::f32 ||
      scale.count() != row_tiles * column_tiles)
    throw Error("engine.internal", "The tile quantizer was given outputs of another shape than its input's.");
  if (context.dry_run) return;
  if (context.backend == Backend::cuda) {
    quantize_tiles_cuda(context, x, q, scale);
    return;
  }
#pragma omp parallel for collapse(2) num_threads(context.threads)
  for (int64_t i = 0; i < row_tiles; ++i) {
    for (int64_t j = 0; j < column_tiles; ++j) {
      const int64_t row_end = std::min(rows, (i + 1) * kTile), column_end = std::min(columns, (j + 1) * kTile);
      float a = 1e-8f;
      bool finite = true;
      for (int64_t r = i * kTile; r < row_end; ++r)
        for (int64_t c = j * kTile; c < column_end; ++c) {
          const float magnitude = std::fabs(bf16_rounded(element(x, r * columns + c)));
          finite = finite && std::isfinite(magnitude);
          a = std::max(a, magnitude);
        }
      const float factor = 128.0f / a;
      for (int64_t r = i * kTile; r < row_end; ++r)
        for (int64_t c = j * kTile; c < column_end; ++c) {
          const float y = std::nearbyintf(bf16_rounded(element(x, r * columns + c)) * factor);
          q.data<int8_t>()[r * columns + c] = finite ? static_cast<int8_t>(std::clamp(y, -128.0f, 127.0f)) : int8_t{0};
        }
      scale.data<float>()[i * column_tiles + j] = finite ? a / 128.0f : NAN;
    }
  }
}

std::shared_ptr<RunnableLinear> make_reference_linear(const Context& context, const LinearSource& source,
                                                      LinearFormat format) {
  return std::make_shared<ReferenceLinear>(context, source, format);
}

}  // namespace rushes
