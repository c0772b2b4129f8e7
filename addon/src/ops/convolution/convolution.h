// Convolutions of the Wan VAE on channels-last frames, and the channel norm and resampling around them.
#pragma once
#include <memory>
#include <vector>

#include "runtime/context.h"
#include "runtime/kernel.h"
#include "runtime/tensor_view.h"

namespace rushes {

/// Padding, stride and doubling of a convolution over frames [T, H, W, C]. Time is never padded here: the caller
/// prepends cached or zero frames. Spatial padding is zeros.
struct ConvolutionShape {
  int stride_time = 1, stride_space = 1;
  int pad_top = 0, pad_bottom = 0, pad_left = 0, pad_right = 0;
  /// The frames are doubled in height and width first, as by upsample_nearest, without the doubled frames in memory.
  bool doubled = false;
};

/// Weights packed for the kernels of one context.
class Convolution {
 public:
  virtual ~Convolution() = default;
  int64_t in_channels = 0, out_channels = 0;
  int kernel_time = 1, kernel_height = 1, kernel_width = 1;
  uint64_t resident_bytes = 0;
};

/// weight [O, I, kt, kh, kw] (rank 4 means kt = 1), bias [O] or absent, any floating type. Computes in context.compute.
std::shared_ptr<Convolution> prepare_convolution(const Context& context, const TensorView& weight,
                                                 const TensorView* bias);

/// x [T, H, W, I] -> out [T', H', W', O], T' = (T - kt) / stride_time + 1 and so on; x and out f32 or bf16 (the
/// context's compute type, out may be f32). `residual`, when given, is added: same shape as out.
void convolution(const Context& context, const Tensor& x, const Convolution& weights, const ConvolutionShape& shape,
                 const Tensor* residual, Tensor& out);

/// The frames of a clip one by one, each [H, W, C]. An undefined Tensor among a convolution's inputs is a frame of
/// zeros.
using FrameList = std::vector<Tensor>;

/// The same over separate frames, so that cached ones need no copy: x holds T frames (at least one defined), `out` T'
/// frames allocated by the caller, `residual` (null: none) as many. Kernels skip frames of zeros.
void convolution(const Context& context, const FrameList& x, const Convolution& weights, const ConvolutionShape& shape,
                 const FrameList* residual, FrameList& out);

/// Wan's channel norm, then optionally SiLU: y = x / max(||x||_2 over C, 1e-12) * sqrt(C) * gamma.
/// x, out [T, H, W, C]; gamma f32 [C]; out may be x.
void channel_norm(const Context& context, const Tensor& x, const Tensor& gamma, bool silu, Tensor& out);

/// Nearest-neighbour doubling of height and width: [T, H, W, C] -> [T, 2H, 2W, C].
void upsample_nearest(const Context& context, const Tensor& x, Tensor& out);

void append_convolution_checks(const CpuFeatures& features, std::vector<KernelCheck>& checks);

}  // namespace rushes
