// Stands in for norm_cuda.cu in a build without CUDA: no kernels.
#include "ops/norm/norm_cuda.h"

namespace rushes {

std::vector<Kernel<NormFunction>> layer_norm_cuda_kernels() { return {}; }
std::vector<Kernel<NormFunction>> rms_norm_cuda_kernels() { return {}; }
std::vector<Kernel<NormFunction>> rms_norm_rotary_cuda_kernels() { return {}; }

}  // namespace rushes
