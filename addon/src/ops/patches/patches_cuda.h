// The patch operations' entries for Backend::cuda (patches_cuda.cu); none in a build without CUDA.
#pragma once
#include <vector>

#include "ops/patches/patches_kernels.h"

namespace rushes {

std::vector<Kernel<PatchFunction>> patches_of_cuda_kernels();
std::vector<Kernel<PatchFunction>> latents_of_cuda_kernels();

}  // namespace rushes
