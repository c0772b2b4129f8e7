// Stands in for linear_layer_cuda.cu in a build without CUDA: no kernels.
#include "ops/linear/linear_cuda.h"

namespace rushes {

std::vector<Kernel<MakeLinear>> f32_linear_cuda_kernels() { return {}; }
std::vector<Kernel<MakeLinear>> bf16_linear_cuda_kernels(DType) { return {}; }
std::vector<Kernel<MakeLinear>> int8_linear_cuda_kernels() { return {}; }
void quantize_tiles_cuda(const Context&, const Tensor&, Tensor&, Tensor&) {
  throw Error("gpu.unavailable", "This build of Rushes has no CUDA.");
}

}  // namespace rushes
