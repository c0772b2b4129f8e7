// The VAE's stages on single frames (Wan-Video/Wan2.1:wan/modules/vae.py computes the same in chunks of 1 and 4).
// The residual stream is f32; what enters a convolution has the context's compute type.
#include "models/wan_vae/wan_vae_stream.h"

#include <cmath>

#include "ops/attention/attention.h"
#include "ops/elementwise/elementwise.h"

namespace rushes::wan_vae {
namespace {

constexpr ConvolutionShape kSame = {.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1};
constexpr ConvolutionShape kPoint = {};
constexpr ConvolutionShape kHalved = {.stride_space = 2, .pad_bottom = 1, .pad_right = 1};
constexpr ConvolutionShape kDoubled = {.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1, .doubled = true};

template <class... Case>
struct Overloaded : Case... {
  using Case::operator()...;
};

Shape with_channels(const Tensor& frame, int64_t channels) { return {frame.size(0), frame.size(1), channels}; }

}  // namespace

Stream::Stream(const Context& context, const Half& half, std::function<void(Tensor)> emit, std::function<void()> report,
               Part part)
    : context_(context),
      half_(half),
      emit_(std::move(emit)),
      report_(std::move(report)),
      part_(part),
      states_(half.stages.size()) {}

void Stream::push(const Tensor& frame) {
  if (part_ == Part::fine) return run(frame, half_.coarse);
  Tensor x = half_.entry ? spatial(*half_.entry, frame, kPoint, context_.compute) : frame;
  Tensor out = context_.allocate(DType::f32, with_channels(x, half_.first->out_channels));
  x = causal(*half_.first, first_, std::move(x), nullptr, std::move(out));
  report_();
  run(std::move(x), 0);
}

void Stream::run(Tensor x, size_t stage) {
  for (; stage < half_.stages.size(); ++stage) {
    State& state = states_[stage];
    const bool passed_on = std::visit(
        Overloaded{[&](const ResidualStage& s) { return x = apply(s, state, std::move(x)), false; },
                   [&](const AttentionStage& s) { return x = apply(s, std::move(x)), false; },
                   [&](const UpsampleStage& s) { return upsample(s, state, std::move(x), stage + 1), true; },
                   [&](const DownsampleStage& s) { return downsample(s, state, std::move(x), stage + 1), true; }},
        half_.stages[stage]);
    if (passed_on) return;
    report_();
    if (part_ == Part::coarse && stage + 1 == half_.coarse) return emit_(compute_copy(x));
  }
  finish(std::move(x));
}

void Stream::finish(Tensor x) {
  Tensor normed = norm(x, half_.last_norm, true);
  Tensor out = context_.allocate(DType::f32, with_channels(x, half_.last->out_channels));
  x = Tensor();
  out = causal(*half_.last, last_, std::move(normed), nullptr, std::move(out));
  if (half_.exit) out = spatial(*half_.exit, out, kPoint, DType::f32);
  report_();
  emit_(std::move(out));
}

Tensor Stream::apply(const ResidualStage& stage, State& state, Tensor x) const {
  Tensor normed = norm(x, stage.norm1, true);
  Tensor hidden = context_.allocate(DType::f32, with_channels(x, stage.convolution1->out_channels));
  hidden = causal(*stage.convolution1, state.first, std::move(normed), nullptr, std::move(hidden));
  normed = norm(hidden, stage.norm2, true);
  // The result overwrites its own residual: element by element it is read just before it is written.
  if (stage.shortcut) {
    FrameList widened = {hidden};
    convolution(context_, FrameList{x}, *stage.shortcut, kPoint, nullptr, widened);
    x = std::move(hidden);
  }
  hidden = Tensor();
  return causal(*stage.convolution2, state.second, std::move(normed), &x, x);
}

Tensor Stream::apply(const AttentionStage& stage, Tensor x) const {
  const int64_t channels = x.size(2), pixels = x.size(0) * x.size(1);
  const Tensor normed = norm(x, stage.norm, false);
  const auto rows = [&](const Convolution& weights) {
    return spatial(weights, normed, kPoint, context_.compute).reshaped({pixels, channels});
  };
  const Tensor query = rows(*stage.query), key = rows(*stage.key), value = rows(*stage.value);
  Tensor mixed = context_.allocate(context_.compute, {pixels, channels});
  dense_attention(context_, query, key, value, 1, 1.0f / std::sqrt(static_cast<float>(channels)), nullptr, mixed);
  FrameList out = {x};
  convolution(context_, FrameList{mixed.reshaped(x.shape())}, *stage.projection, kPoint, &out, out);
  return x;
}

void Stream::upsample(const UpsampleStage& stage, State& state, Tensor x, size_t next) {
  const auto widen = [&](const Tensor& frame) {
    Tensor out = spatial(*stage.space, frame, kDoubled, DType::f32);
    report_();
    return out;
  };
  // The clip's first frame is not doubled in time and leaves nothing behind.
  if (!stage.even || state.seen++ == 0) {
    Tensor out = widen(x);
    x = Tensor();
    return run(std::move(out), next);
  }
  const FrameList window = {state.first.older, state.first.newer, compute_copy(x)};
  x = Tensor();
  for (const ConvolutionPtr& weights : {stage.even, stage.odd}) {
    FrameList made = {context_.allocate(context_.compute, with_channels(window[2], weights->out_channels))};
    convolution(context_, window, *weights, kPoint, nullptr, made);
    Tensor out = widen(made[0]);
    made.clear();
    run(std::move(out), next);
  }
  state.first = {window[1], window[2]};
}

void Stream::downsample(const DownsampleStage& stage, State& state, Tensor x, size_t next) {
  Tensor halved = spatial(*stage.space, x, kHalved, stage.time && state.seen ? context_.compute : DType::f32);
  x = Tensor();
  report_();
  if (!stage.time) return run(std::move(halved), next);
  // The first frame passes; after it each pair becomes one frame, together with the frame before the pair.
  if (state.seen++ == 0) {
    Tensor kept = context_.allocate(context_.compute, halved.shape(), MemoryUse::cache);
    convert(context_, halved, kept);
    state.waiting = {std::move(kept)};
    return run(std::move(halved), next);
  }
  state.waiting.push_back(std::move(halved));
  if (state.waiting.size() < 3) return;
  FrameList made = {context_.allocate(DType::f32, with_channels(state.waiting[0], stage.time->out_channels))};
  convolution(context_, state.waiting, *stage.time, {.stride_time = 2}, nullptr, made);
  state.waiting.erase(state.waiting.begin(), state.waiting.begin() + 2);
  run(std::move(made[0]), next);
}

Tensor Stream::norm(const Tensor& x, const Tensor& gamma, bool silu) const {
  Tensor out = context_.allocate(context_.compute, x.shape(), MemoryUse::cache);
  channel_norm(context_, x, gamma, silu, out);
  return out;
}

Tensor Stream::compute_copy(const Tensor& x) const {
  if (x.type() == context_.compute) return x;
  Tensor out = context_.allocate(context_.compute, x.shape(), MemoryUse::cache);
  convert(context_, x, out);
  return out;
}

Tensor Stream::spatial(const Convolution& weights, const Tensor& x, const ConvolutionShape& shape, DType type) const {
  const int64_t factor = shape.doubled ? 2 : 1;
  const auto side = [&](int64_t size, int padding, int kernel) {
    return (size * factor + padding - kernel) / shape.stride_space + 1;
  };
  FrameList out = {context_.allocate(
      type, {side(x.size(0), shape.pad_top + shape.pad_bottom, weights.kernel_height),
             side(x.size(1), shape.pad_left + shape.pad_right, weights.kernel_width), weights.out_channels})};
  convolution(context_, FrameList{x}, weights, shape, nullptr, out);
  return out[0];
}

Tensor Stream::causal(const Convolution& weights, Past& past, Tensor x, const Tensor* residual, Tensor out) const {
  FrameList results = {out};
  if (residual) {
    const FrameList added = {*residual};
    convolution(context_, {past.older, past.newer, x}, weights, kSame, &added, results);
  } else {
    convolution(context_, {past.older, past.newer, x}, weights, kSame, nullptr, results);
  }
  past.older = std::move(past.newer);
  past.newer = std::move(x);
  return out;
}

}  // namespace rushes::wan_vae
