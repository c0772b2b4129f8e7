// The elementwise entries for Backend::cuda (elementwise_cuda.cu); none in a build without CUDA. elementwise.cpp appends
// them to its tables. A kernel is called once with all elements, on spans.device; all_finite waits for its answer.
#pragma once
#include <vector>

#include "ops/elementwise/elementwise_kernels.h"

namespace rushes {

std::vector<Kernel<ElementFunction>> convert_cuda_kernels();
std::vector<Kernel<ElementFunction>> add_cuda_kernels();
std::vector<Kernel<ElementFunction>> silu_cuda_kernels();
std::vector<Kernel<ElementFunction>> gated_gelu_cuda_kernels();
std::vector<Kernel<FiniteFunction>> all_finite_cuda_kernels();

}  // namespace rushes
