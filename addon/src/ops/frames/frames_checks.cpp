// Every frame kernel against the reference on sizes that nothing divides. All round each operation alike, so nothing
// may differ.
#include "ops/check_context.h"
#include "ops/frames/frames.h"
#include "ops/frames/frames_kernels.h"
#include "runtime/random.h"
#include "runtime/transfer.h"

namespace rushes {
namespace {

struct Case {
  int64_t channels, frames, height, width;
};
constexpr Case kCases[] = {{16, 3, 7, 11}, {3, 1, 1, 1}, {3, 2, 20, 37}, {48, 2, 5, 9}};

std::vector<float> numbers(int64_t count, float first, float step) {
  std::vector<float> out(static_cast<size_t>(count));
  for (size_t i = 0; i < out.size(); ++i) out[i] = first + step * static_cast<float>(i);
  return out;
}

/// What one operation makes of the case on a context, from the same random numbers on each.
using Run = Tensor (*)(const Context& context, const Case& c);

Tensor random_on(const Context& context, Shape shape, uint64_t seed) {
  return check::random_tensor(context, std::move(shape), seed, 1.5f);
}

Tensor run_planes_to_frame(const Context& context, const Case& c) {
  const Tensor planes = random_on(context, {c.channels, c.frames, c.height, c.width}, 1);
  Tensor out = context.allocate(DType::f32, {c.height, c.width, c.channels});
  planes_to_frame(context, planes, c.frames - 1, numbers(c.channels, 0.3f, 0.07f), numbers(c.channels, -1, 0.11f), out);
  return out;
}

Tensor run_frame_to_planes(const Context& context, const Case& c) {
  const Tensor frame = random_on(context, {c.height, c.width, c.channels}, 2);
  Tensor planes = random_on(context, {c.channels, c.frames, c.height, c.width}, 3);
  frame_to_planes(context, frame, numbers(c.channels, 0.3f, 0.07f), numbers(c.channels, -1, 0.11f), planes,
                  c.frames / 2);
  return planes;
}

Tensor run_crop_frame(const Context& context, const Case& c) {
  const DType type = c.channels % 2 ? DType::f32 : DType::bf16;
  const Tensor frame = check::random_tensor(context, {c.height, c.width, c.channels}, 4, 1.5f, type);
  const int64_t top = c.height / 3, left = c.width / 4;
  return crop_frame(context, frame, top, left, c.height - top, (c.width - left + 1) / 2);
}

Tensor run_clamp_unit(const Context& context, const Case& c) {
  Tensor x = random_on(context, {c.channels, c.height, c.width}, 5);
  clamp_unit(context, x);
  return x;
}

Tensor run_blend_tile(const Context& context, const Case& c) {
  const Tensor tile = random_on(context, {c.height, c.width, c.channels}, 6);
  Tensor canvas = random_on(context, {c.height + 3, c.width + 5, c.channels}, 7);
  blend_tile(context, tile, numbers(c.height, 0.1f, 0.03f), numbers(c.width, 0.9f, -0.02f), 2, 4, canvas);
  return canvas;
}

template <class Function>
void append(const CpuFeatures& features, const std::vector<Kernel<Function>>& table, Run run,
            std::vector<KernelCheck>& checks) {
  for (const auto& kernel : table)
    for (const Case& c : kCases)
      if (check::can_check(kernel.info, features))
        checks.push_back({kernel.info,
                          "channels " + std::to_string(c.channels) + " frames " + std::to_string(c.frames) + " size " +
                              std::to_string(c.height) + " x " + std::to_string(c.width),
                          0, [info = kernel.info, c, run](int threads) {
                            return check::relative_error(run(check::context_for(info, threads), c),
                                                         run(check::context_for({{}, {}, Backend::reference}, 1), c));
                          }});
}

}  // namespace

void append_frames_checks(const CpuFeatures& features, std::vector<KernelCheck>& checks) {
  append(features, planes_to_frame_kernels(), run_planes_to_frame, checks);
  append(features, frame_to_planes_kernels(), run_frame_to_planes, checks);
  append(features, crop_frame_kernels(), run_crop_frame, checks);
  append(features, clamp_unit_kernels(), run_clamp_unit, checks);
  append(features, blend_tile_kernels(), run_blend_tile, checks);
}

}  // namespace rushes
