// Stands in for pixels_cuda.cu in a build without CUDA: no kernels.
#include "ops/pixels/pixels_cuda.h"

namespace rushes {

std::vector<Kernel<PixelFunction>> pixels_to_rgb_cuda_kernels() { return {}; }
std::vector<Kernel<PixelFunction>> pixels_to_i420_cuda_kernels() { return {}; }

}  // namespace rushes
