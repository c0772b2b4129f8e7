// The frame operations' entries for Backend::cuda (frames_cuda.cu); none in a build without CUDA.
#pragma once
#include <vector>

#include "ops/frames/frames_kernels.h"

namespace rushes {

std::vector<Kernel<PlaneFunction>> planes_to_frame_cuda_kernels();
std::vector<Kernel<PlaneFunction>> frame_to_planes_cuda_kernels();
std::vector<Kernel<CropFunction>> crop_frame_cuda_kernels();
std::vector<Kernel<ClampFunction>> clamp_unit_cuda_kernels();
std::vector<Kernel<BlendFunction>> blend_tile_cuda_kernels();

}  // namespace rushes
