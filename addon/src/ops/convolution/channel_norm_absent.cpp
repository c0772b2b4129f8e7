// Stands in for channel_norm_cuda.cu in a build without CUDA: no kernels.
#include "ops/convolution/convolution_cuda.h"

namespace rushes::convolution_tiles {

std::vector<NormEntry> channel_norm_cuda_kernels() { return {}; }
std::vector<DoublingEntry> upsample_nearest_cuda_kernels() { return {}; }

}  // namespace rushes::convolution_tiles
