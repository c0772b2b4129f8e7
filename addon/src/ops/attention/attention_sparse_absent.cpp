// Stands in for attention_sparse_cuda.cu in a build without CUDA: no kernels.
#include "ops/attention/attention_cuda.h"

namespace rushes::attention {

std::vector<Kernel<SparseFunction>> sparse_cuda_kernels(DType, AttentionType) { return {}; }

}  // namespace rushes::attention
