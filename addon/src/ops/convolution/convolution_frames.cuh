// What the GPU kernels of the convolution are told about one launch, and how a place of the kernel window maps to a
// place in a frame.
#pragma once
#include "cuda/device.h"

namespace rushes::convolution_tiles {

/// Output frames of one launch, and the frames of x that they can read.
constexpr int kLaunchFrames = 16, kLaunchInputs = 48;

struct FrameCall {
  const void* x[kLaunchInputs];         // [height, width, channels] as stored, null = zeros
  const void* residual[kLaunchFrames];  // [out_height, out_width, outputs]
  void* out[kLaunchFrames];
  const void* weights;
  const float* bias;  // [padded_outputs]
  int height, width;  // of a frame of x, doubled when `doubled`
  int stored_width, channels;
  int out_width, out_pixels, outputs;
  int kernel_time, kernel_height, kernel_width;
  int stride_time, stride_space, pad_top, pad_left;
  int padded_channels, padded_outputs;  // of the weights
  bool doubled, x_bf16, out_bf16, has_residual, residual_bf16;
};

/// The places of the kernel window that meet a frame, in order; frames of zeros are left out.
struct WindowPlace {
  int time = 0, row = 0, column = 0, channel = 0;  // channel: the first of the step

  RUSHES_DEVICE void skip_zero_frames(const FrameCall& call, int first_input) {
    while (time < call.kernel_time && !call.x[first_input + time]) ++time;
  }
  /// To the next step of `channels` channels.
  RUSHES_DEVICE void advance(const FrameCall& call, int first_input, int channels) {
    channel += channels;
    if (channel < call.padded_channels) return;
    channel = 0;
    if (++column < call.kernel_width) return;
    column = 0;
    if (++row < call.kernel_height) return;
    row = 0;
    ++time;
    skip_zero_frames(call, first_input);
  }
  RUSHES_DEVICE int tap(const FrameCall& call) const {
    return (time * call.kernel_height + row) * call.kernel_width + column;
  }
};

/// Steps of `channels` channels that an output frame takes.
RUSHES_DEVICE int window_steps(const FrameCall& call, int first_input, int channels) {
  int frames = 0;
  for (int time = 0; time < call.kernel_time; ++time) frames += call.x[first_input + time] != nullptr;
  return frames * call.kernel_height * call.kernel_width * (call.padded_channels / channels);
}

/// Where an output pixel's window begins; far outside for pixels beyond the last.
struct WindowOrigin {
  int y, x;

  RUSHES_DEVICE static WindowOrigin of(const FrameCall& call, int pixel) {
    if (pixel >= call.out_pixels) return {-(1 << 28), 0};
    const int row = pixel / call.out_width, column = pixel - row * call.out_width;
    return {row * call.stride_space - call.pad_top, column * call.stride_space - call.pad_left};
  }
  /// The stored pixel under the place of the window, or -1 in the padding.
  RUSHES_DEVICE int pixel_at(const FrameCall& call, const WindowPlace& place) const {
    const int at_y = y + place.row, at_x = x + place.column;
    if (at_y < 0 || at_y >= call.height || at_x < 0 || at_x >= call.width) return -1;
    return call.doubled ? (at_y >> 1) * call.stored_width + (at_x >> 1) : at_y * call.stored_width + at_x;
  }
};

/// Two neighbouring outputs of a pixel: bias and residual are added in f32, then rounded once.
RUSHES_DEVICE void store_outputs(const FrameCall& call, int frame, int pixel, int output, float first, float second) {
  if (pixel >= call.out_pixels || output >= call.outputs) return;
  const int64_t place = static_cast<int64_t>(pixel) * call.outputs + output;
  const bool has_second = output + 1 < call.outputs;
  float values[2] = {cuda::add(first, call.bias[output]), cuda::add(second, has_second ? call.bias[output + 1] : 0.0f)};
  if (call.outputs % 2 == 0) {  // both move at once
    if (call.has_residual) {
      float added[2];
      if (call.residual_bf16) {
        const uint32_t pair =
            *reinterpret_cast<const uint32_t*>(static_cast<const uint16_t*>(call.residual[frame]) + place);
        added[0] = cuda::bf16_low(pair);
        added[1] = cuda::bf16_high(pair);
      } else {
        const auto pair =
            *reinterpret_cast<const cuda::Words2*>(static_cast<const float*>(call.residual[frame]) + place);
        added[0] = cuda::bits_float(pair.word[0]);
        added[1] = cuda::bits_float(pair.word[1]);
      }
      for (int i = 0; i < 2; ++i) values[i] = cuda::add(values[i], added[i]);
    }
    if (call.out_bf16)
      *reinterpret_cast<uint32_t*>(static_cast<uint16_t*>(call.out[frame]) + place) =
          cuda::pack_bf16(values[0], values[1]);
    else
      *reinterpret_cast<cuda::Words2*>(static_cast<float*>(call.out[frame]) + place) =
          cuda::Words2{{cuda::float_bits(values[0]), cuda::float_bits(values[1])}};
    return;
  }
  for (int i = 0; i < (has_second ? 2 : 1); ++i) {
    if (call.has_residual)
      values[i] = cuda::add(
          values[i], call.residual_bf16 ? cuda::from_bf16(static_cast<const uint16_t*>(call.residual[frame])[place + i])
                                        : static_cast<const float*>(call.residual[frame])[place + i]);
    if (call.out_bf16)
      static_cast<uint16_t*>(call.out[frame])[place + i] = cuda::to_bf16(values[i]);
    else
      static_cast<float*>(call.out[frame])[place + i] = values[i];
  }
}

}  // namespace rushes::convolution_tiles
