// Stands in for linear_int8_cuda.cu in a build without CUDA: no kernels.
#include "ops/linear/linear_cuda.h"

namespace rushes {

std::vector<Kernel<MakeLinear>> int8_linear_cuda_kernels() { return {}; }

}  // namespace rushes
