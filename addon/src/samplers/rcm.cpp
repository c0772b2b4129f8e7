// The rCM sampler's times and updates.
#include "samplers/rcm.h"

#include <cmath>
#include <utility>

#include "runtime/status.h"
#include "samplers/noise.h"

namespace rushes {
namespace {

void require(const RcmSettings& settings) {
  if (settings.steps < 1 || settings.steps > 4)
    throw Error("settings.invalid", "The number of steps must be 1 to 4, not " + std::to_string(settings.steps) + ".");
  if (!(settings.sigma_max >= 1 && settings.sigma_max <= 1600))
    throw Error("settings.invalid", "sigma_max must be 1 to 1600, not " + std::to_string(settings.sigma_max) + ".");
}

}  // namespace

std::vector<double> rcm_times(int steps, double sigma_max) {
  require({steps, sigma_max});
  const double angles[] = {std::atan(sigma_max), 1.5, 1.4, 1.0};
  std::vector<double> times;
  for (int i = 0; i < steps; ++i) times.push_back(std::sin(angles[i]) / (std::sin(angles[i]) + std::cos(angles[i])));
  times.push_back(0);
  return times;
}

float rcm_timestep(double time) { return bf16(static_cast<float>(1000.0 * time)); }

RcmSampler::RcmSampler(const RcmSettings& settings, int64_t count, NoiseSource source)
    : settings_(settings),
      noise_(std::move(source)),
      times_(rcm_times(settings.steps, settings.sigma_max)),
      x_(static_cast<size_t>(count)) {
  const std::vector<float> first = noise(0);
  for (size_t i = 0; i < x_.size(); ++i) x_[i] = first[i] * times_[0];
}

RcmSampler::RcmSampler(const RcmSettings& settings, std::vector<double> x, int step, NoiseSource source)
    : settings_(settings),
      noise_(std::move(source)),
      times_(rcm_times(settings.steps, settings.sigma_max)),
      x_(std::move(x)),
      step_(step) {
  if (step < 0 || step > settings.steps)
    throw Error("settings.invalid", "Sampling cannot continue after step " + std::to_string(step) + " of " +
                                        std::to_string(settings.steps) + ".");
}

std::vector<float> RcmSampler::noise(uint32_t draw) const {
  std::vector<float> out(x_.size());
  if (noise_)
    noise_(settings_.seed, draw, out);
  else
    philox_normal(settings_.seed, draw, out);
  return out;
}

void RcmSampler::model_input(std::span<float> out) const {
  if (out.size() != x_.size()) throw Error("engine.internal", "The model input has another size than the latents.");
  // Through float first: the network was trained on float latents rounded to bf16.
  for (size_t i = 0; i < x_.size(); ++i) out[i] = bf16(static_cast<float>(x_[i]));
}

void RcmSampler::advance(std::span<const float> velocity) {
  if (finished()) throw Error("engine.internal", "The sampler has no step left.");
  if (velocity.size() != x_.size()) throw Error("engine.internal", "The velocity has another size than the latents.");
  const double now = time(), next = next_time();
  std::vector<float> fresh;
  if (!settings_.ode && next > 0) fresh = noise(static_cast<uint32_t>(step_ + 1));
  estimate_.resize(x_.size());
  for (size_t i = 0; i < x_.size(); ++i) {
    const double clean = x_[i] - now * velocity[i];
    estimate_[i] = static_cast<float>(clean);
    if (settings_.ode)
      x_[i] -= (now - next) * velocity[i];
    else
      x_[i] = (1 - next) * clean + (fresh.empty() ? 0.0 : next * fresh[i]);
  }
  ++step_;
}

}  // namespace rushes
