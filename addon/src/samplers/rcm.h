// The rCM sampler of TurboDiffusion (thu-ml/TurboDiffusion:turbodiffusion/inference/wan2.1_t2v_infer.py): 1-4 steps.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "runtime/tensor.h"

namespace rushes {

struct RcmSettings {
  int steps = 4;            // 1..4
  double sigma_max = 80.0;  // 1..1600
  bool ode = false;
  uint64_t seed = 0;
};

/// Rectified-flow times of the angles atan(sigma_max), 1.5, 1.4, 1.0, 0: steps + 1 values, the last 0. float64.
std::vector<double> rcm_times(int steps, double sigma_max);

/// The timestep the network sees: 1000 t, rounded to bf16.
float rcm_timestep(double time);

/// Fills a span with the noise of a seed and a draw.
using NoiseSource = std::function<void(uint64_t seed, uint32_t draw, std::span<float> out)>;

/// Carries x in float64 from noise to latents. One step: model input (x rounded to bf16), velocity, update.
class RcmSampler {
 public:
  /// x = noise(seed, draw 0) * t0. Without a source of its own the noise is made by this thread.
  RcmSampler(const RcmSettings& settings, int64_t count, NoiseSource noise = {});
  /// Continues after `step` finished steps from saved latents (f64).
  RcmSampler(const RcmSettings& settings, std::vector<double> x, int step, NoiseSource noise = {});
  int step() const { return step_; }
  int steps() const { return settings_.steps; }
  bool finished() const { return step_ == settings_.steps; }
  /// The time of the coming step, float64, and of the one after.
  double time() const { return times_[step_]; }
  double next_time() const { return times_[step_ + 1]; }
  /// The network's input for the coming step: x rounded to bf16, as float.
  void model_input(std::span<float> out) const;
  /// SDE: x <- (1-t')(x - t v) + t' noise(seed, step + 1); ODE: x <- x - (t - t') v.
  void advance(std::span<const float> velocity);
  /// The clean-latents estimate x - t v of the last step, for previews; valid after advance().
  const std::vector<float>& estimate() const { return estimate_; }
  const std::vector<double>& x() const { return x_; }

 private:
  std::vector<float> noise(uint32_t draw) const;

  RcmSettings settings_;
  NoiseSource noise_;
  std::vector<double> times_, x_;
  std::vector<float> estimate_;
  int step_ = 0;
};

}  // namespace rushes
