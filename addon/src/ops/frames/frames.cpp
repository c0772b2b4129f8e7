// Moving, clamping and blending frames: memory-bound loops, one row of pixels at a time.
#include "ops/frames/frames.h"

#include <algorithm>
#include <cstring>

namespace rushes {
namespace {

void require(bool fits, const char* what, const Tensor& tensor) {
  if (!fits)
    throw Error("engine.internal", "Frames were given the wrong shape.", {},
                std::string(what) + " " + shape_text(tensor.shape()));
}

void count_pass(const Context& context, uint64_t bytes) {
  if (context.work) context.work->pass(static_cast<double>(bytes));
}

}  // namespace

void planes_to_frame(const Context& context, const Tensor& planes, int64_t t, std::span<const float> scale,
                     std::span<const float> shift, Tensor& out) {
  require(planes.rank() == 4 && t >= 0 && t < planes.size(1), "planes", planes);
  const int64_t channels = planes.size(0), height = planes.size(2), width = planes.size(3), frames = planes.size(1);
  require(out.shape() == Shape{height, width, channels}, "out", out);
  count_pass(context, 2 * out.bytes());
  if (context.dry_run) return;
#pragma omp parallel for num_threads(context.threads) schedule(static)
  for (int64_t y = 0; y < height; ++y)
    for (int64_t c = 0; c < channels; ++c) {
      const float* from = planes.data<float>() + ((c * frames + t) * height + y) * width;
      float* to = out.data<float>() + y * width * channels + c;
      const float a = scale[static_cast<size_t>(c)], b = shift[static_cast<size_t>(c)];
      for (int64_t x = 0; x < width; ++x) to[x * channels] = from[x] * a + b;
    }
}

void frame_to_planes(const Context& context, const Tensor& frame, std::span<const float> scale,
                     std::span<const float> shift, Tensor& planes, int64_t t) {
  require(planes.rank() == 4 && t >= 0 && t < planes.size(1), "planes", planes);
  const int64_t channels = planes.size(0), height = planes.size(2), width = planes.size(3), frames = planes.size(1);
  require(frame.shape() == Shape{height, width, channels}, "frame", frame);
  count_pass(context, 2 * frame.bytes());
  if (context.dry_run) return;
#pragma omp parallel for num_threads(context.threads) schedule(static)
  for (int64_t y = 0; y < height; ++y)
    for (int64_t c = 0; c < channels; ++c) {
      float* to = planes.data<float>() + ((c * frames + t) * height + y) * width;
      const float* from = frame.data<float>() + y * width * channels + c;
      const float a = scale[static_cast<size_t>(c)], b = shift[static_cast<size_t>(c)];
      for (int64_t x = 0; x < width; ++x) to[x] = from[x * channels] * a + b;
    }
}

Tensor crop_planes(const Context& context, const Tensor& planes, int64_t top, int64_t left, int64_t height,
                   int64_t width) {
  require(
      planes.rank() == 4 && top >= 0 && left >= 0 && top + height <= planes.size(2) && left + width <= planes.size(3),
      "planes", planes);
  Tensor out = context.allocate(DType::f32, {planes.size(0), planes.size(1), height, width});
  count_pass(context, 2 * out.bytes());
  if (context.dry_run) return out;
  for (int64_t plane = 0; plane < planes.size(0) * planes.size(1); ++plane)
    for (int64_t y = 0; y < height; ++y)
      std::memcpy(out.data<float>() + (plane * height + y) * width,
                  planes.data<float>() + (plane * planes.size(2) + top + y) * planes.size(3) + left,
                  static_cast<size_t>(width) * sizeof(float));
  return out;
}

void clamp_unit(const Context& context, Tensor& x) {
  count_pass(context, 2 * x.bytes());
  if (context.dry_run) return;
  float* const data = x.data<float>();
  const int64_t count = x.count();
#pragma omp parallel for num_threads(context.threads) schedule(static)
  for (int64_t i = 0; i < count; ++i) data[i] = data[i] < -1.0f ? -1.0f : data[i] > 1.0f ? 1.0f : data[i];
}

void blend_tile(const Context& context, const Tensor& tile, std::span<const float> rows, std::span<const float> columns,
                int64_t top, int64_t left, Tensor& canvas) {
  require(tile.rank() == 3 && tile.size(0) == static_cast<int64_t>(rows.size()) &&
              tile.size(1) == static_cast<int64_t>(columns.size()),
          "tile", tile);
  require(canvas.rank() == 3 && canvas.size(2) == tile.size(2) && top + tile.size(0) <= canvas.size(0) &&
              left + tile.size(1) <= canvas.size(1),
          "canvas", canvas);
  count_pass(context, 3 * tile.bytes());
  if (context.dry_run) return;
  const int64_t width = tile.size(1), channels = tile.size(2);
#pragma omp parallel for num_threads(context.threads) schedule(static)
  for (int64_t y = 0; y < tile.size(0); ++y) {
    const float* from = tile.data<float>() + y * width * channels;
    float* to = canvas.data<float>() + ((top + y) * canvas.size(1) + left) * channels;
    for (int64_t x = 0; x < width; ++x) {
      const float weight = rows[static_cast<size_t>(y)] * columns[static_cast<size_t>(x)];
      for (int64_t c = 0; c < channels; ++c) to[x * channels + c] += weight * from[x * channels + c];
    }
  }
}

}  // namespace rushes
