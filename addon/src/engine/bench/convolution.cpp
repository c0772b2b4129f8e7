// Benchmark cases of the convolution: the causal 3x3x3 layers of Wan's VAE at a 480p frame, and the 2-D ones around its
// doublings, one output frame each, as a decode runs them.
#include "engine/bench/measure.h"
#include "ops/convolution/convolution_packed.h"
#include "runtime/random.h"

namespace rushes {
namespace {

// Uniform values from a multiplicative congruence: random enough for a benchmark and filled in milliseconds.
Tensor filled(const Context& context, Shape shape, uint64_t seed, float scale, DType type) {
  Tensor out = context.allocate(type, std::move(shape));
  const int64_t count = out.count();
#pragma omp parallel for num_threads(context.threads)
  for (int64_t i = 0; i < count; ++i) {
    const uint64_t word = (static_cast<uint64_t>(i) + seed) * 0x9e3779b97f4a7c15ull;
    const float value = scale * (static_cast<float>((word ^ (word >> 29)) >> 40 & 0xffffff) * 0x1p-23f - 1.0f);
    if (type == DType::f32)
      out.data<float>()[i] = value;
    else
      out.data<bf16>()[i] = bf16(value);
  }
  return out;
}

struct Layer {
  int64_t in, out, height, width;  // of the output frame
  int kernel_time;
};

constexpr ConvolutionShape kSame = {.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1};

FrameList frames(const Context& context, const Layer& layer, int64_t height, int64_t width, DType type) {
  FrameList list;
  for (int t = 0; t < layer.kernel_time; ++t)
    list.push_back(filled(context, {height, width, layer.in}, 10 + static_cast<uint64_t>(t), 1, type));
  return list;
}

void bench_layer(Bench& bench, DType compute, const Layer& layer) {
  const std::string operation = compute == DType::bf16 ? "bf16 convolution" : "f32 convolution";
  const std::string shape = std::to_string(layer.kernel_time) + "x3x3 " + std::to_string(layer.in) + "-" +
                            std::to_string(layer.out) + " " + std::to_string(layer.width) + "x" +
                            std::to_string(layer.height);
  if (!bench.wanted(operation, shape)) return;
  const Context context = bench.context(compute), plain = bench.reference_context(compute);
  const Tensor weight = filled(context, {layer.out, layer.in, layer.kernel_time, 3, 3}, 1, 0.05f, DType::bf16);
  const TensorView view{"bench", weight.type(), weight.shape(), weight.raw()};
  const auto packed = prepare_convolution(context, view, nullptr);
  const FrameList x = frames(context, layer, layer.height, layer.width, compute);
  FrameList out = {context.allocate(DType::f32, {layer.height, layer.width, layer.out})};

  BenchCase c;
  c.operation = operation;
  c.shape = shape;
  c.kernel = choose_kernel(convolution_tiles::convolution_kernels(compute), context).info.name;
  c.ceiling = compute == DType::bf16 ? CeilingKind::bf16 : CeilingKind::f32;
  c.work = 2.0 * static_cast<double>(layer.height * layer.width) * static_cast<double>(layer.out) *
           static_cast<double>(layer.in) * 9 * layer.kernel_time;
  if (compute == DType::bf16) c.asked = bench.asked(0.55, 0.35);
  c.tolerance = 1e-5;
  c.run = [&] { convolution(context, x, *packed, kSame, nullptr, out); };
  c.error = [&] {  // a small frame of the same layer
    const FrameList small = frames(context, layer, 3, 37, compute);
    FrameList got = {context.allocate(DType::f32, {3, 37, layer.out})},
              wanted = {context.allocate(DType::f32, {3, 37, layer.out})};
    convolution(context, small, *packed, kSame, nullptr, got);
    convolution(plain, small, *prepare_convolution(plain, view, nullptr), kSame, nullptr, wanted);
    return check::relative_error(got[0], wanted[0]);
  };
  bench.measure(std::move(c));
}

}  // namespace

void bench_convolution(Bench& bench) {
  const int64_t part = bench.options().quick ? 4 : 1;
  for (const DType compute : {DType::bf16, DType::f32})
    for (Layer layer : {Layer{96, 96, 480, 832, 3}, Layer{192, 192, 240, 416, 3}, Layer{384, 384, 120, 208, 3},
                        Layer{384, 384, 60, 104, 3}, Layer{192, 96, 480, 832, 1}}) {
      layer.height /= part;
      layer.width /= part;
      bench_layer(bench, compute, layer);
    }
}

}  // namespace rushes
