// The convolution in f32 by multiply-adds: blocks of 64 pixels x 64 outputs, 4 x 4 of them a thread, 16 channels at a
// step.
#pragma once
#include "ops/convolution/convolution_frames.cuh"

namespace rushes::convolution_tiles {

constexpr int kF32Tile = 64, kF32Channels = 16, kF32Threads = 256;
// Rows of the stage are channels; 4 floats more than the tile keep stores of one column out of one bank.
constexpr int kF32Row = kF32Tile + 4, kF32SharedBytes = 2 * kF32Channels * kF32Row * 4;

/// Element of a frame of x as f32.
RUSHES_DEVICE float frame_element(const FrameCall& call, const void* frame, int64_t i) {
  return call.x_bf16 ? cuda::from_bf16(static_cast<const uint16_t*>(frame)[i]) : static_cast<const float*>(frame)[i];
}

RUSHES_KERNEL(kF32Threads, 2) convolve_f32(const FrameCall call) {
  const cuda::Shared<float> pixels = cuda::shared_memory<float>(0, kF32Channels * kF32Row);
  const cuda::Shared<float> weights = cuda::shared_memory<float>(kF32SharedBytes / 2, kF32Channels * kF32Row);
  const int thread = cuda::thread_index(), first_input = cuda::block_z() * call.stride_time;
  // Loads: a thread takes four channels of one pixel, and four outputs of one channel.
  const int load_pixel = thread / 4, load_channel = thread % 4 * 4;
  const int weight_channel = thread / 16, weight_output = thread % 16 * 4;
  const WindowOrigin origin = WindowOrigin::of(call, cuda::block_x() * kF32Tile + load_pixel);
  const int pixel = thread / 16 * 4, output = thread % 16 * 4;
  float sums[4][4] = {};
  WindowPlace place;
  place.skip_zero_frames(call, first_input);
  while (place.time < call.kernel_time) {
    const void* frame = call.x[first_input + place.time];
    const int source = origin.pixel_at(call, place);
    float values[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int channel = place.channel + load_channel + i;
      values[i] = source >= 0 && channel < call.channels
                      ? frame_element(call, frame, static_cast<int64_t>(source) * call.channels + channel)
                      : 0.0f;
    }
    const auto four = *reinterpret_cast<const cuda::Words4*>(
        static_cast<const float*>(call.weights) +
        (static_cast<int64_t>(place.tap(call)) * call.padded_channels + place.channel + weight_channel) *
            call.padded_outputs +
        cuda::block_y() * kF32Tile + weight_output);
    cuda::sync_block();  // the step before has been read
#pragma unroll
    for (int i = 0; i < 4; ++i) pixels[(load_channel + i) * kF32Row + load_pixel] = values[i];
    weights.as<cuda::Words4>()[(weight_channel * kF32Row + weight_output) / 4] = four;
    cuda::sync_block();
#pragma unroll
    for (int channel = 0; channel < kF32Channels; ++channel) {
      const cuda::Words4 a = pixels.as<cuda::Words4>()[(channel * kF32Row + pixel) / 4];
      const cuda::Words4 b = weights.as<cuda::Words4>()[(channel * kF32Row + output) / 4];
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j)
          sums[i][j] = cuda::fused(cuda::bits_float(a.word[i]), cuda::bits_float(b.word[j]), sums[i][j]);
    }
    place.advance(call, first_input, kF32Channels);
  }
#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int j = 0; j < 4; j += 2)
      store_outputs(call, cuda::block_z(), cuda::block_x() * kF32Tile + pixel + i,
                    cuda::block_y() * kF32Tile + output + j, sums[i][j], sums[i][j + 1]);
}

}  // namespace rushes::convolution_tiles
