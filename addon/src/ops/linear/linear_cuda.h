// The linear formats' entries for Backend::cuda; none in a build without CUDA. linear.cpp appends them to its tables.
// An entry packs a layer from host memory (LinearSource) into the context's device memory.
#pragma once
#include <vector>

#include "ops/linear/packed_linear.h"

namespace rushes {

/// Products in f32.
std::vector<Kernel<MakeLinear>> f32_linear_cuda_kernels();
/// Format bf16, for contexts that compute in bf16, or in f32 (weights widened).
std::vector<Kernel<MakeLinear>> bf16_linear_cuda_kernels(DType compute);
std::vector<Kernel<MakeLinear>> int8_linear_cuda_kernels();

/// quantize_tiles for a cuda context, its arguments checked.
void quantize_tiles_cuda(const Context& context, const Tensor& x, Tensor& q, Tensor& scale);

}  // namespace rushes
