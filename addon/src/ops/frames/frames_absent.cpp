// Stands in for frames_cuda.cu in a build without CUDA: no kernels.
#include "ops/frames/frames_cuda.h"

namespace rushes {

std::vector<Kernel<PlaneFunction>> planes_to_frame_cuda_kernels() { return {}; }
std::vector<Kernel<PlaneFunction>> frame_to_planes_cuda_kernels() { return {}; }
std::vector<Kernel<CropFunction>> crop_frame_cuda_kernels() { return {}; }
std::vector<Kernel<ClampFunction>> clamp_unit_cuda_kernels() { return {}; }
std::vector<Kernel<BlendFunction>> blend_tile_cuda_kernels() { return {}; }

}  // namespace rushes
