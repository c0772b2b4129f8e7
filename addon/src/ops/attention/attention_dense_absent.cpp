// Stands in for attention_dense_cuda.cu in a build without CUDA: no kernels.
#include "ops/attention/attention_cuda.h"

namespace rushes::attention {

std::vector<Kernel<DenseFunction>> dense_cuda_kernels(DType) { return {}; }

}  // namespace rushes::attention
