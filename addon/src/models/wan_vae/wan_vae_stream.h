// One half of the VAE at work: frames go in one by one, results come out as soon as they exist, and the caches of the
// temporal convolutions stay in between.
#pragma once
#include <functional>
#include <vector>

#include "models/wan_vae/wan_vae_weights.h"

namespace rushes::wan_vae {

/// Equal to running the whole clip at once: a causal convolution needs two frames of the past and no more. Holds two
/// input frames per temporal convolution, whatever the clip's length.
class Stream {
 public:
  /// Which layers a stream is made of: all of them, those before the half's coarse stages end, or those after.
  enum class Part { whole, coarse, fine };
  /// `emit` takes each finished frame [H, W, C]: f32, of the coarse part in the compute type, in which the fine part
  /// reads it; `report` is called after each stage of each frame.
  Stream(const Context& context, const Half& half, std::function<void(Tensor)> emit, std::function<void()> report,
         Part part = Part::whole);
  /// The next frame, f32 [H, W, C], of the fine part a crop of what the coarse part emitted; its memory is shared, not
  /// changed. `times` >= 1: it comes so often in a row. Every layer then computes until its window holds nothing else,
  /// and hands on what it found for the rest: the same bits as pushing it so often.
  void push(const Tensor& frame, int64_t times = 1);

 private:
  /// The two frames before the current one; undefined = before the clip's first frame = zeros.
  struct Past {
    Tensor older, newer;
  };
  struct State {
    Past first, second;
    int64_t seen = 0;
    FrameList waiting;  // DownsampleStage: the last frame of the previous pair, then the current pair
  };

  // `times`: as in push, of what enters a stage. `before`: so many frames before this one are equal to it.
  void run(Tensor x, int64_t times, size_t stage);
  void pass_on(Tensor x, int64_t times, size_t next);
  void finish(Tensor x, int64_t times);
  void residual(const ResidualStage& stage, State& state, Tensor x, int64_t times, size_t next);
  Tensor apply(const ResidualStage& stage, State& state, Tensor x, int64_t before) const;
  Tensor apply(const AttentionStage& stage, Tensor x) const;
  void upsample(const UpsampleStage& stage, State& state, Tensor x, size_t next);
  void downsample(const DownsampleStage& stage, State& state, Tensor x, int64_t times, size_t next);
  void pair(const DownsampleStage& stage, State& state, const Tensor& halved, int64_t times, size_t next);

  Tensor norm(const Tensor& x, const Tensor& gamma, bool silu) const;
  Tensor compute_copy(const Tensor& x) const;
  Tensor spatial(const Convolution& weights, const Tensor& x, const ConvolutionShape& shape, DType type) const;
  Tensor causal(const Convolution& weights, Past& past, Tensor x, const Tensor* residual, Tensor out) const;

  const Context& context_;
  const Half& half_;
  std::function<void(Tensor)> emit_;
  std::function<void()> report_;
  Part part_;
  Past first_, last_;
  std::vector<State> states_;
};

}  // namespace rushes::wan_vae
