#include "models/wan_dit/wan_dit_time.h"

#include <cmath>

#include "ops/elementwise/elementwise.h"
#include "runtime/transfer.h"

namespace rushes {
namespace {

// [cos(t w_0), ..., sin(t w_0), ...], w_i = 10000^(-i/half), in float64.
Tensor sinusoid(const Context& context, float timestep, int64_t width) {
  Tensor out = context.on_host().allocate(DType::f32, {1, width});
  if (context.dry_run) return to_device(context, out);
  const int64_t half = width / 2;
  for (int64_t i = 0; i < half; ++i) {
    const double angle = timestep * std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(half));
    out.data<float>()[i] = static_cast<float>(std::cos(angle));
    out.data<float>()[half + i] = static_cast<float>(std::sin(angle));
  }
  return to_device(context, out);
}

// x f32 [1, K] as three bf16 rows whose sum is x to its last bit: 3 x 8 bits of mantissa hold float's 24.
Tensor split_in_three(const Context& context, const Tensor& given) {
  const Tensor x = to_host(context, given);
  Tensor rows = context.on_host().allocate(DType::bf16, {3, x.size(1)});
  if (context.dry_run) return to_device(context, rows);
  for (int64_t i = 0; i < x.size(1); ++i) {
    float rest = x.data<float>()[i];
    for (int64_t row = 0; row < 3; ++row) {
      const bf16 part(rest);
      rows.data<bf16>()[row * x.size(1) + i] = part;
      rest -= part;
    }
  }
  return to_device(context, rows);
}

}  // namespace

TimeEmbedding::TimeEmbedding(const WanDitLoader& loader)
    : first_(layer(loader, "time_embedding.0")),
      second_(layer(loader, "time_embedding.2")),
      projection_(layer(loader, "time_projection.1")) {}

TimeEmbedding::Layer TimeEmbedding::layer(const WanDitLoader& loader, const std::string& name) {
  Layer out{{loader.linear(name, loader.plain_format(), false)}, loader.tensor(name + ".bias")};
  out.bias = out.bias.reshaped({1, out.bias.count()});
  return out;
}

// The weights stay in bf16 where the file's are; a product of bf16 rows with f32 sums is then as exact as f32.
Tensor TimeEmbedding::apply(const Context& context, const Layer& layer, const Tensor& x) {
  const Linear& weights = *layer.linear.weights;
  const bool rounds = weights.format == LinearFormat::bf16 && context.compute == DType::bf16;
  const Tensor rows = rounds ? split_in_three(context, x) : x;
  Tensor products = context.allocate(DType::f32, {rows.size(0), weights.out_features});
  linear(context, rows, weights, products);
  Tensor out = context.allocate(DType::f32, layer.bias.shape());
  add(context, layer.bias, products.rows(0, 1), out);
  for (int64_t row = 1; row < rows.size(0); ++row) add(context, out, products.rows(row, row + 1), out);
  if (layer.linear.change) add(context, out, layer.linear.change->product()(context, x), out);
  return out;
}

DitTime TimeEmbedding::operator()(const Context& context, float timestep) const {
  Tensor hidden = apply(context, first_, sinusoid(context, timestep, first_.linear.weights->in_features));
  silu(context, hidden, hidden);
  DitTime time;
  time.embedding = apply(context, second_, hidden);
  Tensor gated = context.allocate(DType::f32, time.embedding.shape());
  silu(context, time.embedding, gated);
  time.modulation = apply(context, projection_, gated).reshaped({6, time.embedding.count()});
  return time;
}

}  // namespace rushes
