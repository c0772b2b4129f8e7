// The call and the tables of the conversions of pixels.
#pragma once
#include <cstdint>
#include <vector>

#include "runtime/kernel.h"

namespace rushes {

struct PixelCall {
  const float* pixels = nullptr;
  uint8_t* out = nullptr;
  int64_t frames = 0, height = 0, width = 0;
  uint32_t* not_finite = nullptr;  // one word, in the kernel's memory; becomes 1 when a pixel is not finite
  int threads = 1;
  Device* device = nullptr;  // of a cuda kernel
};
using PixelFunction = void (*)(const PixelCall& call);

const std::vector<Kernel<PixelFunction>>& pixels_to_rgb_kernels();
const std::vector<Kernel<PixelFunction>>& pixels_to_i420_kernels();

}  // namespace rushes
