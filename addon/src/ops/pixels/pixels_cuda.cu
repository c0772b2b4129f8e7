// Pixels to bytes on a GPU, so that a quarter (RGB) or an eighth (I420) of the bytes goes to the host. Bound by memory:
// every pixel is read once, and its neighbours for chroma from the first-level cache.
#include "cuda/access_choice.h"
#include "cuda/launch.h"
#include "ops/pixels/bt709.h"
#include "ops/pixels/pixels_cuda.h"

namespace rushes::cuda {
namespace {

constexpr int kThreads = 256, kValues = 16;

/// The CPU's formula, each operation rounded as there; `finite` turns false when the pixel is not.
RUSHES_DEVICE uint32_t level(float value, bool& finite) {
  finite = finite && (float_bits(value) & 0x7f800000u) != 0x7f800000u;
  const float clamped = value < -1.0f ? -1.0f : 1.0f < value ? 1.0f : value;
  return static_cast<uint32_t>(round_to_int(multiply(add(clamped, 1.0f), 127.5f)));
}

/// The whole warp: one lane tells.
RUSHES_DEVICE void report(bool finite, uint32_t* not_finite) {
  if (warp_ballot(!finite) && lane_index() == 0) atomic_or(not_finite, 1);
}

/// 16 values a thread where both sides lie on 16 bytes, else one by one.
RUSHES_KERNEL(kThreads, 4)
rgb_of_pixels(const float* pixels, uint8_t* rgb, int64_t count, uint32_t* not_finite, bool aligned) {
  const int64_t first = (static_cast<int64_t>(block_x()) * kThreads + thread_index()) * kValues;
  bool finite = true;
  if (aligned && first + kValues <= count) {
    Words4 bytes;
    for (int i = 0; i < 4; ++i) {
      const Words4 four = *reinterpret_cast<const Words4*>(pixels + first + 4 * i);
      bytes.word[i] = 0;
      for (int j = 0; j < 4; ++j) bytes.word[i] |= level(bits_float(four.word[j]), finite) << (8 * j);
    }
    *reinterpret_cast<Words4*>(rgb + first) = bytes;
  } else {
    for (int i = 0; i < kValues && first + i < count; ++i)
      rgb[first + i] = static_cast<uint8_t>(level(pixels[first + i], finite));
  }
  report(finite, not_finite);
}

/// A thread makes four samples of Y' and one of Cb and Cr. Grid: pairs of columns, rows of chroma, frames.
RUSHES_KERNEL(kThreads, 4)
i420_of_pixels(const float* pixels, uint8_t* planes, int height, int width, uint32_t* not_finite) {
  const int column = (block_x() * kThreads + thread_index()) * 2, row = block_y() * 2;
  const int64_t area = static_cast<int64_t>(height) * width, frame = block_z();
  bool finite = true;
  if (column < width) {
    uint8_t* const luma = planes + frame * (area + area / 2);
    int red = 0, green = 0, blue = 0;
    for (int below = 0; below < 2; ++below) {
      const float* const line = pixels + (frame * area + static_cast<int64_t>(row + below) * width) * 3;
      for (int tap = -1; tap < 2; ++tap) {
        const int at = column + tap < 0 ? 0 : column + tap;
        const int r = static_cast<int>(level(line[3 * at], finite)),
                  g = static_cast<int>(level(line[3 * at + 1], finite)),
                  b = static_cast<int>(level(line[3 * at + 2], finite)), weight = tap ? 1 : 2;
        red += weight * r;
        green += weight * g;
        blue += weight * b;
        if (tap >= 0) luma[static_cast<int64_t>(row + below) * width + column + tap] = bt709::luma(r, g, b);
      }
    }
    const int64_t place = static_cast<int64_t>(row / 2) * (width / 2) + column / 2;
    luma[area + place] = bt709::chroma_blue(red, green, blue);
    luma[area + area / 4 + place] = bt709::chroma_red(red, green, blue);
  }
  report(finite, not_finite);
}

void run_rgb(const PixelCall& call) {
  const int64_t count = call.frames * call.height * call.width * 3, each = int64_t{kThreads} * kValues;
  const bool aligned = choose_run(kValues, kValues, {{call.pixels, sizeof(float)}, {call.out, 1}}) == kValues;
  launch(call.device->stream(), "pixels to RGB", rgb_of_pixels, Grid{static_cast<int>((count + each - 1) / each)},
         kThreads, 0, call.pixels, call.out, count, call.not_finite, aligned);
}

void run_i420(const PixelCall& call) {
  const int pairs = static_cast<int>(call.width / 2);
  launch(call.device->stream(), "pixels to I420", i420_of_pixels,
         Grid{(pairs + kThreads - 1) / kThreads, static_cast<int>(call.height / 2), static_cast<int>(call.frames)},
         kThreads, 0, call.pixels, call.out, static_cast<int>(call.height), static_cast<int>(call.width),
         call.not_finite);
}

}  // namespace
}  // namespace rushes::cuda

namespace rushes {

std::vector<Kernel<PixelFunction>> pixels_to_rgb_cuda_kernels() {
  return {
      {{.operation = "pixels_to_rgb", .name = "pixels_to_rgb_cuda", .backend = Backend::cuda, .least_architecture = 80},
       cuda::run_rgb}};
}
std::vector<Kernel<PixelFunction>> pixels_to_i420_cuda_kernels() {
  return {{{.operation = "pixels_to_i420",
            .name = "pixels_to_i420_cuda",
            .backend = Backend::cuda,
            .least_architecture = 80},
           cuda::run_i420}};
}

}  // namespace rushes
