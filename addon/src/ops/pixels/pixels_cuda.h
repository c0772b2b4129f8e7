// The conversions' entries for Backend::cuda (pixels_cuda.cu); none in a build without CUDA.
#pragma once
#include <vector>

#include "ops/pixels/pixels_kernels.h"

namespace rushes {

std::vector<Kernel<PixelFunction>> pixels_to_rgb_cuda_kernels();
std::vector<Kernel<PixelFunction>> pixels_to_i420_cuda_kernels();

}  // namespace rushes
