// Inside of the convolution: packed weights, one call's geometry, and the kernel table.
#pragma once
#include <cstddef>
#include <vector>

#include "ops/convolution/convolution.h"
#include "ops/convolution/convolution_kernel.h"

namespace rushes::convolution_tiles {

/// Weights as one kernel reads them. For tiles: [block of outputs][kt][kh][kw][channel / group][output][group], outputs
/// and channels padded with zeros. For the reference: f32 [kt][kh][kw][I][O].
struct PackedConvolution : Convolution {
  const TileKernel* kernel = nullptr;  // null: reference
  int vectors = 1;                     // of a block of outputs
  int64_t block_outputs = 0, blocks = 0, padded_channels = 0;
  Tensor weights, bias;  // bias f32 [blocks * block_outputs]
};

/// One call: where its frames lie and how they map onto each other.
struct Geometry {
  const PackedConvolution* weights = nullptr;
  ConvolutionShape shape;
  std::vector<const std::byte*> x;         // T frames, null = zeros
  std::vector<const std::byte*> residual;  // T' frames, or empty
  std::vector<std::byte*> out;             // T' frames
  DType x_type = DType::f32, residual_type = DType::f32, out_type = DType::f32;
  int64_t height = 0, width = 0;  // of a frame of x, after doubling
  int64_t out_height = 0, out_width = 0;
  int64_t frame_taps = 0;  // pairs of an output frame and a frame of x that it reads, zeros left out
  /// The row of frame `t` that tap (kt, kh) of output row (out_t, row) reads, or null when it is all zeros.
  const std::byte* input_row(int64_t out_t, int64_t row, int kt, int kh) const {
    const std::byte* frame = x[static_cast<size_t>(out_t * shape.stride_time + kt)];
    const int64_t y = row * shape.stride_space - shape.pad_top + kh;
    if (!frame || y < 0 || y >= height) return nullptr;
    const int64_t stored_width = shape.doubled ? width / 2 : width;
    return frame +
           (shape.doubled ? y / 2 : y) * stored_width * weights->in_channels * static_cast<int64_t>(dtype_size(x_type));
  }
};

/// How a row is cut for the tile kernels; the same numbers serve planning and running.
struct Segments {
  int64_t pixels = 0;                            // output pixels of a segment, a multiple of the register tile
  int64_t count = 0;                             // segments of a row
  int64_t input_pixels = 0;                      // gathered for one segment and kernel row
  int64_t channel_step = 0;                      // channels whose weights stay in the first-level cache
  uint64_t gather_bytes = 0, scratch_bytes = 0;  // of one thread
};
Segments plan_segments(const Geometry& geometry);

/// A tile kernel, or null for the plain reference.
using KernelEntry = Kernel<const TileKernel*>;
const std::vector<KernelEntry>& convolution_kernels(DType compute);

std::shared_ptr<Convolution> pack(const Context& context, const KernelEntry& entry, const TensorView& weight,
                                  const TensorView* bias);
void convolve(const Context& context, const Geometry& geometry);
void convolve_tiles(const Context& context, const Geometry& geometry, const Segments& segments, std::byte* scratch);
void convolve_reference(const Context& context, const Geometry& geometry);

/// The checks of one entry, which need not be in the table (tests give a model of instructions that are not at hand).
void append_kernel_checks(const KernelEntry& entry, DType compute, std::vector<KernelCheck>& checks);

/// What stands behind a TileKernel of Backend::cuda.
struct DeviceConvolution {
  /// Allocates `weights` and `bias` of a layer whose sizes are set, and fills them unless it is a dry run.
  void (*pack)(const Context& context, PackedConvolution& layer, const TensorView& weight, const TensorView* bias);
  /// Takes scratch, then computes unless it is a dry run. All frames of the geometry lie on the context's device.
  void (*convolve)(const Context& context, const Geometry& geometry);
};

using NormEntry = Kernel<void (*)(const NormCall&)>;
const std::vector<NormEntry>& channel_norm_kernels();
void channel_norm_reference(const NormCall& call);

using DoublingEntry = Kernel<void (*)(const DoublingCall&)>;
const std::vector<DoublingEntry>& upsample_nearest_kernels();

}  // namespace rushes::convolution_tiles
