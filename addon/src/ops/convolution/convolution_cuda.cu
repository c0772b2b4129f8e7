// The convolution on a GPU: weights laid out on the card, frames that tensor cores cannot read as they are made ready,
// and the launches. The kernels are in convolution_bf16.cuh and convolution_f32.cuh.
#include <algorithm>

#include "cuda/launch.h"
#include "ops/convolution/convolution_bf16.cuh"
#include "ops/convolution/convolution_choice.h"
#include "ops/convolution/convolution_cuda.h"
#include "ops/convolution/convolution_f32.cuh"
#include "runtime/device.h"
#include "runtime/transfer.h"

namespace rushes::convolution_tiles {
namespace {

constexpr int kPlainThreads = 256;

int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }
int blocks_of(int64_t items, int64_t each) { return static_cast<int>((items + each - 1) / each); }

// weights [outputs][channels][taps] -> packed, zeros where one of them is padding: [tap][output][channel] for tensor
// cores, [tap][channel][output] for multiply-adds.
template <bool kBf16>
RUSHES_KERNEL(kPlainThreads, 4)
arrange_weights(const void* weights, bool from_bf16, void* packed, int64_t count, int outputs, int channels, int taps,
                int padded_outputs, int padded_channels) {
  const int64_t i = static_cast<int64_t>(cuda::block_x()) * kPlainThreads + cuda::thread_index();
  if (i >= count) return;
  const int64_t tap = i / (static_cast<int64_t>(padded_outputs) * padded_channels);
  const int64_t within = i - tap * padded_outputs * padded_channels;
  const int inner = kBf16 ? padded_channels : padded_outputs;
  const int slow = static_cast<int>(within / inner),
            quick = static_cast<int>(within - static_cast<int64_t>(slow) * inner);
  const int output = kBf16 ? slow : quick, channel = kBf16 ? quick : slow;
  float value = 0.0f;
  if (output < outputs && channel < channels) {
    const int64_t from = (static_cast<int64_t>(output) * channels + channel) * taps + tap;
    value = from_bf16 ? cuda::from_bf16(static_cast<const uint16_t*>(weights)[from])
                      : static_cast<const float*>(weights)[from];
  }
  if constexpr (kBf16)
    static_cast<uint16_t*>(packed)[i] = cuda::to_bf16(value);
  else
    static_cast<float*>(packed)[i] = value;
}

// A frame as tensor cores can read it: bf16, its channels padded with zeros to a multiple of 8. A thread makes 8 of
// them.
RUSHES_KERNEL(kPlainThreads, 4)
prepare_frame(const void* frame, bool from_bf16, uint16_t* out, int64_t pieces, int channels, int padded_channels) {
  const int64_t piece = static_cast<int64_t>(cuda::block_x()) * kPlainThreads + cuda::thread_index();
  if (piece >= pieces) return;
  const int of_pixel = padded_channels / 8;
  const int64_t pixel = piece / of_pixel;
  const int first = static_cast<int>(piece - pixel * of_pixel) * 8;
  cuda::Words4 words;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    uint32_t bits[2];
#pragma unroll
    for (int j = 0; j < 2; ++j) {
      const int channel = first + 2 * i + j;
      const int64_t at = pixel * channels + channel;
      bits[j] = channel >= channels ? 0u
                : from_bf16         ? uint32_t{static_cast<const uint16_t*>(frame)[at]}
                                    : uint32_t{cuda::to_bf16(static_cast<const float*>(frame)[at])};
    }
    words.word[i] = bits[0] | bits[1] << 16;
  }
  *reinterpret_cast<cuda::Words4*>(out + piece * 8) = words;
}

template <bool kBf16>
void pack_on_device(const Context& context, PackedConvolution& layer, const TensorView& weight,
                    const TensorView* bias) {
  const int64_t taps = int64_t{layer.kernel_time} * layer.kernel_height * layer.kernel_width;
  layer.padded_channels = round_up(layer.in_channels, kBf16 ? kStepChannels : kF32Channels);
  layer.block_outputs = kBf16 ? convolution_columns(layer.out_channels) : kF32Tile;
  layer.blocks = (layer.out_channels + layer.block_outputs - 1) / layer.block_outputs;
  const int64_t padded_outputs = layer.blocks * layer.block_outputs;
  layer.weights = context.allocate(kBf16 ? DType::bf16 : DType::f32, {taps, padded_outputs, layer.padded_channels},
                                   MemoryUse::weights);
  layer.bias = context.allocate(DType::f32, {padded_outputs}, MemoryUse::weights);
  // The file's weights as f32 or bf16, for as long as they are laid out.
  const bool as_bf16 = weight.type == DType::bf16;
  const Tensor source = context.allocate(as_bf16 ? DType::bf16 : DType::f32, {weight.count()});
  if (context.dry_run) return;
  Tensor whole_bias = context.on_host().allocate(DType::f32, {padded_outputs});
  std::fill_n(whole_bias.data<float>(), padded_outputs, 0.0f);
  if (bias) to_float(*bias, {whole_bias.data<float>(), static_cast<size_t>(layer.out_channels)});
  context.device->upload(layer.bias.raw(), whole_bias.raw(), whole_bias.bytes());
  if (as_bf16 || weight.type == DType::f32) {
    context.device->upload(source.raw(), weight.data, weight.bytes());
  } else {
    const Tensor values = context.on_host().allocate(DType::f32, {weight.count()});
    to_float(weight, {values.data<float>(), static_cast<size_t>(weight.count())});
    context.device->upload(source.raw(), values.raw(), values.bytes());
  }
  const int64_t count = layer.weights.count();
  cuda::launch(context.device->stream(), "arranging the weights of a convolution", arrange_weights<kBf16>,
               {blocks_of(count, kPlainThreads), 1, 1}, kPlainThreads, 0, source.raw(), as_bf16, layer.weights.raw(),
               count, layer.out_channels, layer.in_channels, taps, padded_outputs, layer.padded_channels);
}

// The frames [begin, begin + count) of the output, and all of x that they read.
FrameCall call_of(const Geometry& g, const std::vector<const std::byte*>& x, int64_t begin, int64_t count) {
  const PackedConvolution& layer = *g.weights;
  FrameCall call = {};
  const int64_t inputs = (count - 1) * g.shape.stride_time + layer.kernel_time;
  for (int64_t i = 0; i < inputs; ++i) call.x[i] = x[static_cast<size_t>(begin * g.shape.stride_time + i)];
  for (int64_t i = 0; i < count; ++i) {
    call.out[i] = g.out[static_cast<size_t>(begin + i)];
    if (!g.residual.empty()) call.residual[i] = g.residual[static_cast<size_t>(begin + i)];
  }
  call.weights = layer.weights.raw();
  call.bias = layer.bias.data<float>();
  call.height = static_cast<int>(g.height);
  call.width = static_cast<int>(g.width);
  call.stored_width = call.width / (g.shape.doubled ? 2 : 1);
  call.out_width = static_cast<int>(g.out_width);
  call.out_pixels = static_cast<int>(g.out_height * g.out_width);
  call.outputs = static_cast<int>(layer.out_channels);
  call.kernel_time = layer.kernel_time;
  call.kernel_height = layer.kernel_height;
  call.kernel_width = layer.kernel_width;
  call.stride_time = g.shape.stride_time;
  call.stride_space = g.shape.stride_space;
  call.pad_top = g.shape.pad_top;
  call.pad_left = g.shape.pad_left;
  call.padded_channels = static_cast<int>(layer.padded_channels);
  call.padded_outputs = static_cast<int>(layer.blocks * layer.block_outputs);
  call.doubled = g.shape.doubled;
  call.out_bf16 = g.out_type == DType::bf16;
  call.has_residual = !g.residual.empty();
  call.residual_bf16 = g.residual_type == DType::bf16;
  return call;
}

int64_t frames_of_launch(const Geometry& g) {
  const int64_t fitting = (kLaunchInputs - g.weights->kernel_time) / g.shape.stride_time + 1;
  if (g.weights->kernel_time > kLaunchInputs)
    throw Error("engine.internal", "A convolution reaches over more frames than its kernel can take.");
  return std::min<int64_t>(fitting, kLaunchFrames);
}

template <int kRows, int kColumns>
void launch_bf16(const Context& context, const FrameCall& call, int64_t frames) {
  cuda::launch(context.device->stream(), "convolution_bf16_cuda", convolve_bf16<kRows, kColumns>,
               {blocks_of(call.out_pixels, kRows), call.padded_outputs / kColumns, static_cast<int>(frames)}, kThreads,
               kStages * bf16_stage_bytes(kRows, kColumns), call);
}

template <int kColumns>
void launch_bf16(const Context& context, const FrameCall& call, int64_t frames) {
  if (convolution_rows(context.device->info(), call.out_pixels, call.padded_outputs, kColumns, frames) == 256)
    launch_bf16<256, kColumns>(context, call, frames);
  else
    launch_bf16<128, kColumns>(context, call, frames);
}

void convolve_bf16_on_device(const Context& context, const Geometry& g) {
  const PackedConvolution& layer = *g.weights;
  std::vector<const std::byte*> x = g.x;
  const int64_t channels = round_up(layer.in_channels, 8), pixels = g.height * g.width / (g.shape.doubled ? 4 : 1);
  Tensor prepared;
  if (g.x_type != DType::bf16 || channels != layer.in_channels)
    prepared = context.allocate(DType::bf16, {static_cast<int64_t>(x.size()), pixels, channels});
  if (context.dry_run) return;
  if (prepared.defined())
    for (size_t t = 0; t < x.size(); ++t) {
      if (!x[t]) continue;
      const Tensor frame = prepared.rows(static_cast<int64_t>(t), static_cast<int64_t>(t) + 1);
      const int64_t pieces = pixels * channels / 8;
      cuda::launch(context.device->stream(), "preparing a frame for a convolution", prepare_frame,
                   {blocks_of(pieces, kPlainThreads), 1, 1}, kPlainThreads, 0, x[t], g.x_type == DType::bf16,
                   reinterpret_cast<uint16_t*>(frame.raw()), pieces, layer.in_channels, channels);
      x[t] = frame.raw();
    }
  const auto all = static_cast<int64_t>(g.out.size()), step = frames_of_launch(g);
  for (int64_t begin = 0; begin < all; begin += step) {
    const int64_t frames = std::min(step, all - begin);
    FrameCall call = call_of(g, x, begin, frames);
    call.channels = static_cast<int>(channels);
    call.x_bf16 = true;
    if (layer.block_outputs == 128)
      launch_bf16<128>(context, call, frames);
    else if (layer.block_outputs == 96)
      launch_bf16<96>(context, call, frames);
    else
      launch_bf16<32>(context, call, frames);
  }
}

void convolve_f32_on_device(const Context& context, const Geometry& g) {
  if (context.dry_run) return;
  const auto all = static_cast<int64_t>(g.out.size()), step = frames_of_launch(g);
  for (int64_t begin = 0; begin < all; begin += step) {
    const int64_t frames = std::min(step, all - begin);
    FrameCall call = call_of(g, g.x, begin, frames);
    call.channels = static_cast<int>(g.weights->in_channels);
    call.x_bf16 = g.x_type == DType::bf16;
    cuda::launch(context.device->stream(), "convolution_f32_cuda", convolve_f32,
                 {blocks_of(call.out_pixels, kF32Tile), call.padded_outputs / kF32Tile, static_cast<int>(frames)},
                 kF32Threads, kF32SharedBytes, call);
  }
}

constexpr DeviceConvolution kBf16 = {pack_on_device<true>, convolve_bf16_on_device};
constexpr DeviceConvolution kF32 = {pack_on_device<false>, convolve_f32_on_device};
constexpr TileKernel kBf16Tiles = {.bf16 = true, .device = &kBf16}, kF32Tiles = {.bf16 = false, .device = &kF32};

}  // namespace

std::vector<KernelEntry> convolution_cuda_kernels(DType compute) {
  if (compute == DType::bf16) return {{{"convolution", "convolution_bf16_cuda", Backend::cuda}, &kBf16Tiles}};
  return {{{"convolution", "convolution_f32_cuda", Backend::cuda}, &kF32Tiles}};
}

}  // namespace rushes::convolution_tiles
