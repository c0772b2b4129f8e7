// Kinds vae_encode, vae_decode, t2v and i2v: frames, and the whole way from a sentence, or a sentence and a picture, to
// them.
#include <algorithm>
#include <cmath>

#include "golden/golden_case.h"
#include "models/umt5/umt5.h"
#include "models/wan_dit/wan_dit.h"
#include "models/wan_vae/wan_vae.h"
#include "runtime/random.h"
#include "samplers/rcm.h"

namespace rushes::golden {
namespace {

// How far a whole clip may be from the golden one: relative error of the latents, and 8-bit frames in dB.
struct ClipBounds {
  double latents, frames_db;
};
// Measured on the demo's clips (2 to 4 steps, SDE and ODE), then given some 20% and 3 to 6 dB of room for CPUs that sum
// in another order:
//   bf16     latents 0.003, 56 to 59 dB: a mean difference below one 8-bit level, not visible.
//   sagesla  latents 0.004, 56 to 61 dB: int8 keys and queries, again below one level.
//   int8     latents 0.043 to 0.050, 36 to 40 dB, with a LoRA 33 dB. The format's own error: each velocity is 4 to
//            5% off the 16-bit one by TurboDiffusion's definition (int8_error of the dit cases holds it to that), and
//            every step starts where the one before ended. The clip is the same clip with other pixels at edges.
//   picture  the pair's weights are int8 in the golden clip too, so this is what bf16 adds: latents 0.033, 52 dB.
constexpr ClipBounds kBf16Clip{0.01, 50}, kSageClip{0.01, 50}, kInt8Clip{0.06, 30}, kPictureClip{0.06, 44};

// [3, F, H, W] -> [F, H, W, 3]
Tensor channels_last(const Tensor& x) {
  const int64_t channels = x.size(0), pixels = x.count() / channels;
  Tensor out = Context().allocate(DType::f32, {x.size(1), x.size(2), x.size(3), channels});
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t i = 0; i < pixels; ++i) out.data<float>()[i * channels + c] = x.data<float>()[c * pixels + i];
  return out;
}

Tensor decode(const Context& context, const WanVae& vae, const Tensor& latents) {
  const int64_t frames = 4 * latents.size(1) - 3;
  Tensor out = Context().allocate(DType::f32, {frames, latents.size(2) * 8, latents.size(3) * 8, 3});
  vae.decode(context, latents, {}, [&](const Tensor& part, int64_t first) {
    Tensor place = out.rows(first, first + part.size(0));
    std::copy_n(to_host(context, part).data<float>(), part.count(), place.data<float>());
  });
  return out;
}

// Of 8-bit pictures, in dB. `expected` u8 [1, 3, F, H, W]; frames f32 [F, H, W, 3] in [-1, 1].
double peak_signal_to_noise(const Tensor& frames, const TensorView& expected) {
  const int64_t pixels = frames.count() / 3;
  double squares = 0;
  for (int64_t i = 0; i < frames.count(); ++i) {
    const double value = std::nearbyint((std::clamp(frames.data<float>()[i], -1.0f, 1.0f) + 1.0f) * 127.5f);
    const double difference = value - static_cast<double>(expected.data[i % 3 * pixels + i / 3]);
    squares += difference * difference;
  }
  return 10 * std::log10(255.0 * 255.0 / std::max(squares / static_cast<double>(frames.count()), 1e-9));
}

struct Clip {
  Tensor latents, frames;              // f32 [16, T, h, w], [F, H, W, 3]
  Tensor first_input, first_velocity;  // of step 0
  Tensor picture;                      // what i2v reads beside the noise, [4 + 16, T, h, w]
};

// A transformer and what it made of the text.
struct Expert {
  std::shared_ptr<WanDit> dit;
  DitText text;
};

LinearFormat plain_format(const Setup& setup) {
  return setup.compute == DType::bf16 ? LinearFormat::bf16 : LinearFormat::f32;
}

// A mask that is 1 at the first latent frame, and the latents of the case's picture (u8 [1, 3, 1, H, W]) before frames
// of zeros; nothing for a case without one.
Tensor picture_of(const Case& golden, const Context& context, const WanVae& vae, const Shape& latents) {
  if (!golden.has("picture")) return {};
  const TensorView stored = golden.view("picture");
  const int64_t pixels = stored.shape[3] * stored.shape[4], frame = latents[2] * latents[3];
  Tensor picture = Context().allocate(DType::f32, {stored.shape[3], stored.shape[4], 3});
  for (int64_t i = 0; i < picture.count(); ++i)
    picture.data<float>()[i] = static_cast<float>(stored.data[i % 3 * pixels + i / 3]) / 127.5f - 1.0f;
  const Tensor first = vae.encode_picture(context, picture, golden.info().at("num_frames"));
  Tensor out = Context().allocate(DType::f32, {4 + latents[0], latents[1], latents[2], latents[3]});
  for (int64_t i = 0; i < 4 * latents[1] * frame; ++i)
    out.data<float>()[i] = i % (latents[1] * frame) < frame ? 1.0f : 0.0f;
  std::transform(first.data<float>(), first.data<float>() + first.count(),
                 out.data<float>() + out.count() - first.count(), [](float value) { return bf16(value); });
  return out;
}

// The sentence's ids -> context -> latents -> frames. With a key "low" there are two experts.
Clip make_clip(const Case& golden, const Setup& setup, LinearFormat format, AttentionType attention) {
  const Context context = setup.context();
  const nlohmann::json& settings = golden.info().at("settings");
  const auto ids = golden.ids();
  const Tensor words =
      Umt5::load(context, golden.file("umt5"), plain_format(setup))->encode(context, ids, golden.view("ids").count());

  std::vector<Expert> experts;
  for (const char* key : {"weights", "low"}) {
    if (!golden.info().contains(key)) continue;
    const auto dit = WanDit::load(context, golden.file(key), format);
    if (golden.info().contains("loras")) {
      std::vector<AppliedLora> loras;
      for (const nlohmann::json& lora : golden.info().at("loras"))
        loras.push_back({LoraFile::read(golden.file_at(lora.at("file"))), lora.at("strength")});
      dit->adapt(context, loras);
    }
    experts.push_back({dit, dit->embed_text(context, words)});
  }
  const auto vae = WanVae::load(context, golden.file("vae"));
  const Shape shape{vae->config().latent_channels, 1 + (golden.info().at("num_frames").get<int64_t>() - 1) / 4,
                    golden.info().at("height").get<int64_t>() / 8, golden.info().at("width").get<int64_t>() / 8};
  RcmSampler sampler({settings.value("steps", 4), settings.value("sigma_max", 80.0), settings.value("ode", false),
                      golden.info().at("seed")},
                     element_count(shape));
  Clip clip;
  auto floats = [&](Tensor& out) {
    out = context.on_host().allocate(DType::f32, shape);
    std::copy(sampler.x().begin(), sampler.x().end(), out.data<float>());
  };
  floats(clip.first_input);
  clip.picture = picture_of(golden, context, *vae, shape);
  Shape input_shape = shape;
  if (clip.picture.defined()) input_shape[0] += clip.picture.size(0);
  Tensor input = context.on_host().allocate(DType::f32, input_shape);
  if (clip.picture.defined())
    std::copy_n(clip.picture.data<float>(), clip.picture.count(),
                input.data<float>() + input.count() - clip.picture.count());
  while (!sampler.finished()) {
    sampler.model_input({input.data<float>(), static_cast<size_t>(element_count(shape))});
    const Expert& expert = sampler.time() >= golden.info().value("boundary", 0.0) ? experts.front() : experts.back();
    const Tensor velocity =
        to_host(context, expert.dit->velocity(context, input, rcm_timestep(sampler.time()), expert.text,
                                              {attention, settings.value("topk", 0.1)}));
    if (sampler.step() == 0) clip.first_velocity = velocity;
    sampler.advance({velocity.data<float>(), static_cast<size_t>(velocity.count())});
  }
  floats(clip.latents);
  clip.frames = decode(context, *vae, clip.latents);
  return clip;
}

}  // namespace

void run_vae_encode(const Case& golden, Report& report) {
  const Tensor frames = channels_last(golden.tensor("frames", true)), expected = golden.tensor("latents", true);
  auto run = [&](const Setup& setup, double tolerance) {
    const Context context = setup.context();
    const Tensor out = WanVae::load(context, golden.file("weights"))->encode(context, frames);
    report.check(golden.name(), setup, "latents", check::relative_error(out, expected), tolerance);
  };
  for (const Setup& setup : exact_setups()) run(setup, golden.tolerance());
  for (const Setup& setup : bf16_setups()) run(setup, kBf16Tolerance);
  if (bf16_setups().empty()) report.skip(golden.name(), "bf16", "no bf16");
}

void run_vae_decode(const Case& golden, Report& report) {
  const Tensor latents = golden.tensor("latents", true), expected = channels_last(golden.tensor("frames", true));
  auto run = [&](const Setup& setup, double tolerance) {
    const Context context = setup.context();
    const Tensor out = decode(context, *WanVae::load(context, golden.file("weights")), latents);
    report.check(golden.name(), setup, "frames", check::relative_error(out, expected), tolerance);
  };
  for (const Setup& setup : exact_setups()) run(setup, golden.tolerance());
  for (const Setup& setup : bf16_setups()) run(setup, kBf16Tolerance);
  if (bf16_setups().empty()) report.skip(golden.name(), "bf16", "no bf16");
}

void run_t2v(const Case& golden, Report& report) {
  const bool sparse = golden.info().at("settings").contains("topk");
  const AttentionType attention = sparse ? AttentionType::sla : AttentionType::original;
  const Tensor latents = golden.tensor("latents", true);
  auto run = [&](const Setup& setup, const std::string& variant, LinearFormat format, AttentionType type,
                 ClipBounds bounds) {
    const Clip clip = make_clip(golden, setup, format, type);
    const std::string prefix = variant.empty() ? "" : variant + ": ";
    report.check(golden.name(), setup, prefix + "latents", check::relative_error(clip.latents, latents),
                 bounds.latents);
    report.check_at_least(golden.name(), setup, prefix + "frames, dB",
                          peak_signal_to_noise(clip.frames, golden.view("frames")), bounds.frames_db);
    return clip;
  };
  const nlohmann::json& tolerance = golden.info().at("tolerance");
  const ClipBounds exact{tolerance.at("latents"), tolerance.at("frames_psnr_db")};
  for (const Setup& setup : exact_setups()) {
    const Clip clip = run(setup, "", LinearFormat::f32, attention, exact);
    report.check(golden.name(), setup, "step 0 input",
                 check::relative_error(clip.first_input, golden.tensor("step0_x", true)), 1e-6);
    report.check(golden.name(), setup, "step 0 velocity",
                 check::relative_error(clip.first_velocity, golden.tensor("step0_v", true)), exact.latents);
  }
  const Setup setup = computing_setup();
  run(setup, "int8", LinearFormat::int8_tiles, attention, kInt8Clip);
  if (sparse) run(setup, "sagesla", LinearFormat::f32, AttentionType::sagesla, kSageClip);
  for (const Setup& setup : bf16_setups()) {
    run(setup, "", LinearFormat::bf16, attention, kBf16Clip);
    run(setup, "int8", LinearFormat::int8_tiles, attention, kInt8Clip);
    if (sparse) run(setup, "int8 sagesla", LinearFormat::int8_tiles, AttentionType::sagesla, kInt8Clip);
  }
  if (bf16_setups().empty()) report.skip(golden.name(), "bf16", "no bf16");
}

// The pair ships as int8 only, and the case was computed with int8 layers: only the order of sums differs, and what
// int8 rounding makes of that.
void run_i2v(const Case& golden, Report& report) {
  const Tensor latents = golden.tensor("latents", true), first = golden.tensor("first", true);
  auto run = [&](const Setup& setup, const std::string& variant, AttentionType attention, ClipBounds bounds,
                 double picture_tolerance) {
    const Clip clip = make_clip(golden, setup, LinearFormat::int8_tiles, attention);
    const Tensor picture = clip.picture.rows(4, 4 + first.size(0));
    report.check(golden.name(), setup, variant + "picture", check::relative_error(picture, first), picture_tolerance);
    report.check(golden.name(), setup, variant + "latents", check::relative_error(clip.latents, latents),
                 bounds.latents);
    report.check_at_least(golden.name(), setup, variant + "frames, dB",
                          peak_signal_to_noise(clip.frames, golden.view("frames")), bounds.frames_db);
    return clip;
  };
  const nlohmann::json& tolerance = golden.info().at("tolerance");
  const ClipBounds exact{tolerance.at("latents"), tolerance.at("frames_psnr_db")};
  // Rounding to bf16 falls to the other side where sums differ in their last bits.
  constexpr double kRounded = 1e-3;
  // What one step makes of int8 rounding; the case's tolerance is for four, each of which begins where the one before
  // ended.
  constexpr double kOneStep = 2e-2;
  for (const Setup& setup : exact_setups()) {
    const Clip clip = run(setup, "", AttentionType::sla, exact, kRounded);
    report.check(golden.name(), setup, "step 0 velocity",
                 check::relative_error(clip.first_velocity, golden.tensor("step0_v", true)), kOneStep);
  }
  for (const Setup& setup : bf16_setups()) {
    run(setup, "", AttentionType::sla, kPictureClip, kBf16Tolerance);
    run(setup, "sagesla: ", AttentionType::sagesla, kPictureClip, kBf16Tolerance);
  }
  if (bf16_setups().empty()) report.skip(golden.name(), "bf16", "no bf16");
}

}  // namespace rushes::golden
