// The calls and tables of the frame operations.
#pragma once
#include <cstdint>
#include <vector>

#include "runtime/kernel.h"

namespace rushes {

/// One frame between planes f32 [channels, frames, height, width] and channels-last rows f32 [height, width, channels]:
/// to = from * scale[c] + shift[c]. `planes` points at frame t of channel 0.
struct PlaneCall {
  float* planes = nullptr;
  float* frame = nullptr;
  int64_t channels = 0, frames = 0, height = 0, width = 0;
  const float *scale = nullptr, *shift = nullptr;  // [channels], in host memory; at most kMostFrameChannels on cuda
  int threads = 1;
  Device* device = nullptr;  // of a cuda kernel
};
constexpr int64_t kMostFrameChannels = 64;
using PlaneFunction = void (*)(const PlaneCall& call);

/// out[y, x] = from[y, x], both rows of 16-bit words: one of them is a bf16 number, two a float. `from` points at the
/// part's first word.
struct CropCall {
  const uint16_t* from = nullptr;
  uint16_t* out = nullptr;
  int64_t rows = 0, words = 0, from_words = 0;  // words of a row of the part and of the whole frame
  Device* device = nullptr;
};
using CropFunction = void (*)(const CropCall& call);

struct ClampCall {
  float* data = nullptr;
  int64_t count = 0;
  int threads = 1;
  Device* device = nullptr;
};
using ClampFunction = void (*)(const ClampCall& call);

/// canvas[top + y, left + x, c] += rows[y] * columns[x] * tile[y, x, c]
struct BlendCall {
  const float* tile = nullptr;
  float* canvas = nullptr;
  const float *rows = nullptr, *columns = nullptr;  // in host memory
  int64_t height = 0, width = 0, channels = 0, canvas_width = 0, top = 0, left = 0;
  int threads = 1;
  Device* device = nullptr;
};
using BlendFunction = void (*)(const BlendCall& call);

const std::vector<Kernel<PlaneFunction>>& planes_to_frame_kernels();
const std::vector<Kernel<PlaneFunction>>& frame_to_planes_kernels();
const std::vector<Kernel<CropFunction>>& crop_frame_kernels();
const std::vector<Kernel<ClampFunction>>& clamp_unit_kernels();
const std::vector<Kernel<BlendFunction>>& blend_tile_kernels();

}  // namespace rushes
