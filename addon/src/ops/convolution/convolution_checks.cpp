// Every convolution and channel-norm kernel against the reference, on shapes with odd sizes, strides and paddings.
#include "ops/check_context.h"
#include "ops/convolution/convolution_packed.h"
#include "runtime/random.h"

namespace rushes {
namespace {

using namespace convolution_tiles;

struct Case {
  int64_t frames, height, width, in, out;
  int kernel_time, kernel_height, kernel_width;
  ConvolutionShape shape;
  bool residual, zero_frames;
};

const Case kCases[] = {
    {3, 5, 13, 20, 33, 3, 3, 3, {.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1}, true, true},
    {1, 4, 21, 96, 96, 1, 3, 3, {.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1}, false, false},
    {2, 7, 9, 16, 64, 1, 3, 3, {.stride_space = 2, .pad_bottom = 1, .pad_right = 1}, false, false},
    {5, 3, 10, 32, 24, 3, 1, 1, {.stride_time = 2}, false, false},
    {1, 6, 30, 3, 16, 1, 3, 3, {.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1}, false, false},
    {1,
     3,
     5,
     48,
     3,
     1,
     3,
     3,
     {.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1, .doubled = true},
     true,
     false},
    {1, 2, 40, 200, 7, 1, 1, 1, {}, true, false},
};

std::string text(const Case& c) {
  return std::to_string(c.frames) + "x" + std::to_string(c.height) + "x" + std::to_string(c.width) + " " +
         std::to_string(c.in) + " -> " + std::to_string(c.out) + ", kernel " + std::to_string(c.kernel_time) + "x" +
         std::to_string(c.kernel_height) + "x" + std::to_string(c.kernel_width) +
         (c.shape.stride_space > 1 || c.shape.stride_time > 1 ? ", strided" : "") +
         (c.shape.doubled ? ", doubled" : "");
}

TensorView view_of(const Tensor& tensor) { return {"check", tensor.type(), tensor.shape(), tensor.raw()}; }

constexpr KernelInfo kPlain{{}, {}, Backend::reference};

double run_convolution(const KernelEntry& entry, const Case& c, DType compute, int threads) {
  const Context plain = check::context_for(kPlain, threads), context = check::context_for(entry.info, threads, compute);
  const Tensor weight =
      check::random_tensor(plain, {c.out, c.in, c.kernel_time, c.kernel_height, c.kernel_width}, 1, 0.1f, DType::bf16);
  const Tensor bias = check::random_tensor(plain, {c.out}, 2);
  const TensorView weight_view = view_of(weight), bias_view = view_of(bias);
  FrameList x;
  for (int64_t t = 0; t < c.frames; ++t)
    x.push_back(c.zero_frames && t == 0
                    ? Tensor()
                    : check::random_tensor(plain, {c.height, c.width, c.in}, 3 + static_cast<uint64_t>(t), 1, compute));
  const int64_t doubling = c.shape.doubled ? 2 : 1;
  const int64_t height =
      (c.height * doubling + c.shape.pad_top + c.shape.pad_bottom - c.kernel_height) / c.shape.stride_space + 1;
  const int64_t width =
      (c.width * doubling + c.shape.pad_left + c.shape.pad_right - c.kernel_width) / c.shape.stride_space + 1;
  const int64_t frames = (c.frames - c.kernel_time) / c.shape.stride_time + 1;
  FrameList residual, out, expected;
  for (int64_t t = 0; t < frames; ++t) {
    residual.push_back(check::random_tensor(plain, {height, width, c.out}, 90 + static_cast<uint64_t>(t)));
    out.push_back(context.allocate(DType::f32, {height, width, c.out}));
    expected.push_back(plain.allocate(DType::f32, {height, width, c.out}));
  }
  const FrameList* added = c.residual ? &residual : nullptr;
  const auto reference = pack(plain, convolution_kernels(DType::f32)[0], weight_view, &bias_view);
  convolution(plain, x, *reference, c.shape, added, expected);
  const auto packed = pack(context, entry, weight_view, &bias_view);
  for (FrameList* list : {&x, &residual})
    for (Tensor& frame : *list) frame = to_device(context, frame);
  convolution(context, x, *packed, c.shape, added, out);
  double worst = 0;
  for (size_t t = 0; t < out.size(); ++t) worst = std::max(worst, check::relative_error(out[t], expected[t]));
  return worst;
}

double run_norm(const NormEntry& entry, int64_t channels, DType type) {
  const Context plain = check::context_for(kPlain, 1), context = check::context_for(entry.info, 1, type);
  const Tensor x = check::random_tensor(plain, {37, channels}, 5, 3, type),
               gamma = check::random_tensor(plain, {channels}, 6);
  const Tensor out = context.allocate(type, x.shape()), expected = plain.allocate(DType::f32, x.shape());
  const auto run = [&](const Context& on, const NormEntry& with, const Tensor& to) {
    const Tensor on_x = to_device(on, x), on_gamma = to_device(on, gamma);
    NormCall call;
    call.x = on_x.raw();
    call.x_bf16 = type == DType::bf16;
    call.gamma = on_gamma.data<float>();
    call.silu = true;
    call.pixels = 37;
    call.channels = channels;
    call.out = to.raw();
    call.out_bf16 = to.type() == DType::bf16;
    call.device = on.device;
    with.run(call);
  };
  run(plain, channel_norm_kernels().front(), expected);
  run(context, entry, out);
  return check::relative_error(out, expected);
}

}  // namespace

void convolution_tiles::append_kernel_checks(const KernelEntry& entry, DType compute,
                                             std::vector<KernelCheck>& checks) {
  for (const Case& c : kCases)
    checks.push_back({entry.info, text(c), 1e-5,
                      [entry, &c, compute](int threads) { return run_convolution(entry, c, compute, threads); }});
}

void append_convolution_checks(const CpuFeatures& features, std::vector<KernelCheck>& checks) {
  for (const DType compute : {DType::f32, DType::bf16})
    for (const auto& entry : convolution_kernels(compute))
      if (entry.info.backend != Backend::reference && check::can_check(entry.info, features))
        append_kernel_checks(entry, compute, checks);
  for (const auto& entry : channel_norm_kernels()) {
    if (entry.info.backend == Backend::reference || !check::can_check(entry.info, features)) continue;
    for (const int64_t channels : {16, 27, 384})
      for (const DType type : {DType::f32, DType::bf16})
        checks.push_back({entry.info, std::to_string(channels) + " channels, " + std::string(dtype_name(type)),
                          type == DType::f32 ? 1e-6 : 4e-3,
                          [&entry, channels, type](int) { return run_norm(entry, channels, type); }});
  }
}

}  // namespace rushes
