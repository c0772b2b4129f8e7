// From the VAE's pixels to bytes: RGB for looking and saving, I420 planes for video encoders.
#pragma once
#include <span>

#include "runtime/context.h"
#include "runtime/kernel.h"

namespace rushes {

/// rgb = round to even((clamp(x, -1, 1) + 1) * 127.5), for `rgb.size()` values in the computer's memory. Returns
/// whether every one is finite; one that is not becomes an arbitrary byte.
bool pixels_to_rgb(const float* pixels, std::span<uint8_t> rgb);

/// The same bytes of a tensor: pixels f32 [frames, height, width, 3]; rgb u8 of the same shape, both on the context's
/// device. Waits for the device.
bool pixels_to_rgb(const Context& context, const Tensor& pixels, Tensor& rgb);

/// The same bytes and at once what media/yuv.h's rgb_to_i420 makes of them: for each frame Y' [height, width], then Cb
/// and Cr [height / 2, width / 2]. planes u8 [frames, height * width * 3 / 2]; height and width even.
bool pixels_to_i420(const Context& context, const Tensor& pixels, Tensor& planes);

void append_pixel_checks(const CpuFeatures& features, std::vector<KernelCheck>& checks);

}  // namespace rushes
