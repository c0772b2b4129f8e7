// The norms' entries for Backend::cuda (norm_cuda.cu); none in a build without CUDA. norm.cpp appends them to its
// tables. A kernel is called once with all rows, on rows.device.
#pragma once
#include <vector>

#include "ops/norm/norm_kernels.h"

namespace rushes {

std::vector<Kernel<NormFunction>> layer_norm_cuda_kernels();
std::vector<Kernel<NormFunction>> rms_norm_cuda_kernels();
std::vector<Kernel<NormFunction>> rms_norm_rotary_cuda_kernels();

}  // namespace rushes
