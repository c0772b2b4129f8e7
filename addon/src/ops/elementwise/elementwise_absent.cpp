// Stands in for elementwise_cuda.cu in a build without CUDA: no kernels.
#include "ops/elementwise/elementwise_cuda.h"

namespace rushes {

std::vector<Kernel<ElementFunction>> convert_cuda_kernels() { return {}; }
std::vector<Kernel<ElementFunction>> add_cuda_kernels() { return {}; }
std::vector<Kernel<ElementFunction>> silu_cuda_kernels() { return {}; }
std::vector<Kernel<ElementFunction>> gated_gelu_cuda_kernels() { return {}; }
std::vector<Kernel<FiniteFunction>> all_finite_cuda_kernels() { return {}; }

}  // namespace rushes
