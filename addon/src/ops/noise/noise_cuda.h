// Noise's entry for Backend::cuda (noise_cuda.cu); none in a build without CUDA.
#pragma once
#include <vector>

#include "ops/noise/noise_kernels.h"

namespace rushes {

std::vector<Kernel<NoiseFunction>> noise_cuda_kernels();

}  // namespace rushes
