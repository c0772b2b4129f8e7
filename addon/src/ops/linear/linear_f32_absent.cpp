// Stands in for linear_f32_cuda.cu in a build without CUDA: no kernels.
#include "ops/linear/linear_cuda.h"

namespace rushes {

std::vector<Kernel<MakeLinear>> f32_linear_cuda_kernels() { return {}; }

}  // namespace rushes
