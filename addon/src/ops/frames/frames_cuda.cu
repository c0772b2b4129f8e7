// Moving, clamping and blending frames on a GPU. Little data beside the convolutions around it, so the kernels are
// plain: neighbouring threads read neighbouring numbers, and every operation is rounded as on the CPU, to the same
// bits.
#include "cuda/access_choice.h"
#include "cuda/elements.h"
#include "cuda/launch.h"
#include "ops/frames/frames_cuda.h"

namespace rushes {
namespace {
using namespace cuda;

constexpr int kThreads = 256;

Grid blocks_for(int64_t count) { return {static_cast<int>((count + kThreads - 1) / kThreads)}; }
RUSHES_DEVICE int64_t global_thread() { return static_cast<int64_t>(block_x()) * kThreads + thread_index(); }

/// Scale and shift travel as parameters of the kernel, so that no memory is needed for them.
struct ChannelLine {
  float scale[kMostFrameChannels], shift[kMostFrameChannels];
  RUSHES_DEVICE float of(int channel, float x) const { return add(multiply(x, scale[channel]), shift[channel]); }
};

/// A thread takes all channels of one pixel; kVector of them are neighbours in the frame.
template <bool kToFrame, int kVector>
RUSHES_KERNEL(kThreads, 4)
move_planes(float* planes, float* frame, ChannelLine line, int channels, int64_t pixels, int64_t plane) {
  const int64_t pixel = global_thread();
  if (pixel >= pixels) return;
  planes += pixel;
  frame += pixel * channels;
  for (int c = 0; c < channels; c += kVector) {
    float value[kVector];
    if constexpr (!kToFrame) load_elements<F32>(value, frame + c);
    for (int i = 0; i < kVector; ++i) {
      if constexpr (kToFrame)
        value[i] = line.of(c + i, planes[(c + i) * plane]);
      else
        planes[(c + i) * plane] = line.of(c + i, value[i]);
    }
    if constexpr (kToFrame) store_elements<F32>(frame + c, value);
  }
}

template <bool kToFrame>
void move(const PlaneCall& call) {
  ChannelLine line{};
  for (int64_t c = 0; c < call.channels; ++c) {
    line.scale[c] = call.scale[c];
    line.shift[c] = call.shift[c];
  }
  const int64_t pixels = call.height * call.width;
  const bool whole = choose_run(4, call.channels, {{call.frame, sizeof(float)}}) == 4;
  launch(call.device->stream(), kToFrame ? "planes_to_frame" : "frame_to_planes",
         whole ? move_planes<kToFrame, 4> : move_planes<kToFrame, 1>, blocks_for(pixels), kThreads, 0, call.planes,
         call.frame, line, static_cast<int>(call.channels), pixels, call.frames * pixels);
}

/// A block copies one row of the part.
RUSHES_KERNEL(kThreads, 4) crop_rows(CropCall call) {
  const uint16_t* from = call.from + block_x() * call.from_words;
  uint16_t* to = call.out + block_x() * call.words;
  for (int64_t i = thread_index(); i < call.words; i += kThreads) to[i] = from[i];
}

void crop(const CropCall& call) {
  launch(call.device->stream(), "crop_frame", crop_rows, Grid{static_cast<int>(call.rows)}, kThreads, 0,
         without_device(call));
}

/// A comparison with NaN is false, so NaN stays.
template <int kVector>
RUSHES_KERNEL(kThreads, 4)
clamp_elements(float* data, int64_t count) {
  const int64_t first = global_thread() * kVector;
  if (first + kVector <= count) {
    float x[kVector];
    load_elements<F32>(x, data + first);
    for (int i = 0; i < kVector; ++i) x[i] = x[i] < -1.0f ? -1.0f : x[i] > 1.0f ? 1.0f : x[i];
    store_elements<F32>(data + first, x);
    return;
  }
  for (int64_t i = first; i < count; ++i) data[i] = data[i] < -1.0f ? -1.0f : data[i] > 1.0f ? 1.0f : data[i];
}

void clamp(const ClampCall& call) {
  const bool whole = choose_run(4, 4, {{call.data, sizeof(float)}}) == 4;
  launch(call.device->stream(), "clamp_unit", whole ? clamp_elements<4> : clamp_elements<1>,
         blocks_for(whole ? (call.count + 3) / 4 : call.count), kThreads, 0, call.data, call.count);
}

/// Row block_y of the tile; tile and canvas rows are `width * channels` numbers.
RUSHES_KERNEL(kThreads, 4) blend_rows(BlendCall call) {
  const int64_t i = global_thread(), y = block_y(), length = call.width * call.channels;
  if (i >= length) return;
  const float weight = multiply(call.rows[y], call.columns[i / call.channels]);
  float* to = call.canvas + ((call.top + y) * call.canvas_width + call.left) * call.channels + i;
  *to = add(*to, multiply(weight, call.tile[y * length + i]));
}

void blend(const BlendCall& call) {
  const auto bytes_of = [](int64_t count) { return static_cast<uint64_t>(count) * sizeof(float); };
  const Storage rows(nullptr, MemoryUse::activations, bytes_of(call.height), false, call.device);
  const Storage columns(nullptr, MemoryUse::activations, bytes_of(call.width), false, call.device);
  call.device->upload(rows.data(), call.rows, rows.bytes());
  call.device->upload(columns.data(), call.columns, columns.bytes());
  Grid grid = blocks_for(call.width * call.channels);
  grid.y = static_cast<int>(call.height);
  BlendCall on_card = without_device(call);
  on_card.rows = reinterpret_cast<const float*>(rows.data());
  on_card.columns = reinterpret_cast<const float*>(columns.data());
  launch(call.device->stream(), "blend_tile", blend_rows, grid, kThreads, 0, on_card);
}

}  // namespace

std::vector<Kernel<PlaneFunction>> planes_to_frame_cuda_kernels() {
  return {{{"planes_to_frame", "planes_to_frame_f32_cuda", Backend::cuda}, move<true>}};
}
std::vector<Kernel<PlaneFunction>> frame_to_planes_cuda_kernels() {
  return {{{"frame_to_planes", "frame_to_planes_f32_cuda", Backend::cuda}, move<false>}};
}
std::vector<Kernel<CropFunction>> crop_frame_cuda_kernels() {
  return {{{"crop_frame", "crop_frame_cuda", Backend::cuda}, crop}};
}
std::vector<Kernel<ClampFunction>> clamp_unit_cuda_kernels() {
  return {{{"clamp_unit", "clamp_unit_f32_cuda", Backend::cuda}, clamp}};
}
std::vector<Kernel<BlendFunction>> blend_tile_cuda_kernels() {
  return {{{"blend_tile", "blend_tile_f32_cuda", Backend::cuda}, blend}};
}

}  // namespace rushes
