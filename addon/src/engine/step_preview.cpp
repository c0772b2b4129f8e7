#include "engine/step_preview.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "engine/rates.h"
#include "ops/pixels/pixels.h"

namespace rushes {
namespace {

// Decoding a picture is cheap when it takes no more than this part of a step, or so short a time that nobody waits for
// it: the steps of small clips are short, and their pictures too.
constexpr double kCheapShare = 0.05, kCheapSeconds = 0.1;

const StageCost& sampling(const Plan& plan) {
  return *std::find_if(plan.stages.begin(), plan.stages.end(),
                       [](const StageCost& cost) { return cost.stage == rushes_stage_name(RUSHES_STAGE_SAMPLE); });
}

}  // namespace

template <class Work>
bool StepPreview::succeeds(Work&& work) {
  std::string reason;
  try {
    work();
    return true;
  } catch (const Error& error) {
    if (error.code() == "job.cancelled" || error.code() == "gpu.lost") throw;
    reason = error.sentence();
  } catch (const std::exception& error) {
    reason = error.what();
  }
  if (!std::exchange(failure_told_, true))
    observer_.line(LogLevel::warning, "A preview failed, the video is made all the same: " + reason);
  return false;
}

void StepPreview::prepare() {
  if (!succeeds([&] { choose_form(); })) form_ = colours_ ? Form::approximate : Form::none;
}

void StepPreview::choose_form() {
  if (decoding_is_cheap()) {
    if (!parts_.vae) parts_.vae = WanVae::load(context_, files_.vae);
    form_ = Form::decoded;
    return;
  }
  if (!colours_) {
    if (!plan_.resident) parts_ = {};
    const std::shared_ptr<WanVae> passing = WanVae::load(context_, files_.vae);
    colours_ = std::make_shared<const LatentColours>(LatentColours::fit(context_, *passing));
  }
  form_ = Form::approximate;
}

// Predicted like the plan itself, by a dry run of one picture.
bool StepPreview::decoding_is_cheap() const {
  if (!plan_.resident) return false;
  MemoryCounter memory, device_memory;
  WorkCount work;
  Context dry = context_;
  dry.dry_run = true;
  dry.memory = &memory;
  if (dry.device_memory) dry.device_memory = &device_memory;
  dry.work = &work;
  dry.cancelled = nullptr;
  dry.debug = {};
  const std::shared_ptr<WanVae> vae = parts_.vae ? parts_.vae : WanVae::load(dry, headers_.vae);
  work = {};
  const rushes_settings& settings = plan_.settings;
  vae->decode(dry,
              dry.on_host().allocate(DType::f32, {files_.latent_channels, 1, settings.height / 8, settings.width / 8}),
              {}, {});
  const StageCost& sample = sampling(plan_);
  const double step_seconds = sample.seconds / static_cast<double>(settings.num_steps);
  if (predicted_seconds(work, context_) > std::max(kCheapShare * step_seconds, kCheapSeconds)) return false;
  if (sample.device_peak_bytes + device_memory.peak() > plan_.device_free_bytes && dry.device_memory) return false;
  return plan_.free_bytes == 0 || sample.peak_bytes + memory.peak() <= plan_.free_bytes;
}

void StepPreview::show(const std::vector<float>& estimate, const Shape& shape, int step) {
  const auto start = std::chrono::steady_clock::now();
  if (form_ == Form::decoded && !succeeds([&] { decode(estimate, shape, step); }))
    form_ = colours_ ? Form::approximate : Form::none;
  if (form_ == Form::approximate && !succeeds([&] { approximate(estimate, shape, step); })) form_ = Form::none;
  if (form_ == Form::none) return;
  const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - start;
  observer_.line(LogLevel::debug, "Preview of step " + std::to_string(step) + ": " +
                                      (form_ == Form::decoded ? "decoded" : "approximate") + ", " +
                                      std::to_string(taken.count()) + " ms");
}

void StepPreview::approximate(const std::vector<float>& estimate, const Shape& shape, int step) const {
  const std::vector<uint8_t> rgb = colours_->picture(estimate, shape, shape[1] / 2);
  observer_.preview({step, static_cast<int>(shape[3]), static_cast<int>(shape[2]), true, rgb});
}

// The latent frame as a clip of its own: the VAE makes one picture of it.
void StepPreview::decode(const std::vector<float>& estimate, const Shape& shape, int step) {
  const int64_t cells = shape[2] * shape[3], frame = shape[1] / 2;
  const Tensor picture = context_.on_host().allocate(DType::f32, {shape[0], 1, shape[2], shape[3]});
  for (int64_t c = 0; c < shape[0]; ++c)
    std::copy_n(estimate.data() + (c * shape[1] + frame) * cells, cells, picture.data<float>() + c * cells);
  parts_.vae->decode(context_, picture, {}, [&](const Tensor& frames, int64_t) {
    std::vector<uint8_t> rgb(static_cast<size_t>(frames.count()));
    pixels_to_rgb(frames.data<float>(), rgb);
    observer_.preview(
        {step, static_cast<int>(plan_.settings.width), static_cast<int>(plan_.settings.height), false, rgb});
  });
}

}  // namespace rushes
