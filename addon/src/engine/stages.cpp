#include "engine/stages.h"

#include <algorithm>
#include <charconv>

#include "files/refusal.h"
#include "files/safetensors_writer.h"
#include "ops/elementwise/elementwise.h"
#include "ops/pixels/pixels.h"
#include "samplers/noise.h"

namespace rushes {
namespace {

// Latent cells of a tile, at most, and of what two neighbours share, at least.
constexpr VaeTiling kTiling{32, 6};

TensorView view_of(const char* name, const Tensor& tensor) {
  return {name, tensor.type(), tensor.shape(), tensor.raw()};
}

std::map<std::string, std::string> metadata_of(const rushes_settings& settings) {
  return {{"format", "rushes-1"}, {"settings", settings_json(settings).dump()}};
}

// A tensor of exactly this name, type and shape from a small file of our own.
Tensor read_own_tensor(const Context& context, const Checkpoint& file, std::string_view name, DType type,
                       const Shape& shape) {
  const TensorView* entry = file.find(name);
  if (!entry || entry->type != type || entry->shape != shape)
    throw Error("settings.invalid",
                "The file " + file.path().filename().string() + " does not hold " + std::string(name) + " of size " +
                    shape_text(shape) + ".",
                "It belongs to a job with other settings; generate again.");
  Tensor out = context.allocate(type, shape);
  std::memcpy(out.raw(), file.view(*entry).data, out.bytes());
  if (file.is_torn()) refuse_torn(file.path());
  return out;
}

// Which step latents were kept after, in their file.
constexpr const char* kKeptStep = "keptStep";

std::string step_path(const std::filesystem::path& prefix, int step) {
  return prefix.string() + "-step" + std::to_string(step) + ".safetensors";
}

}  // namespace

SavedLatents load_latents(const Context& context, const std::filesystem::path& path, const Shape& shape) {
  const auto file = Checkpoint::open(path);
  SavedLatents saved{read_own_tensor(context.on_host(), *file, "latents", DType::f32, shape)};
  if (const auto kept = file->metadata().find(kKeptStep); kept != file->metadata().end())
    std::from_chars(kept->second.data(), kept->second.data() + kept->second.size(), saved.kept_step);
  return saved;
}

Tensor kept_embedding(const Context& host, const std::filesystem::path& path, const ModelFiles& files) try {
  if (path.empty()) return {};
  const auto file = Checkpoint::open(path);
  const TensorView* entry = file->find("context");
  if (!entry || entry->type != DType::f32 || entry->shape != files.text_shape()) return {};
  Tensor text = load_tensor(host, file->view(*entry), DType::f32, MemoryUse::activations);
  return file->is_torn() ? Tensor() : text;
} catch (const Error& error) {
  if (!error.code().starts_with("checkpoint.")) throw;
  return {};
}

Tensor Stages::encode_text(std::span<const int32_t> ids, const std::filesystem::path& kept_at) {
  const auto progress = [&](double fraction) { observer_.report(RUSHES_STAGE_TEXT, fraction); };
  const Context host = context_.on_host();
  if (!held_.parts) parts_ = {.text_encoder = parts_.text_encoder};
  if (!parts_.text_encoder)
    parts_.text_encoder = Umt5::load(context_, files_.text_encoder, text_encoder_format(settings_));
  Tensor text = parts_.text_encoder->encode(context_, ids, files_.text_len, progress);
  files_.require_whole();
  if (!context_.dry_run) {
    if (!all_finite(host, text))
      throw Error("output.not_finite", "The text encoder made a value that is not a number.",
                  "Check the text encoder's file with inspect, or choose precision fp32.");
    if (!kept_at.empty()) write_safetensors(kept_at, {view_of("context", text)}, {{"format", "rushes-1"}});
  }
  if (!held_.parts) parts_.text_encoder.reset();
  return text;
}

Tensor Stages::encode_picture(std::span<const uint8_t> rgb) {
  const Shape shape = latent_shape();
  const Context host = context_.on_host();
  if (!held_.parts) parts_ = {.vae = parts_.vae};
  // The decoder waits where parts do not stay: the transformer needs the room first.
  std::shared_ptr<WanVae> vae = parts_.vae;
  if (!vae) vae = WanVae::load(context_, files_.vae, held_.parts ? VaeHalf::decoder : VaeHalf::encoder);
  if (held_.parts) parts_.vae = vae;
  Tensor picture = host.allocate(DType::f32, {settings_.height, settings_.width, 3});
  if (!context_.dry_run)
    std::transform(rgb.begin(), rgb.end(), picture.data<float>(),
                   [](uint8_t value) { return static_cast<float>(value) / 127.5f - 1.0f; });
  const Tensor latents = vae->encode_picture(context_, picture, settings_.num_frames,
                                             [&](double fraction) { observer_.report(RUSHES_STAGE_IMAGE, fraction); });
  files_.require_whole();
  Tensor out = host.allocate(DType::f32, {kMaskChannels + shape[0], shape[1], shape[2], shape[3]});
  if (context_.dry_run) return out;
  if (!all_finite(host, latents))
    throw Error("output.not_finite", "The VAE made a value that is not a number from the picture.",
                "Choose precision fp32, or check the VAE's file with inspect.");
  const int64_t cells = shape[2] * shape[3];
  float* mask = out.data<float>();
  for (int64_t c = 0; c < kMaskChannels; ++c)
    for (int64_t t = 0; t < shape[1]; ++t) std::fill_n(mask + (c * shape[1] + t) * cells, cells, t == 0 ? 1.0f : 0.0f);
  std::transform(latents.data<float>(), latents.data<float>() + latents.count(),
                 mask + kMaskChannels * shape[1] * cells, [](float value) { return bf16(value); });
  return out;
}

// The low-noise expert takes over at the first step below the boundary and stays: where sigma_max is small, the first
// step has less noise than the second (thu-ml/TurboDiffusion:turbodiffusion/inference/wan2.2_i2v_infer.py).
bool Stages::is_low(int step) const {
  const auto times = rcm_times(static_cast<int>(settings_.num_steps), settings_.sigma_max);
  return files_.dit_low &&
         std::any_of(times.begin(), times.begin() + step + 1, [&](double time) { return time < settings_.boundary; });
}

int Stages::expert_count(int start_step) const {
  return is_low(start_step) == is_low(static_cast<int>(settings_.num_steps) - 1) ? 1 : 2;
}

void Stages::load_expert(const Context& context, bool low, const Progress& progress) {
  std::shared_ptr<WanDit>& part = expert_part(low);
  if (!part)
    part = WanDit::load(context, low ? files_.dit_low : files_.dit, dit_format(settings_), progress, placement(held_));
  files_.require_whole();
  const std::vector<AppliedLora>& loras = low ? loras_.dit_low : loras_.dit;
  if (part->is_adapted_with(loras)) return;
  part->adapt(context, loras);
  for (const AppliedLora& lora : loras)
    if (lora.file->file().is_torn()) {
      part->adapt(context, {});
      refuse_torn(lora.file->file().path());
    }
}

void Stages::load_transformer(int start_step) {
  const int experts = held_.parts ? expert_count(start_step) : 1;
  const bool low = is_low(start_step);
  const auto share = [&](int done) {
    return [this, done, experts](double fraction) { observer_.report(RUSHES_STAGE_LOAD, (done + fraction) / experts); };
  };
  if (!held_.parts) parts_ = {.dit = low ? nullptr : parts_.dit, .dit_low = low ? parts_.dit_low : nullptr};
  load_expert(context_, low, share(0));
  if (experts == 2) load_expert(context_, true, share(1));
  observer_.report(RUSHES_STAGE_LOAD, 1);
}

void Stages::load_vae() {
  if (!held_.parts) parts_ = {.vae = parts_.vae};
  if (!parts_.vae) parts_.vae = WanVae::load(context_, files_.vae);
}

// The transformer of the step after `step`; true when it had to be loaded. Where parts do not stay, the expert before
// it goes first.
bool Stages::enter_expert(const Context& context, int step, const Tensor& text, Expert& expert,
                          const Progress& progress) {
  const bool low = is_low(step);
  if (expert.dit && expert.dit == expert_part(low)) return false;
  expert = {};
  if (!held_.parts) expert_part(!low).reset();
  const bool absent = !expert_part(low);
  if (absent) {
    observer_.line(LogLevel::info, std::string("The ") + (low ? "low" : "high") +
                                       "-noise expert takes over; its weights are being loaded.");
    load_expert(context, low, progress);
  }
  expert.dit = expert_part(low);
  expert.text = expert.dit->embed_text(context, text, held_.text_keys);
  return absent;
}

// The latents, and after them what does not change from step to step.
Tensor Stages::model_input(const Tensor& picture) const {
  Shape shape = latent_shape();
  if (picture.defined()) shape[0] += picture.size(0);
  Tensor input = context_.on_host().allocate(DType::f32, shape);
  if (picture.defined() && !context_.dry_run)
    std::copy_n(picture.data<float>(), picture.count(), input.data<float>() + input.count() - picture.count());
  return input;
}

Tensor Stages::sample(const Tensor& text, const Tensor& picture, const JobPaths& paths, const StepSink& on_step) {
  const Shape shape = latent_shape();
  const Context host = context_.on_host();
  const int steps = static_cast<int>(settings_.num_steps);
  Tensor input = model_input(picture);
  Expert expert;
  if (context_.dry_run) {
    const DitAttention attention{attention_type(settings_), settings_.sla_topk};
    for (int step = paths.start_step; step < steps; ++step) {
      enter_expert(context_, step, text, expert, {});
      expert.dit->velocity(context_, input, 0, expert.text, attention);
    }
    expert = {};
    input = {};
    return host.allocate(DType::f32, shape);
  }
  const RcmSettings rcm{steps, settings_.sigma_max, settings_.ode != 0, static_cast<uint64_t>(settings_.seed)};
  const int64_t elements = shape[0] * shape[1] * shape[2] * shape[3];
  const auto count = static_cast<size_t>(elements);
  const auto noise = [this](uint64_t seed, uint32_t draw, std::span<float> out) {
    philox_normal(context_, seed, draw, out);
  };
  RcmSampler sampler(rcm, elements, noise);
  if (paths.start_step > 0) {
    const Tensor state = read_own_tensor(host, *Checkpoint::open(paths.resume), "x", DType::f64, shape);
    sampler = RcmSampler(rcm, {state.data<double>(), state.data<double>() + count}, paths.start_step, noise);
  }
  while (!sampler.finished()) {
    // A saved state is no estimate: a job that continues may be stopped once it finished a step of its own.
    const bool estimated = sampler.step() > paths.start_step;
    if (!take_step(sampler, text, expert, input, estimated)) {
      kept_step_ = sampler.step();
      break;
    }
    const int step = sampler.step();
    if (sampler.finished()) break;
    if (!paths.step_latents_prefix.empty())
      write_safetensors(step_path(paths.step_latents_prefix, step),
                        {{"x", DType::f64, shape, reinterpret_cast<const std::byte*>(sampler.x().data())}},
                        metadata_of(settings_));
    if (on_step) on_step(sampler.estimate(), shape, step);
  }
  expert = {};
  input = {};
  Tensor latents = host.allocate(DType::f32, shape);
  auto metadata = metadata_of(settings_);
  if (kept_step_) {
    std::copy(sampler.estimate().begin(), sampler.estimate().end(), latents.data<float>());
    metadata[kKeptStep] = std::to_string(kept_step_);
  } else {
    std::transform(sampler.x().begin(), sampler.x().end(), latents.data<float>(),
                   [](double value) { return static_cast<float>(value); });
  }
  if (!paths.latents.empty()) write_safetensors(paths.latents, {view_of("latents", latents)}, metadata);
  return latents;
}

// One step; false when it was not finished because the caller keeps what there is. `input` is the network's.
bool Stages::take_step(RcmSampler& sampler, const Tensor& text, Expert& expert, Tensor& input, bool may_stop) {
  const Orders* orders = may_stop ? observer_.orders : nullptr;
  const int step = sampler.step() + 1, steps = sampler.steps();
  const size_t count = sampler.x().size();
  if (orders && orders->kept()) return false;
  const auto report = [&](double fraction) { observer_.report(RUSHES_STAGE_SAMPLE, fraction, step, steps); };
  report(0);
  Context context = context_;
  if (orders) context.cancelled = &orders->interrupted();
  Tensor velocity;
  try {
    // An expert that is loaded first takes the first half of the step's progress.
    constexpr double kLoadShare = 0.5;
    const bool loaded =
        enter_expert(context, sampler.step(), text, expert, [&](double fraction) { report(kLoadShare * fraction); });
    const double begun = loaded ? kLoadShare : 0;
    sampler.model_input({input.data<float>(), count});
    velocity = expert.dit->velocity(context, input, rcm_timestep(sampler.time()), expert.text,
                                    {attention_type(settings_), settings_.sla_topk},
                                    [&](double fraction) { report(begun + (1 - begun) * fraction); });
  } catch (const Cancelled&) {
    if (!orders || orders->cancelled()) throw;
    return false;
  }
  files_.require_whole();  // before the step is written down
  if (!all_finite(context_.on_host(), velocity))
    throw Error("output.not_finite", "Step " + std::to_string(step) + " made a value that is not a number.",
                "Try another seed, precision fp32, or attention original.");
  sampler.advance({velocity.data<float>(), count});
  return true;
}

void Stages::decode(const Tensor& latents, const RgbSink& sink) {
  load_vae();
  const VaeTiling tiling = settings_.vae_tiling == RUSHES_VAE_TILING_ON ? kTiling : VaeTiling{};
  const auto frame_bytes = static_cast<size_t>(settings_.width * settings_.height * 3);
  std::vector<uint8_t> rgb(frame_bytes);
  // Here, not in the sink: a plan's decode has no frames to give.
  if (context_.work)
    context_.work->of(Effort::frame_bytes) +=
        static_cast<double>(settings_.num_frames) * static_cast<double>(frame_bytes);
  parts_.vae->decode(
      context_, latents, tiling,
      [&](const Tensor& frames, int64_t first) {
        for (int64_t i = 0; i < frames.size(0); ++i) {
          if (!pixels_to_rgb(frames.data<float>() + i * static_cast<int64_t>(frame_bytes), rgb))
            throw Error("output.not_finite",
                        "The VAE made a pixel that is not a number in frame " + std::to_string(first + i) + ".",
                        "Choose precision fp32, or check the VAE's file with inspect.");
          sink(first + i, rgb);
        }
      },
      [&](double fraction) { observer_.report(RUSHES_STAGE_DECODE, fraction); });
  files_.require_whole();
  observer_.report(RUSHES_STAGE_DECODE, 1);
}

}  // namespace rushes
