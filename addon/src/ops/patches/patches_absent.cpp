// Stands in for patches_cuda.cu in a build without CUDA: no kernels.
#include "ops/patches/patches_cuda.h"

namespace rushes {

std::vector<Kernel<PatchFunction>> patches_of_cuda_kernels() { return {}; }
std::vector<Kernel<PatchFunction>> latents_of_cuda_kernels() { return {}; }

}  // namespace rushes
