// The VAE's stages on single frames (Wan-Video/Wan2.1:wan/modules/vae.py computes the same in chunks of 1 and 4).
// The residual stream is f32; what enters a convolution has the context's compute type.
#include "models/wan_vae/wan_vae_stream.h"

#include <cmath>

#include "ops/attention/attention.h"
#include "ops/elementwise/elementwise.h"
#include "runtime/transfer.h"

namespace rushes::wan_vae {
namespace {

constexpr int64_t kWindow = 3;  // frames that a temporal convolution sees
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

void Stream::push(const Tensor& frame, int64_t times) {
  if (part_ == Part::fine) return run(frame, times, half_.coarse);
  const Tensor x = half_.entry ? spatial(*half_.entry, frame, kPoint, context_.compute) : frame;
  for (int64_t before = 0; times > 0; ++before) {
    Tensor out = context_.allocate(DType::f32, with_channels(x, half_.first->out_channels));
    out = causal(*half_.first, first_, x, nullptr, std::move(out));
    report_();
    const int64_t equal = before < kWindow - 1 ? 1 : times;
    run(std::move(out), equal, 0);
    times -= equal;
  }
}

void Stream::run(Tensor x, int64_t times, size_t stage) {
  if (stage == half_.stages.size()) return finish(std::move(x), times);
  State& state = states_[stage];
  std::visit(Overloaded{[&](const ResidualStage& s) { residual(s, state, std::move(x), times, stage + 1); },
                        [&](const AttentionStage& s) { pass_on(apply(s, std::move(x)), times, stage + 1); },
                        [&](const UpsampleStage& s) {
                          for (int64_t i = 1; i < times; ++i) upsample(s, state, x, stage + 1);
                          upsample(s, state, std::move(x), stage + 1);
                        },
                        [&](const DownsampleStage& s) { downsample(s, state, std::move(x), times, stage + 1); }},
             half_.stages[stage]);
}

void Stream::pass_on(Tensor x, int64_t times, size_t next) {
  report_();
  if (part_ == Part::coarse && next == half_.coarse) {
    x = compute_copy(x);
    for (int64_t i = 0; i < times; ++i) emit_(x);
  } else {
    run(std::move(x), times, next);
  }
}

void Stream::finish(Tensor x, int64_t times) {
  Tensor normed = norm(x, half_.last_norm, true);
  const Shape shape = with_channels(x, half_.last->out_channels);
  x = Tensor();
  for (int64_t before = 0; times > 0; ++before) {
    Tensor out = context_.allocate(DType::f32, shape);
    const int64_t equal = before < kWindow - 1 ? 1 : times;
    times -= equal;
    out = causal(*half_.last, last_, times > 0 ? normed : std::move(normed), nullptr, std::move(out));
    if (half_.exit) out = spatial(*half_.exit, out, kPoint, DType::f32);
    report_();
    for (int64_t i = 0; i < equal; ++i) emit_(out);
  }
}

// Two convolutions see two windows, the second one of what the first one found.
void Stream::residual(const ResidualStage& stage, State& state, Tensor x, int64_t times, size_t next) {
  int64_t before = 0;
  for (; times > 1 && before < 2 * (kWindow - 1); ++before, --times) {
    Tensor own = x;
    if (!stage.shortcut) {  // its result overwrites what it is given
      own = context_.allocate(x.type(), x.shape());
      copy_tensor(context_, x, own);
    }
    pass_on(apply(stage, state, std::move(own), before), 1, next);
  }
  pass_on(apply(stage, state, std::move(x), before), times, next);
}

Tensor Stream::apply(const ResidualStage& stage, State& state, Tensor x, int64_t before) const {
  Tensor normed, hidden;
  if (before < kWindow || stage.shortcut)
    hidden = context_.allocate(DType::f32, with_channels(x, stage.convolution1->out_channels));
  if (before < kWindow) {
    normed = norm(x, stage.norm1, true);
    hidden = causal(*stage.convolution1, state.first, std::move(normed), nullptr, std::move(hidden));
    normed = norm(hidden, stage.norm2, true);
  } else {
    normed = state.second.newer;
  }
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
    return run(std::move(out), 1, next);
  }
  const FrameList window = {state.first.older, state.first.newer, compute_copy(x)};
  x = Tensor();
  for (const ConvolutionPtr& weights : {stage.even, stage.odd}) {
    FrameList made = {context_.allocate(context_.compute, with_channels(window[2], weights->out_channels))};
    convolution(context_, window, *weights, kPoint, nullptr, made);
    Tensor out = widen(made[0]);
    made.clear();
    run(std::move(out), 1, next);
  }
  state.first = {window[1], window[2]};
}

void Stream::downsample(const DownsampleStage& stage, State& state, Tensor x, int64_t times, size_t next) {
  const auto halve = [&](DType type) {
    Tensor halved = spatial(*stage.space, x, kHalved, type);
    report_();
    return halved;
  };
  if (stage.time && state.seen++ > 0) {
    const Tensor halved = halve(context_.compute);
    x = Tensor();
    return pair(stage, state, halved, times, next);
  }
  Tensor halved = halve(DType::f32);
  x = Tensor();
  if (!stage.time) return run(std::move(halved), times, next);
  // The first frame passes; after it each pair becomes one frame, together with the frame before the pair.
  Tensor kept = context_.allocate(context_.compute, halved.shape(), MemoryUse::cache);
  convert(context_, halved, kept);
  state.waiting = {kept};
  run(std::move(halved), 1, next);
  if (times > 1) pair(stage, state, kept, times - 1, next);
}

// `halved` comes so often: what waits becomes pairs, until a window holds nothing else.
void Stream::pair(const DownsampleStage& stage, State& state, const Tensor& halved, int64_t times, size_t next) {
  FrameList& waiting = state.waiting;
  int64_t before = 0;
  while (times > 0) {
    waiting.push_back(halved);
    ++before, --times;
    if (std::ssize(waiting) < kWindow) continue;
    FrameList made = {context_.allocate(DType::f32, with_channels(halved, stage.time->out_channels))};
    convolution(context_, waiting, *stage.time, {.stride_time = 2}, nullptr, made);
    waiting.erase(waiting.begin(), waiting.begin() + 2);
    const int64_t more = before < kWindow ? 0 : times / 2;  // pairs like this one
    times -= 2 * more;
    run(std::move(made[0]), 1 + more, next);
  }
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
