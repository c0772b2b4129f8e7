// The linear formats' entries for Backend::cuda; none in a build without CUDA. linear.cpp appends them to its tables. An
// entry packs a layer from host memory (LinearSource) into the context's device memory.
#pragma once
#include <vector>

#include "ops/linear/packed_linear.h"

namespace rushes {

/// linear_f32_cuda.cu: products in f32.
std::vector<Kernel<MakeLinear>> f32_linear_cuda_kernels();
/// linear_bf16_cuda.cu: format bf16, for contexts that compute in bf16, or in f32 (weights widened).
std::vector<Kernel<MakeLinear>> bf16_linear_cuda_kernels(DType compute);
/// linear_int8_cuda.cu
std::vector<Kernel<MakeLinear>> int8_linear_cuda_kernels();

}  // namespace rushes
