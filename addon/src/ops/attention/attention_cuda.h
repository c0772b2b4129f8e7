// Attention's entries for Backend::cuda; none in a build without CUDA. attention_tables.cpp appends them to its tables.
#pragma once
#include <vector>

#include "ops/attention/attention_kernels.h"

namespace rushes::attention {

/// attention_dense_cuda.cu, for input of this type.
std::vector<Kernel<DenseFunction>> dense_cuda_kernels(DType input);
/// attention_sparse_cuda.cu
std::vector<Kernel<SparseFunction>> sparse_cuda_kernels(DType input, AttentionType type);

}  // namespace rushes::attention
