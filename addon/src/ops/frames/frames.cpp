// Moving, clamping and blending frames: argument checks, kernel tables, and the loops of the CPU, which are
// memory-bound and work on one row of pixels at a time.
#include "ops/frames/frames.h"

#include <algorithm>
#include <cstring>

#include "ops/frames/frames_cuda.h"

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

void planes_to_frame_loops(const PlaneCall& call) {
  const int64_t plane = call.frames * call.height * call.width, width = call.width, channels = call.channels;
#pragma omp parallel for num_threads(call.threads) schedule(static)
  for (int64_t y = 0; y < call.height; ++y)
    for (int64_t c = 0; c < channels; ++c) {
      const float* from = call.planes + c * plane + y * width;
      float* to = call.frame + y * width * channels + c;
      const float a = call.scale[c], b = call.shift[c];
      for (int64_t x = 0; x < width; ++x) to[x * channels] = from[x] * a + b;
    }
}

void frame_to_planes_loops(const PlaneCall& call) {
  const int64_t plane = call.frames * call.height * call.width, width = call.width, channels = call.channels;
#pragma omp parallel for num_threads(call.threads) schedule(static)
  for (int64_t y = 0; y < call.height; ++y)
    for (int64_t c = 0; c < channels; ++c) {
      float* to = call.planes + c * plane + y * width;
      const float* from = call.frame + y * width * channels + c;
      const float a = call.scale[c], b = call.shift[c];
      for (int64_t x = 0; x < width; ++x) to[x] = from[x * channels] * a + b;
    }
}

void crop_frame_loops(const CropCall& call) {
  for (int64_t y = 0; y < call.rows; ++y)
    std::memcpy(call.out + y * call.words, call.from + y * call.from_words,
                static_cast<size_t>(call.words) * sizeof(uint16_t));
}

void clamp_unit_loops(const ClampCall& call) {
  float* const data = call.data;
#pragma omp parallel for num_threads(call.threads) schedule(static)
  for (int64_t i = 0; i < call.count; ++i) data[i] = data[i] < -1.0f ? -1.0f : data[i] > 1.0f ? 1.0f : data[i];
}

void blend_tile_loops(const BlendCall& call) {
  const int64_t width = call.width, channels = call.channels;
#pragma omp parallel for num_threads(call.threads) schedule(static)
  for (int64_t y = 0; y < call.height; ++y) {
    const float* from = call.tile + y * width * channels;
    float* to = call.canvas + ((call.top + y) * call.canvas_width + call.left) * channels;
    for (int64_t x = 0; x < width; ++x) {
      const float weight = call.rows[y] * call.columns[x];
      for (int64_t c = 0; c < channels; ++c) to[x * channels + c] += weight * from[x * channels + c];
    }
  }
}

// The loops are plain enough to be both the reference and the portable kernel.
template <class Function>
std::vector<Kernel<Function>> table_of(std::string_view operation, std::string_view reference,
                                       std::string_view portable, Function loops,
                                       const std::vector<Kernel<Function>>& cuda) {
  std::vector<Kernel<Function>> table{{{operation, reference, Backend::reference}, loops},
                                      {{operation, portable, Backend::cpu}, loops}};
  table.insert(table.end(), cuda.begin(), cuda.end());
  return table;
}

PlaneCall plane_call(const Context& context, const Tensor& planes, int64_t t, std::span<const float> scale,
                     std::span<const float> shift, const Tensor& frame) {
  require(planes.size(0) <= kMostFrameChannels, "planes", planes);
  PlaneCall call;
  call.planes = planes.data<float>() + t * planes.size(2) * planes.size(3);
  call.frame = frame.data<float>();
  call.channels = planes.size(0);
  call.frames = planes.size(1);
  call.height = planes.size(2);
  call.width = planes.size(3);
  call.scale = scale.data();
  call.shift = shift.data();
  call.threads = context.threads;
  call.device = context.device;
  return call;
}

}  // namespace

#define RUSHES_FRAME_TABLE(Function, operation)                                                               \
  const std::vector<Kernel<Function>>& operation##_kernels() {                                                \
    static const auto table = table_of<Function>(#operation, #operation "_reference", #operation "_portable", \
                                                 operation##_loops, operation##_cuda_kernels());              \
    return table;                                                                                             \
  }
RUSHES_FRAME_TABLE(PlaneFunction, planes_to_frame)
RUSHES_FRAME_TABLE(PlaneFunction, frame_to_planes)
RUSHES_FRAME_TABLE(CropFunction, crop_frame)
RUSHES_FRAME_TABLE(ClampFunction, clamp_unit)
RUSHES_FRAME_TABLE(BlendFunction, blend_tile)

void planes_to_frame(const Context& context, const Tensor& planes, int64_t t, std::span<const float> scale,
                     std::span<const float> shift, Tensor& out) {
  require(planes.rank() == 4 && t >= 0 && t < planes.size(1), "planes", planes);
  const int64_t channels = planes.size(0), height = planes.size(2), width = planes.size(3);
  require(out.shape() == Shape{height, width, channels}, "out", out);
  count_pass(context, 2 * out.bytes());
  if (context.dry_run) return;
  choose_kernel(planes_to_frame_kernels(), context).run(plane_call(context, planes, t, scale, shift, out));
}

void frame_to_planes(const Context& context, const Tensor& frame, std::span<const float> scale,
                     std::span<const float> shift, Tensor& planes, int64_t t) {
  require(planes.rank() == 4 && t >= 0 && t < planes.size(1), "planes", planes);
  const int64_t channels = planes.size(0), height = planes.size(2), width = planes.size(3);
  require(frame.shape() == Shape{height, width, channels}, "frame", frame);
  count_pass(context, 2 * frame.bytes());
  if (context.dry_run) return;
  choose_kernel(frame_to_planes_kernels(), context).run(plane_call(context, planes, t, scale, shift, frame));
}

Tensor crop_frame(const Context& context, const Tensor& frame, int64_t top, int64_t left, int64_t height,
                  int64_t width) {
  require(frame.rank() == 3 && top >= 0 && left >= 0 && top + height <= frame.size(0) && left + width <= frame.size(1),
          "frame", frame);
  Tensor out = context.allocate(frame.type(), {height, width, frame.size(2)}, MemoryUse::cache);
  count_pass(context, 2 * out.bytes());
  if (context.dry_run) return out;
  const int64_t pixel = frame.size(2) * static_cast<int64_t>(dtype_size(frame.type()) / sizeof(uint16_t));
  CropCall call;
  call.from = reinterpret_cast<const uint16_t*>(frame.raw()) + (top * frame.size(1) + left) * pixel;
  call.out = reinterpret_cast<uint16_t*>(out.raw());
  call.rows = height;
  call.words = width * pixel;
  call.from_words = frame.size(1) * pixel;
  call.device = context.device;
  choose_kernel(crop_frame_kernels(), context).run(call);
  return out;
}

void clamp_unit(const Context& context, Tensor& x) {
  count_pass(context, 2 * x.bytes());
  if (context.dry_run) return;
  choose_kernel(clamp_unit_kernels(), context).run({x.data<float>(), x.count(), context.threads, context.device});
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
  BlendCall call;
  call.tile = tile.data<float>();
  call.canvas = canvas.data<float>();
  call.rows = rows.data();
  call.columns = columns.data();
  call.height = tile.size(0);
  call.width = tile.size(1);
  call.channels = tile.size(2);
  call.canvas_width = canvas.size(1);
  call.top = top;
  call.left = left;
  call.threads = context.threads;
  call.device = context.device;
  choose_kernel(blend_tile_kernels(), context).run(call);
}

}  // namespace rushes
