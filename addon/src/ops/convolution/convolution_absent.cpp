// Stands in for convolution_cuda.cu in a build without CUDA: no kernels.
#include "ops/convolution/convolution_cuda.h"

namespace rushes::convolution_tiles {

std::vector<KernelEntry> convolution_cuda_kernels(DType) { return {}; }

}  // namespace rushes::convolution_tiles
