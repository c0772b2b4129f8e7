// The VAE's layers at a 480p frame: causal 3x3x3 convolutions, the 2-D ones after a doubling, the channel norm.
#include "bench/card/card_bench.h"
#include "ops/convolution/convolution.h"
#include "runtime/random.h"

namespace rushes::card {
namespace {

struct Layer {
  int64_t in, out, height, width;  // of the output frame
  int kernel_time;
};

FrameList frames(const Context& plain, const Layer& layer, int64_t height, int64_t width, DType type) {
  FrameList list;
  for (int t = 0; t < layer.kernel_time; ++t)
    list.push_back(filled(plain, {height, width, layer.in}, 10 + static_cast<uint32_t>(t), 1.0f, type));
  return list;
}

FrameList on(const Context& context, const FrameList& list) {
  FrameList moved;
  for (const Tensor& frame : list) moved.push_back(to_device(context, frame));
  return moved;
}

void layer_row(CardBench& bench, DType compute, const Layer& layer) {
  const std::string operation = compute == DType::bf16 ? "bf16 convolution" : "f32 convolution";
  const std::string shape = std::to_string(layer.kernel_time) + "x3x3 " + std::to_string(layer.in) + "-" +
                            std::to_string(layer.out) + " " + std::to_string(layer.width) + "x" +
                            std::to_string(layer.height);
  if (!bench.wanted(operation, shape)) return;
  constexpr ConvolutionShape kSame = {.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1};
  const Context context = bench.context(compute), plain = bench.reference_context(compute);
  const Tensor weight = filled(plain, {layer.out, layer.in, layer.kernel_time, 3, 3}, 1, 0.05f, DType::bf16);
  const TensorView view{"bench", weight.type(), weight.shape(), weight.raw()};
  const auto packed = prepare_convolution(context, view, nullptr);
  const FrameList x = on(context, frames(plain, layer, layer.height, layer.width, compute));
  FrameList out = {context.allocate(compute, {layer.height, layer.width, layer.out})};

  Row row{.operation = operation, .shape = shape, .kernel = "implicit product"};
  const double operations = 2.0 * static_cast<double>(layer.height * layer.width * layer.out) *
                            static_cast<double>(layer.in * 9 * layer.kernel_time);
  (compute == DType::bf16 ? row.needs.bf16_ops : row.needs.f32_ops) = operations;
  for (const Tensor& frame : x) row.needs.bytes += static_cast<double>(frame.bytes());
  row.needs.bytes += static_cast<double>(out[0].bytes() + packed->resident_bytes);
  row.tolerance = 1e-5;
  row.run = [&] { convolution(context, x, *packed, kSame, nullptr, out); };
  row.error = [&] {  // a small frame of the same layer, in f32
    const int64_t height = 3, width = 37;
    const FrameList few = frames(plain, layer, height, width, compute);
    FrameList got = {context.allocate(DType::f32, {height, width, layer.out})},
              wanted = {plain.allocate(DType::f32, {height, width, layer.out})};
    convolution(context, on(context, few), *packed, kSame, nullptr, got);
    convolution(plain, few, *prepare_convolution(plain, view, nullptr), kSame, nullptr, wanted);
    return check::relative_error(got[0], wanted[0]);
  };
  bench.measure(std::move(row));
}

void norm_row(CardBench& bench, int64_t channels, int64_t height, int64_t width) {
  const std::string shape = std::to_string(channels) + " " + std::to_string(width) + "x" + std::to_string(height);
  if (!bench.wanted("channel norm", shape)) return;
  const Context context = bench.context(), plain = bench.reference_context();
  const Tensor host_x = filled(plain, {1, height, width, channels}, 1, 1.0f, DType::bf16),
               host_gamma = filled(plain, {channels}, 2, 1.0f, DType::f32);
  const Tensor x = to_device(context, host_x), gamma = to_device(context, host_gamma);
  Tensor out = context.allocate(DType::bf16, x.shape());
  Row row{.operation = "channel norm", .shape = shape, .kernel = "channel norm and silu"};
  row.needs.bytes = static_cast<double>(x.bytes() + out.bytes());
  row.tolerance = 5e-4;
  row.run = [&] { channel_norm(context, x, gamma, true, out); };
  row.error = [&] {
    channel_norm(context, x, gamma, true, out);
    Tensor wanted = plain.allocate(DType::bf16, x.shape());
    channel_norm(plain, host_x, host_gamma, true, wanted);
    return check::relative_error(out, wanted);
  };
  bench.measure(std::move(row));
}

}  // namespace

void convolution_rows(CardBench& bench) {
  if (bench.options().tiny) {
    layer_row(bench, DType::bf16, {16, 24, 5, 7, 3});
    layer_row(bench, DType::f32, {8, 12, 5, 7, 1});
    norm_row(bench, 24, 5, 7);
    return;
  }
  for (const Layer& layer : {Layer{96, 96, 480, 832, 3}, Layer{192, 192, 240, 416, 3}, Layer{384, 384, 120, 208, 3},
                             Layer{384, 384, 60, 104, 3}, Layer{192, 96, 480, 832, 1}})
    layer_row(bench, DType::bf16, layer);
  layer_row(bench, DType::f32, {192, 192, 240, 416, 3});
  norm_row(bench, 96, 480, 832);
  norm_row(bench, 384, 120, 208);
}

}  // namespace rushes::card
