#include "engine/stages.h"

#include <algorithm>
#include <cmath>

#include "files/safetensors_writer.h"
#include "ops/elementwise/elementwise.h"
#include "samplers/noise.h"
#include "samplers/rcm.h"

namespace rushes {
namespace {

// Latent cells of a tile and of the band where two tiles blend.
constexpr VaeTiling kTiling{32, 8};

TensorView view_of(const char* name, const Tensor& tensor) {
  return {name, tensor.type(), tensor.shape(), tensor.raw()};
}

std::map<std::string, std::string> metadata_of(const rushes_settings& settings) {
  return {{"format", "rushes-1"}, {"settings", settings_json(settings).dump()}};
}

// A tensor of exactly this name, type and shape from a small file of our own.
Tensor read_own_file(const Context& context, const std::filesystem::path& path, std::string_view name, DType type,
                     const Shape& shape) {
  const auto file = Checkpoint::open(path);
  const TensorView* entry = file->find(name);
  if (!entry || entry->type != type || entry->shape != shape)
    throw Error("settings.invalid",
                "The file " + path.filename().string() + " does not hold " + std::string(name) + " of size " +
                    shape_text(shape) + ".",
                "It belongs to a job with other settings; generate again.");
  Tensor out = context.allocate(type, shape);
  std::memcpy(out.raw(), file->view(*entry).data, out.bytes());
  return out;
}

// Pixels in [-1, 1] to 8 bits; false when one is not a number.
bool to_rgb(const float* pixels, std::span<uint8_t> rgb) {
  bool finite = true;
  for (size_t i = 0; i < rgb.size(); ++i) {
    finite = finite && std::isfinite(pixels[i]);
    rgb[i] = static_cast<uint8_t>(std::nearbyint((std::clamp(pixels[i], -1.0f, 1.0f) + 1.0f) * 127.5f));
  }
  return finite;
}

std::string step_path(const std::filesystem::path& prefix, int step) {
  return prefix.string() + "-step" + std::to_string(step) + ".safetensors";
}

}  // namespace

Tensor load_latents(const Context& context, const std::filesystem::path& path, const Shape& shape) {
  return read_own_file(context, path, "latents", DType::f32, shape);
}

Tensor Stages::encode_text(std::span<const int32_t> ids, const JobPaths& paths) {
  const auto progress = [&](double fraction) { observer_.report(RUSHES_STAGE_TEXT, fraction); };
  const Shape shape = {files_.text_len, files_.text_dim};
  if (context_.dry_run && !paths.embedding.empty()) return context_.allocate(DType::f32, shape);
  if (!paths.embedding.empty() && std::filesystem::exists(paths.embedding)) {
    const auto file = Checkpoint::open(paths.embedding);
    const TensorView* entry = file->find("context");
    if (entry && entry->type == DType::f32 && entry->shape == shape) {
      progress(1);
      return load_tensor(context_, file->view(*entry), DType::f32, MemoryUse::activations);
    }
  }
  if (!resident_) parts_.dit.reset(), parts_.vae.reset();
  if (!parts_.text_encoder)
    parts_.text_encoder = Umt5::load(context_, files_.text_encoder, text_encoder_format(settings_));
  Tensor text = parts_.text_encoder->encode(context_, ids, files_.text_len, progress);
  if (!context_.dry_run) {
    if (!all_finite(context_, text))
      throw Error("output.not_finite", "The text encoder made a value that is not a number.",
                  "Check the text encoder's file with inspect, or choose precision fp32.");
    if (!paths.embedding.empty())
      write_safetensors(paths.embedding, {view_of("context", text)}, {{"format", "rushes-1"}});
  }
  if (!resident_) parts_.text_encoder.reset();
  return text;
}

void Stages::load_transformer() {
  const auto progress = [&](double fraction) { observer_.report(RUSHES_STAGE_LOAD, fraction); };
  if (!resident_) parts_.text_encoder.reset(), parts_.vae.reset();
  if (!parts_.dit) parts_.dit = WanDit::load(context_, files_.dit, dit_format(settings_), progress);
  progress(1);
}

void Stages::load_vae() {
  if (!resident_) parts_.text_encoder.reset(), parts_.dit.reset();
  if (!parts_.vae) parts_.vae = WanVae::load(context_, files_.vae);
}

Tensor Stages::sample(const Tensor& text, const JobPaths& paths) {
  const Shape shape = latent_shape();
  Tensor latents = context_.allocate(DType::f32, shape);
  const DitAttention attention{attention_type(settings_), settings_.sla_topk};
  const int steps = static_cast<int>(settings_.num_steps);
  const DitText embedded = parts_.dit->embed_text(context_, text);
  if (context_.dry_run) {
    for (int step = 0; step < steps; ++step) parts_.dit->velocity(context_, latents, 0, embedded, attention);
    return latents;
  }
  const RcmSettings rcm{steps, settings_.sigma_max, settings_.ode != 0, static_cast<uint64_t>(settings_.seed)};
  const auto count = static_cast<size_t>(latents.count());
  RcmSampler sampler(rcm, latents.count());
  if (paths.start_step > 0) {
    const Tensor state = read_own_file(context_, paths.resume, "x", DType::f64, shape);
    sampler = RcmSampler(rcm, {state.data<double>(), state.data<double>() + count}, paths.start_step);
  }
  while (!sampler.finished()) {
    const int step = sampler.step() + 1;
    observer_.report(RUSHES_STAGE_SAMPLE, 0, step, steps);
    sampler.model_input({latents.data<float>(), count});
    const Tensor velocity =
        parts_.dit->velocity(context_, latents, rcm_timestep(sampler.time()), embedded, attention,
                             [&](double fraction) { observer_.report(RUSHES_STAGE_SAMPLE, fraction, step, steps); });
    if (!all_finite(context_, velocity))
      throw Error("output.not_finite", "Step " + std::to_string(step) + " made a value that is not a number.",
                  "Try another seed, precision fp32, or attention original.");
    sampler.advance({velocity.data<float>(), count});
    if (!paths.step_latents_prefix.empty() && !sampler.finished())
      write_safetensors(step_path(paths.step_latents_prefix, step),
                        {{"x", DType::f64, shape, reinterpret_cast<const std::byte*>(sampler.x().data())}},
                        metadata_of(settings_));
    if (observer_.preview && !sampler.finished()) preview(sampler.estimate(), step);
  }
  std::transform(sampler.x().begin(), sampler.x().end(), latents.data<float>(),
                 [](double value) { return static_cast<float>(value); });
  if (!paths.latents.empty()) write_safetensors(paths.latents, {view_of("latents", latents)}, metadata_of(settings_));
  return latents;
}

void Stages::decode(const Tensor& latents, const RgbSink& sink) {
  load_vae();
  const VaeTiling tiling = settings_.vae_tiling == RUSHES_VAE_TILING_ON ? kTiling : VaeTiling{};
  const auto frame_bytes = static_cast<size_t>(settings_.width * settings_.height * 3);
  std::vector<uint8_t> rgb(frame_bytes);
  parts_.vae->decode(
      context_, latents, tiling,
      [&](const Tensor& frames, int64_t first) {
        if (context_.dry_run) return;
        for (int64_t i = 0; i < frames.size(0); ++i) {
          if (!to_rgb(frames.data<float>() + i * static_cast<int64_t>(frame_bytes), rgb))
            throw Error("output.not_finite",
                        "The VAE made a pixel that is not a number in frame " + std::to_string(first + i) + ".",
                        "Choose precision fp32, or check the VAE's file with inspect.");
          sink(first + i, rgb);
        }
      },
      [&](double fraction) { observer_.report(RUSHES_STAGE_DECODE, fraction); });
  observer_.report(RUSHES_STAGE_DECODE, 1);
}

// The middle latent frame of the clean estimate, decoded as a picture of its own: real pixels, a few percent of a
// decode.
void Stages::preview(const std::vector<float>& estimate, int step) {
  if (!resident_) return;  // the VAE does not fit beside the transformer
  load_vae();
  const Shape shape = latent_shape();
  const int64_t cells = shape[2] * shape[3], frame = shape[1] / 2;
  const Tensor picture = context_.allocate(DType::f32, {shape[0], 1, shape[2], shape[3]});
  for (int64_t c = 0; c < shape[0]; ++c)
    std::copy_n(estimate.data() + (c * shape[1] + frame) * cells, cells, picture.data<float>() + c * cells);
  parts_.vae->decode(context_, picture, {}, [&](const Tensor& frames, int64_t) {
    std::vector<uint8_t> rgb(static_cast<size_t>(frames.count()));
    to_rgb(frames.data<float>(), rgb);
    observer_.preview(step, rgb, static_cast<int>(settings_.width), static_cast<int>(settings_.height));
  });
}

}  // namespace rushes
