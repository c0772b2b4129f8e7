// Convolution: shape checks, packing of weights, and the choice of kernel. The loops are in convolution_cpu.cpp and
// convolution_reference.cpp, the arithmetic in convolution_tile_*.cpp.
#include "ops/convolution/convolution.h"

#include <algorithm>

#include "ops/convolution/convolution_cuda.h"

namespace rushes {
namespace convolution_tiles {

namespace {

std::vector<KernelEntry> with(std::vector<KernelEntry> kernels, const std::vector<KernelEntry>& cuda) {
  kernels.insert(kernels.end(), cuda.begin(), cuda.end());
  return kernels;
}

}  // namespace

const std::vector<KernelEntry>& convolution_kernels(DType compute) {
  // The tables of both compute types name the same f32 arithmetic where a CPU has no bf16 products: bf16 activations
  // are then widened as they are gathered.
  static const auto f32 = with(
      {
        {{"convolution", "convolution_reference", Backend::reference, Isa::portable}, nullptr},
            {{"convolution", "convolution_f32_portable", Backend::cpu, Isa::portable}, &kPortable},
#if defined(__x86_64__)
            {{"convolution", "convolution_f32_avx2", Backend::cpu, Isa::avx2}, &kAvx2},
            {{"convolution", "convolution_f32_avx512", Backend::cpu, Isa::avx512}, &kAvx512},
#endif
      },
      convolution_cuda_kernels(DType::f32));
  static const auto bf16 = with(
      {
        {{"convolution", "convolution_reference", Backend::reference, Isa::portable}, nullptr},
            {{"convolution", "convolution_bf16_widened_portable", Backend::cpu, Isa::portable}, &kPortable},
#if defined(__x86_64__)
            {{"convolution", "convolution_bf16_widened_avx2", Backend::cpu, Isa::avx2}, &kAvx2},
            {{"convolution", "convolution_bf16_widened_avx512", Backend::cpu, Isa::avx512}, &kAvx512},
            {{"convolution", "convolution_bf16_avx512_bf16", Backend::cpu, Isa::avx512_bf16}, &kAvx512Bf16},
            {{"convolution", "convolution_bf16_amx", Backend::cpu, Isa::amx}, &kAmx},
#endif
      },
      convolution_cuda_kernels(DType::bf16));
  return compute == DType::bf16 ? bf16 : f32;
}

namespace {

// Vectors of an output block: the least padding, then the register tile with the fewest loads per product.
int choose_vectors(const TileKernel& kernel, int64_t outputs) {
  const int64_t needed = (outputs + kernel.lanes - 1) / kernel.lanes;
  int best = 0;
  int64_t best_padded = 0;
  for (const int vectors : {3, 4, 2, 1}) {
    if (!kernel.pixels[vectors]) continue;
    const int64_t padded = (needed + vectors - 1) / vectors * vectors;
    if (!best || padded < best_padded) {
      best = vectors;
      best_padded = padded;
    }
  }
  return best;
}

int64_t elements_of_output(const Convolution& layer) {
  return layer.in_channels * layer.kernel_time * layer.kernel_height * layer.kernel_width;
}

// One output's weights, [I][kt][kh][kw] as in the file, to their places in the packed tensor.
void place(const PackedConvolution& layer, const float* values, int64_t output) {
  const int64_t taps = int64_t{layer.kernel_time} * layer.kernel_height * layer.kernel_width;
  if (!layer.kernel) {
    for (int64_t c = 0; c < layer.in_channels; ++c)
      for (int64_t tap = 0; tap < taps; ++tap)
        layer.weights.data<float>()[(tap * layer.in_channels + c) * layer.out_channels + output] =
            values[c * taps + tap];
    return;
  }
  const int64_t group = layer.kernel->bf16 ? 2 : 1;
  const int64_t block = output / layer.block_outputs, within = output % layer.block_outputs;
  for (int64_t c = 0; c < layer.in_channels; ++c)
    for (int64_t tap = 0; tap < taps; ++tap) {
      const int64_t channel_group = ((block * taps + tap) * layer.padded_channels + c) / group;
      const int64_t i = (channel_group * layer.block_outputs + within) * group + c % group;
      if (layer.kernel->bf16)
        layer.weights.data<bf16>()[i] = bf16(values[c * taps + tap]);
      else
        layer.weights.data<float>()[i] = values[c * taps + tap];
    }
}

void fill(const Context& context, const PackedConvolution& layer, const TensorView& weight, const TensorView* bias) {
  std::memset(layer.weights.raw(), 0, layer.weights.bytes());
  std::fill_n(layer.bias.data<float>(), layer.bias.count(), 0.0f);
  if (bias) to_float(*bias, {layer.bias.data<float>(), static_cast<size_t>(layer.out_channels)});
  const int64_t count = elements_of_output(layer);
#pragma omp parallel num_threads(context.threads)
  {
    std::vector<float> values(static_cast<size_t>(count));
#pragma omp for schedule(static)
    for (int64_t output = 0; output < layer.out_channels; ++output) {
      TensorView row = weight;
      row.shape = {count};
      row.data += output * count * static_cast<int64_t>(dtype_size(weight.type));
      to_float(row, values);
      place(layer, values.data(), output);
    }
  }
}

// What the tiles really do: whole register tiles of pixels, whole blocks of outputs, no frames of zeros.
void count_tiles(WorkCount& work, const Geometry& g, const Segments& segments) {
  const PackedConvolution& layer = *g.weights;
  const int64_t tile = layer.kernel->pixels[layer.vectors];
  const int64_t last = g.out_width - (segments.count - 1) * segments.pixels;
  const int64_t row_pixels = (segments.count - 1) * segments.pixels + (last + tile - 1) / tile * tile;
  const int64_t steps = (layer.padded_channels + segments.channel_step - 1) / segments.channel_step;
  const double row_taps = static_cast<double>(g.frame_taps * layer.kernel_height * g.out_height) *
                          static_cast<double>(row_pixels * layer.blocks);
  const double loads = row_taps * static_cast<double>(layer.kernel_width * layer.padded_channels);
  const bool bf16 = layer.kernel->bf16;
  work.of(bf16 ? Effort::convolution_bf16 : Effort::convolution_f32) +=
      2 * loads * static_cast<double>(layer.block_outputs);
  work.of(bf16 ? Effort::pixels_bf16 : Effort::pixels_f32) += loads;
  work.of(bf16 ? Effort::sums_bf16 : Effort::sums_f32) += row_taps * static_cast<double>(steps * layer.block_outputs);
}

}  // namespace

std::shared_ptr<Convolution> pack(const Context& context, const KernelEntry& entry, const TensorView& weight,
                                  const TensorView* bias) {
  const size_t rank = weight.shape.size();
  if ((rank != 4 && rank != 5) || (bias && bias->shape != Shape{weight.shape[0]}))
    throw Error("engine.internal", "A convolution has weights of an unexpected shape.", {},
                weight.name + " " + shape_text(weight.shape));
  auto layer = std::make_shared<PackedConvolution>();
  layer->out_channels = weight.shape[0];
  layer->in_channels = weight.shape[1];
  layer->kernel_time = rank == 5 ? static_cast<int>(weight.shape[2]) : 1;
  layer->kernel_height = static_cast<int>(weight.shape[rank - 2]);
  layer->kernel_width = static_cast<int>(weight.shape[rank - 1]);
  layer->kernel = entry.run;
  layer->padded_channels = layer->in_channels;
  layer->block_outputs = layer->out_channels;
  layer->blocks = 1;
  if (const TileKernel* kernel = entry.run; kernel && !kernel->device) {
    const int64_t multiple = kernel->channel_multiple;
    layer->padded_channels = (layer->in_channels + multiple - 1) / multiple * multiple;
    layer->vectors = choose_vectors(*kernel, layer->out_channels);
    layer->block_outputs = int64_t{layer->vectors} * kernel->lanes;
    layer->blocks = (layer->out_channels + layer->block_outputs - 1) / layer->block_outputs;
  }
  if (context.work) context.work->of(Effort::filters) += static_cast<double>(weight.count());
  if (entry.run && entry.run->device) {
    entry.run->device->pack(context, *layer, weight, bias);
    layer->resident_bytes = layer->weights.bytes() + (layer->bias.defined() ? layer->bias.bytes() : 0);
    return layer;
  }
  const int64_t taps = int64_t{layer->kernel_time} * layer->kernel_height * layer->kernel_width;
  const DType type = entry.run && entry.run->bf16 ? DType::bf16 : DType::f32;
  layer->weights =
      context.allocate(type, {layer->blocks, taps, layer->padded_channels, layer->block_outputs}, MemoryUse::weights);
  layer->bias = context.allocate(DType::f32, {layer->blocks * layer->block_outputs}, MemoryUse::weights);
  layer->resident_bytes = layer->weights.bytes() + layer->bias.bytes();
  if (!context.dry_run) fill(context, *layer, weight, bias);
  return layer;
}

void convolve(const Context& context, const Geometry& geometry) {
  const PackedConvolution& layer = *geometry.weights;
  if (context.work) {
    const double products = static_cast<double>(geometry.out.size()) * static_cast<double>(geometry.out_height) *
                            static_cast<double>(geometry.out_width) * static_cast<double>(layer.out_channels) *
                            static_cast<double>(elements_of_output(layer));
    (layer.kernel && layer.kernel->bf16 ? context.work->bf16_ops : context.work->f32_ops) += 2 * products;
  }
  if (!layer.kernel) {
    if (!context.dry_run) convolve_reference(context, geometry);
  } else if (layer.kernel->device) {
    layer.kernel->device->convolve(context, geometry);
  } else {
    const Segments segments = plan_segments(geometry);
    if (context.work) count_tiles(*context.work, geometry, segments);
    const Tensor scratch =
        context.allocate(DType::u8, {context.threads * static_cast<int64_t>(segments.scratch_bytes)});
    if (!context.dry_run) convolve_tiles(context, geometry, segments, scratch.raw());
  }
  if (!context.dry_run) context.check_cancelled();
}

}  // namespace convolution_tiles

namespace {

using convolution_tiles::Geometry;
using convolution_tiles::PackedConvolution;

[[noreturn]] void mismatch(const std::string& detail) {
  throw Error("engine.internal", "A convolution was given frames of the wrong shape.", {}, detail);
}

bool floating(DType type) { return type == DType::f32 || type == DType::bf16; }

int64_t reach(int64_t size, int kernel, int stride) { return size < kernel ? 0 : (size - kernel) / stride + 1; }

}  // namespace

std::shared_ptr<Convolution> prepare_convolution(const Context& context, const TensorView& weight,
                                                 const TensorView* bias) {
  return pack(context, choose_kernel(convolution_tiles::convolution_kernels(context.compute), context), weight, bias);
}

void convolution(const Context& context, const FrameList& x, const Convolution& weights, const ConvolutionShape& shape,
                 const FrameList* residual, FrameList& out) {
  const auto& layer = static_cast<const PackedConvolution&>(weights);
  const auto first = std::find_if(x.begin(), x.end(), [](const Tensor& frame) { return frame.defined(); });
  if (first == x.end() || first->rank() != 3) mismatch("no frame of shape [H, W, C]");
  Geometry g;
  g.weights = &layer;
  g.shape = shape;
  g.x_type = first->type();
  const int64_t doubling = shape.doubled ? 2 : 1;
  g.height = first->size(0) * doubling;
  g.width = first->size(1) * doubling;
  if (first->size(2) != layer.in_channels || !floating(g.x_type))
    mismatch("x " + shape_text(first->shape()) + " for " + std::to_string(layer.in_channels) + " channels");
  for (const Tensor& frame : x) {
    if (frame.defined() && (frame.shape() != first->shape() || frame.type() != g.x_type)) mismatch("frames differ");
    g.x.push_back(!frame.defined() ? nullptr : context.dry_run ? nullptr : frame.raw());
  }
  g.out_height = reach(g.height + shape.pad_top + shape.pad_bottom, layer.kernel_height, shape.stride_space);
  g.out_width = reach(g.width + shape.pad_left + shape.pad_right, layer.kernel_width, shape.stride_space);
  const int64_t frames = reach(static_cast<int64_t>(x.size()), layer.kernel_time, shape.stride_time);
  const Shape expected = {g.out_height, g.out_width, layer.out_channels};
  if (static_cast<int64_t>(out.size()) != frames || frames == 0) mismatch("frames of out");
  for (int64_t t = 0; t < frames; ++t)
    for (int64_t tap = 0; tap < layer.kernel_time; ++tap)
      g.frame_taps += x[static_cast<size_t>(t * shape.stride_time + tap)].defined();
  const auto check = [&](const FrameList& list, DType type) {
    if (list.size() != out.size()) mismatch("frames of residual");
    for (const Tensor& frame : list)
      if (!frame.defined() || frame.shape() != expected || frame.type() != type || !floating(type))
        mismatch(shape_text(frame.defined() ? frame.shape() : Shape{}) + ", needs " + shape_text(expected));
  };
  g.out_type = out[0].type();
  check(out, g.out_type);
  if (residual) {
    if (residual->empty()) mismatch("frames of residual");
    g.residual_type = (*residual)[0].type();
    check(*residual, g.residual_type);
  }
  if (!context.dry_run) {
    for (const Tensor& frame : out) g.out.push_back(frame.raw());
    if (residual)
      for (const Tensor& frame : *residual) g.residual.push_back(frame.raw());
  } else {
    g.out.resize(out.size());
  }
  convolve(context, g);
}

void convolution(const Context& context, const Tensor& x, const Convolution& weights, const ConvolutionShape& shape,
                 const Tensor* residual, Tensor& out) {
  const auto frames_of = [](const Tensor& clip) {
    if (clip.rank() != 4) mismatch(shape_text(clip.shape()) + " is not [T, H, W, C]");
    FrameList frames;
    for (int64_t t = 0; t < clip.size(0); ++t)
      frames.push_back(clip.rows(t, t + 1).reshaped({clip.size(1), clip.size(2), clip.size(3)}));
    return frames;
  };
  FrameList results = frames_of(out);
  if (!residual) return convolution(context, frames_of(x), weights, shape, nullptr, results);
  const FrameList added = frames_of(*residual);
  convolution(context, frames_of(x), weights, shape, &added, results);
}

}  // namespace rushes
