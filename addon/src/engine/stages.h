// The stages of a generation, written once: a job runs them, a plan runs them dry (no memory, no arithmetic), so that
// the prediction and the run cannot drift apart.
#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <span>

#include "engine/loras.h"
#include "engine/model_files.h"
#include "engine/observer.h"
#include "engine/settings.h"
#include "models/umt5/umt5.h"
#include "models/wan_dit/wan_dit.h"
#include "models/wan_vae/wan_vae.h"
#include "samplers/rcm.h"

namespace rushes {

/// What is packed in memory for one context. A part stays until it is reset. dit_low: the low-noise expert of two.
struct LoadedParts {
  std::shared_ptr<Umt5> text_encoder{};
  std::shared_ptr<WanDit> dit{}, dit_low{};
  std::shared_ptr<WanVae> vae{};
};

/// Where a generation leaves what can be used again; empty paths are skipped.
struct JobPaths {
  std::filesystem::path embedding, latents, step_latents_prefix, resume;
  int start_step = 0;
};

/// What is held longer than it must be, because that saves time and fits. `parts`: all together; else each is released
/// before the next is loaded. `text_keys`: DitText::blocks, from the first step to the last. `streamed`: on a card, the
/// transformer's blocks are not on it but pass through it.
struct Held {
  bool parts = false, text_keys = false, streamed = false;
};
inline DitPlacement placement(const Held& held) {
  return held.streamed ? DitPlacement::streamed : DitPlacement::resident;
}

/// One job's walk through the stages.
class Stages {
 public:
  Stages(const Context& context, const ModelFiles& files, LoadedParts& parts, const rushes_settings& resolved,
         const Loras& loras, const Held& held, const Observer& observer)
      : context_(context),
        files_(files),
        parts_(parts),
        settings_(resolved),
        loras_(loras),
        held_(held),
        observer_(observer) {}

  /// Token ids -> context f32 of ModelFiles::text_shape, written to `kept_at` unless that is empty.
  Tensor encode_text(std::span<const int32_t> ids, const std::filesystem::path& kept_at);
  /// The picture that a clip starts from, RGB [height, width, 3] of 8 bits -> what the transformer reads beside the
  /// noise, f32 [kMaskChannels + channels, T, h, w]: a mask that is 1 at the first latent frame, and the VAE's latents
  /// of the picture followed by frames of zeros, rounded to bf16 as in training
  /// (thu-ml/TurboDiffusion:turbodiffusion/inference/wan2.2_i2v_infer.py).
  Tensor encode_picture(std::span<const uint8_t> rgb);
  /// Packs the weights of the transformer that the step after `start_step` needs, and the LoRAs; of two experts both,
  /// where all parts stay in memory together.
  void load_transformer(int start_step = 0);
  /// Noise -> latents f32 [channels, T, h, w], saved to paths.latents; step states to the prefix. `picture`: of
  /// encode_picture, or empty for a model that starts from text alone. Of two experts the second one is loaded when its
  /// steps come, and may then be ended like a step. `on_step` gets the estimate of the finished clip after each step
  /// but the last. When the observer's orders say keep, the latents are the latest estimate: see kept_step().
  using StepSink = std::function<void(const std::vector<float>& estimate, const Shape& shape, int step)>;
  Tensor sample(const Tensor& text, const Tensor& picture, const JobPaths& paths, const StepSink& on_step = {});
  /// The steps the latents of `sample` had, when sampling was ended early; else 0.
  int kept_step() const { return kept_step_; }
  /// The transformers that the steps after `start_step` need: 1 or 2.
  int expert_count(int start_step = 0) const;
  /// One of them that is loaded.
  const WanDit& loaded_expert() const { return parts_.dit ? *parts_.dit : *parts_.dit_low; }
  /// Latents -> RGB frames in order, 8 bits, [height, width, 3].
  using RgbSink = std::function<void(int64_t frame, std::span<const uint8_t> rgb)>;
  void decode(const Tensor& latents, const RgbSink& sink);

  int64_t latent_frames() const { return 1 + (settings_.num_frames - 1) / 4; }
  Shape latent_shape() const {
    return {files_.latent_channels, latent_frames(), settings_.height / 8, settings_.width / 8};
  }

 private:
  /// The transformer of one step, and what it reads: made anew when the other expert takes over.
  struct Expert {
    std::shared_ptr<WanDit> dit;
    DitText text;
  };
  using Progress = std::function<void(double)>;
  void load_vae();
  bool is_low(int step) const;
  std::shared_ptr<WanDit>& expert_part(bool low) { return low ? parts_.dit_low : parts_.dit; }
  void load_expert(const Context& context, bool low, const Progress& progress);
  bool enter_expert(const Context& context, int step, const Tensor& text, Expert& expert, const Progress& progress);
  Tensor model_input(const Tensor& picture) const;
  bool take_step(RcmSampler& sampler, const Tensor& text, Expert& expert, Tensor& input, bool may_stop);

  const Context& context_;
  const ModelFiles& files_;
  LoadedParts& parts_;
  const rushes_settings& settings_;
  const Loras& loras_;
  const Held held_;
  const Observer& observer_;
  int kept_step_ = 0;
};

/// What an earlier job's encode_text wrote, in host memory; undefined when there is no such file, or it is damaged or
/// of another model: it is made anew then. Read before a job is planned, which must know whether the text encoder is
/// needed.
Tensor kept_embedding(const Context& host, const std::filesystem::path& path, const ModelFiles& files);

/// What `sample` wrote.
struct SavedLatents {
  Tensor latents;
  int kept_step = 0;  // as Stages::kept_step
};
/// Checked against the settings' size. Throws checkpoint.* or settings.invalid.
SavedLatents load_latents(const Context& context, const std::filesystem::path& path, const Shape& shape);

}  // namespace rushes
