// The convolution's GPU kernels beyond what every backend is checked for: each type of frame and result, tiles of every
// size, more frames than one launch takes, and the same bits in whatever order blocks run.
#include <doctest/doctest.h>

#include <cstring>
#include <string>

#include "cuda/emulator/host_emulator.h"
#include "ops/check_context.h"
#include "ops/convolution/convolution_cuda.h"
#include "runtime/random.h"
#include "runtime/transfer.h"

namespace rushes {
namespace {

using namespace convolution_tiles;
using cuda::emulator::BlockOrder;

struct Case {
  const char* text;
  int64_t frames, height, width, in, out;
  int kernel_time, kernel;
  ConvolutionShape shape;
  DType x, result, residual;
  int zero_frame;  // the frame of x that is zeros; -1: none
};

constexpr ConvolutionShape kSame = {.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1};
constexpr DType kF32 = DType::f32, kBf16 = DType::bf16;

const Case kCases[] = {
    {"large tiles of 96 outputs", 1, 49, 45, 16, 96, 1, 3, kSame, kBf16, kBf16, kF32, -1},
    {"large tiles of 128 outputs", 1, 46, 47, 32, 128, 1, 1, {}, kBf16, kF32, kBf16, -1},
    {"two tiles of 96 outputs, an odd one left", 3, 5, 9, 40, 193, 3, 3, kSame, kF32, kBf16, kBf16, 1},
    {"large tiles of 32 outputs", 1, 50, 46, 8, 12, 1, 3, kSame, kBf16, kF32, kF32, -1},
    {"more frames than a launch", 21, 4, 5, 8, 16, 3, 1, {}, kBf16, kBf16, kBf16, 7},
    {"strides in time and space",
     9,
     8,
     9,
     24,
     32,
     3,
     3,
     {.stride_time = 2, .stride_space = 2, .pad_bottom = 1},
     kF32,
     kF32,
     kF32,
     0},
    {"doubled, three channels",
     2,
     5,
     7,
     3,
     5,
     1,
     3,
     {.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1, .doubled = true},
     kF32,
     kBf16,
     kF32,
     -1},
};

struct Operands {
  Tensor weight, bias;
  FrameList x, residual;
  Shape out;
};

// Weights and frames that bf16 holds exactly, so that both types of arithmetic see the same numbers.
Operands operands_of(const Context& plain, const Case& c) {
  Operands o;
  o.weight = check::random_tensor(plain, {c.out, c.in, c.kernel_time, c.kernel, c.kernel}, 1, 0.1f, kBf16);
  o.bias = check::random_tensor(plain, {c.out}, 2);
  for (int64_t t = 0; t < c.frames; ++t) {
    const Tensor rounded =
        check::random_tensor(plain, {c.height, c.width, c.in}, 3 + static_cast<uint64_t>(t), 1, kBf16);
    Tensor frame = plain.allocate(c.x, rounded.shape());
    for (int64_t i = 0; i < frame.count(); ++i)
      if (c.x == kBf16)
        frame.data<bf16>()[i] = rounded.data<bf16>()[i];
      else
        frame.data<float>()[i] = rounded.data<bf16>()[i];
    o.x.push_back(t == c.zero_frame ? Tensor() : frame);
  }
  const int64_t doubling = c.shape.doubled ? 2 : 1;
  o.out = {(c.height * doubling + c.shape.pad_top + c.shape.pad_bottom - c.kernel) / c.shape.stride_space + 1,
           (c.width * doubling + c.shape.pad_left + c.shape.pad_right - c.kernel) / c.shape.stride_space + 1, c.out};
  for (int64_t t = 0; t < (c.frames - c.kernel_time) / c.shape.stride_time + 1; ++t)
    o.residual.push_back(check::random_tensor(plain, o.out, 90 + static_cast<uint64_t>(t), 1, c.residual));
  return o;
}

FrameList convolve_on(const Context& context, const KernelEntry& entry, const Case& c, const Operands& o,
                      DType result) {
  const auto view = [](const Tensor& t) { return TensorView{"check", t.type(), t.shape(), t.raw()}; };
  const TensorView weight = view(o.weight), bias = view(o.bias);
  const auto layer = pack(context, entry, weight, &bias);
  FrameList x, residual, out;
  for (const Tensor& frame : o.x) x.push_back(frame.defined() ? to_device(context, frame) : Tensor());
  for (const Tensor& frame : o.residual) {
    residual.push_back(to_device(context, frame));
    out.push_back(context.allocate(result, o.out));
  }
  convolution(context, x, *layer, c.shape, &residual, out);
  for (Tensor& frame : out) frame = to_host(context, frame);
  return out;
}

bool same_bits(const FrameList& a, const FrameList& b) {
  for (size_t t = 0; t < a.size(); ++t)
    if (std::memcmp(a[t].raw(), b[t].raw(), a[t].bytes())) return false;
  return true;
}

TEST_CASE("GPU convolutions take every type of frame, fill every tile, and no order of blocks changes a bit") {
  const Context plain = check::context_for({{}, {}, Backend::reference}, 2);
  for (const Case& c : kCases) {
    const Operands operands = operands_of(plain, c);
    const FrameList expected = convolve_on(plain, convolution_kernels(kF32)[0], c, operands, kF32);
    for (const DType compute : {kF32, kBf16}) {
      CAPTURE(c.text);
      CAPTURE(std::string(dtype_name(compute)));
      const KernelEntry entry = convolution_cuda_kernels(compute)[0];
      const Context context = check::context_for(entry.info, 1, compute);
      const FrameList out = convolve_on(context, entry, c, operands, c.result);
      for (size_t t = 0; t < out.size(); ++t)
        CHECK(check::relative_error(out[t], expected[t]) <= (c.result == kF32 ? 1e-5 : 3e-3));
      for (const auto order : {BlockOrder::reverse, BlockOrder::shuffled}) {
        cuda::emulator::set_block_order(order);
        CHECK(same_bits(convolve_on(context, entry, c, operands, c.result), out));
      }
      cuda::emulator::reset();
    }
  }
}

TEST_CASE("a GPU convolution writes over its own residual, and a clip is its frames") {
  const Case c = {"", 3, 6, 7, 16, 24, 3, 3, kSame, kBf16, kF32, kF32, -1};
  const Context plain = check::context_for({{}, {}, Backend::reference}, 1);
  const Operands o = operands_of(plain, c);
  const KernelEntry entry = convolution_cuda_kernels(kBf16)[0];
  const Context context = check::context_for(entry.info, 1, kBf16);
  const FrameList expected = convolve_on(context, entry, c, o, kF32);
  const TensorView weight = {"w", o.weight.type(), o.weight.shape(), o.weight.raw()},
                   bias = {"b", kF32, o.bias.shape(), o.bias.raw()};
  const auto layer = prepare_convolution(context, weight, &bias);
  Tensor clip = plain.allocate(kBf16, {3, c.height, c.width, c.in});
  for (size_t t = 0; t < 3; ++t)
    std::memcpy(clip.rows(static_cast<int64_t>(t), static_cast<int64_t>(t) + 1).raw(), o.x[t].raw(), o.x[t].bytes());
  Tensor out = to_device(context, o.residual[0].reshaped({1, o.out[0], o.out[1], o.out[2]}));
  const Tensor added = out;
  convolution(context, to_device(context, clip), *layer, c.shape, &added, out);
  CHECK(same_bits({to_host(context, out)}, expected));
}

TEST_CASE("GPU channel norms of every width agree with the reference, in place too") {
  const Context plain = check::context_for({{}, {}, Backend::reference}, 1);
  const NormEntry entry = channel_norm_cuda_kernels()[0];
  for (const int64_t channels : {4, 96, 192, 256, 512, 640, 1024, 1028, 1030})
    for (const DType type : {kF32, kBf16})
      for (const bool silu : {false, true}) {
        CAPTURE(channels);
        const Context context = check::context_for(entry.info, 1, type);
        const Tensor x = check::random_tensor(plain, {1, 3, 11, channels}, 5, 3, type),
                     gamma = check::random_tensor(plain, {channels}, 6);
        Tensor expected = plain.allocate(kF32, x.shape()), out = to_device(context, x);
        channel_norm(plain, x, gamma, silu, expected);
        channel_norm(context, out, to_device(context, gamma), silu, out);
        CHECK(check::relative_error(out, expected) <= (type == kF32 ? 1e-6 : 4e-3));
      }
}

TEST_CASE("a GPU doubles frames of any number of bytes a pixel") {
  const Context plain = check::context_for({{}, {}, Backend::reference}, 1),
                context = check::context_for(upsample_nearest_cuda_kernels()[0].info, 1);
  for (const int64_t channels : {1, 3, 4, 8, 13})
    for (const DType type : {kF32, kBf16}) {
      const Tensor x = check::random_tensor(plain, {2, 3, 5, channels}, 5, 1, type);
      Tensor expected = plain.allocate(type, {2, 6, 10, channels}), out = context.allocate(type, expected.shape());
      upsample_nearest(plain, x, expected);
      upsample_nearest(context, to_device(context, x), out);
      CHECK(same_bits({to_host(context, out)}, {expected}));
    }
}

}  // namespace
}  // namespace rushes
