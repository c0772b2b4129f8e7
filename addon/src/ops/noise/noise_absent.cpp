// Stands in for noise_cuda.cu in a build without CUDA: no kernels.
#include "ops/noise/noise_cuda.h"

namespace rushes {

std::vector<Kernel<NoiseFunction>> noise_cuda_kernels() { return {}; }

}  // namespace rushes
