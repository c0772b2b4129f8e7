// Between latents, which lie plane by plane, and the channels-last frames convolutions work on; clamping and blending.
#pragma once
#include <span>

#include "runtime/context.h"
#include "runtime/kernel.h"

namespace rushes {

/// out[y, x, c] = planes[c, t, y, x] * scale[c] + shift[c]. planes f32 [C, T, h, w]; out f32 [h, w, C].
void planes_to_frame(const Context& context, const Tensor& planes, int64_t t, std::span<const float> scale,
                     std::span<const float> shift, Tensor& out);

/// planes[c, t, y, x] = frame[y, x, c] * scale[c] + shift[c]. frame f32 [h, w, C]; planes f32 [C, T, h, w].
void frame_to_planes(const Context& context, const Tensor& frame, std::span<const float> scale,
                     std::span<const float> shift, Tensor& planes, int64_t t);

/// The part [top, top + height) x [left, left + width) of a frame: [h, w, C] -> [height, width, C], f32 or bf16.
Tensor crop_frame(const Context& context, const Tensor& frame, int64_t top, int64_t left, int64_t height,
                  int64_t width);

/// x = min(max(x, -1), 1), f32; NaN stays NaN.
void clamp_unit(const Context& context, Tensor& x);

/// canvas[top + y, left + x, c] += rows[y] * columns[x] * tile[y, x, c]. canvas f32 [H, W, C]; tile f32 [h, w, C].
void blend_tile(const Context& context, const Tensor& tile, std::span<const float> rows, std::span<const float> columns,
                int64_t top, int64_t left, Tensor& canvas);

void append_frames_checks(const CpuFeatures& features, std::vector<KernelCheck>& checks);

}  // namespace rushes
