// Benchmark cases of the linear operation: Wan 1.3B's layers, int8 with the quantization of activations included, and
// bf16.
#include "engine/bench/measure.h"
#include "ops/linear/packed_linear.h"
#include "runtime/random.h"

namespace rushes {
namespace {

// Uniform values from a multiplicative congruence: random enough for a benchmark and filled in milliseconds.
Tensor filled(const Context& context, Shape shape, uint32_t seed, float scale) {
  Tensor out = context.allocate(DType::bf16, std::move(shape));
  const int64_t count = out.count();
  auto* data = out.data<bf16>();
#pragma omp parallel for num_threads(context.threads)
  for (int64_t i = 0; i < count; ++i) {
    uint64_t word = (static_cast<uint64_t>(i) + seed + 1) * 0x9e3779b97f4a7c15ull;
    word = (word ^ (word >> 29)) * 0xbf58476d1ce4e5b9ull;
    data[i] = bf16(scale * (static_cast<float>(word >> 40) * 0x1p-23f - 1.0f));
  }
  return out;
}

TensorView view_of(const Tensor& tensor) { return {"weight", tensor.type(), tensor.shape(), tensor.raw()}; }

struct Layer {
  int64_t depth, outputs;
};

void bench_layer(Bench& bench, LinearFormat format, int64_t rows, const Layer& layer) {
  const bool int8 = format == LinearFormat::int8_tiles;
  const std::string operation = int8 ? "int8 linear" : "bf16 linear";
  const std::string shape =
      std::to_string(rows) + "x" + std::to_string(layer.depth) + "x" + std::to_string(layer.outputs);
  if (!bench.wanted(operation, shape)) return;
  const Context context = bench.context(DType::bf16);
  const Tensor weight = filled(context, {layer.outputs, layer.depth}, 1, 0.05f);
  const Tensor bias = filled(context, {layer.outputs}, 2, 1.0f);
  const Tensor x = filled(context, {rows, layer.depth}, 3, 2.0f);
  const LinearSource source{"bench", view_of(weight), {}, view_of(bias)};
  const auto prepared = prepare_linear(context, source, format);
  Tensor out = context.allocate(DType::bf16, {rows, layer.outputs});

  BenchCase c;
  c.operation = operation;
  c.shape = shape;
  c.kernel = choose_kernel(linear_kernels(format, DType::bf16), context).info.name;
  c.ceiling = int8 ? CeilingKind::int8 : CeilingKind::bf16;
  c.work = 2.0 * static_cast<double>(rows) * static_cast<double>(layer.depth) * static_cast<double>(layer.outputs);
  c.asked = int8 ? bench.asked(0.65, 0.40) : bench.asked(0.75, 0.55);
  c.tolerance = 2e-5;  // both are rounded to bf16 once; a sum on a rounding edge may go either way
  c.run = [&] { linear(context, x, *prepared, out); };
  c.error = [&] {  // the last rows, odd count: the row tail of the last tile is in them
    const int64_t first = (rows - 1) / 128 * 128, count = std::min<int64_t>(rows - first, 9);
    const Context plain = bench.reference_context(DType::bf16);
    Tensor all = context.allocate(DType::f32, {rows - first, layer.outputs});
    linear(context, x.rows(first, rows), *prepared, all);
    Tensor wanted = plain.allocate(DType::f32, {rows - first, layer.outputs});
    linear(plain, x.rows(first, rows), *prepare_linear(plain, source, format), wanted);
    return check::relative_error(all.rows(0, count), wanted.rows(0, count));
  };
  bench.measure(std::move(c));
}

}  // namespace

void bench_linear(Bench& bench) {
  constexpr Layer kLayers[] = {{1536, 1536}, {1536, 8960}, {8960, 1536}};
  for (const LinearFormat format : {LinearFormat::int8_tiles, LinearFormat::bf16})
    for (const int64_t rows : bench.token_counts())
      for (const Layer& layer : kLayers) bench_layer(bench, format, rows, layer);
}

}  // namespace rushes
