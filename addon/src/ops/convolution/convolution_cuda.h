// The entries of the convolution, the channel norm and the doubling for Backend::cuda; none in a build without CUDA.
#pragma once
#include <vector>

#include "ops/convolution/convolution_packed.h"

namespace rushes::convolution_tiles {

/// convolution_cuda.cu: TileKernels with `device` set, for contexts that compute in this type.
std::vector<KernelEntry> convolution_cuda_kernels(DType compute);
/// channel_norm_cuda.cu
std::vector<NormEntry> channel_norm_cuda_kernels();
std::vector<DoublingEntry> upsample_nearest_cuda_kernels();

}  // namespace rushes::convolution_tiles
