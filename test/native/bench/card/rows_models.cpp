// Whole networks of random weights and real sizes: a step of the transformer at 1.3B and 14B, the VAE's decode, a layer
// of the text encoder; and what they make of the figures that are asked of one H100 or H200.
#include "bench/card/card_bench.h"
#include "engine/bench/random_model.h"
#include "models/umt5/umt5.h"
#include "models/umt5/umt5_tensors.h"
#include "models/wan_dit/wan_dit.h"
#include "models/wan_dit/wan_dit_tensors.h"
#include "models/wan_vae/wan_vae.h"
#include "models/wan_vae/wan_vae_tensors.h"
#include "runtime/random.h"

namespace rushes::card {
namespace {

constexpr int kSteps = 4;
// Seconds: four steps of 1.3B at 832x480x81, of 14B at 1280x720x81, and a decode of the former, all int8 + SageSLA 0.1.
constexpr double kSmallSampling = 1.0, kLargeSampling = 16, kDecoding = 2;

/// The same model on this computer's processor, in f32: what results are compared with.
Context processor_context(const CardBench& bench) {
  Context context = bench.reference_context(DType::f32);
  context.backend = Backend::cpu;
  return context;
}

Needs needs_of(const WorkCount& work, double weight_bytes) {
  return {work.int8_ops, work.bf16_ops, work.f32_ops, work.bytes + weight_bytes};
}

struct StepForm {
  const char* name;
  bool quantized;
  LinearFormat format;
  DitAttention attention;
};
constexpr StepForm kQuantized{"int8, SageSLA 0.1", true, LinearFormat::int8_tiles, {AttentionType::sagesla, 0.1}};
constexpr StepForm kPlain{"bf16, original", false, LinearFormat::bf16, {AttentionType::original, 1.0}};

struct Model {
  const char* name;
  WanDitConfig config;
  int64_t all_layers;  // of the real model; config.layers of them are measured
  int64_t text_rows;
};

WanDitConfig wan_dit_14b(int64_t layers) {
  WanDitConfig config = wan_dit_1_3b(layers);
  config.dim = 5120;
  config.heads = 40;
  config.ffn = 13824;
  return config;
}

/// A clip of latents: patches of 2 x 2 cells.
struct Grid {
  int64_t frames, rows, columns;
  int64_t tokens() const { return frames * rows * columns; }
  Shape latents() const { return {16, frames, 2 * rows, 2 * columns}; }
};

/// Relative error of a model with these widths and two layers, on a few tokens.
double step_error(CardBench& bench, const Model& model, const StepForm& form) {
  WanDitConfig config = model.config;
  config.layers = std::min<int64_t>(config.layers, 2);
  const RandomCheckpoint file(wan_dit_tensors(config), form.quantized);
  const Context context = bench.context(), plain = processor_context(bench);
  const Tensor few = filled(plain, {16, 1, 4, 8}, 3, 1.5f, DType::f32),
               words = filled(plain, {8, config.text_dim}, 4, 0.2f, DType::f32);
  const auto ours = WanDit::load(context, Checkpoint::open(file.path()), form.format);
  const auto theirs = WanDit::load(plain, Checkpoint::open(file.path()), form.format);
  return check::relative_error(ours->velocity(context, few, 988, words, form.attention),
                               theirs->velocity(plain, few, 988, words, form.attention));
}

/// Seconds of a step of all of the model's layers; 0 where nothing was timed.
double step_row(CardBench& bench, const Model& model, const StepForm& form, const Grid& grid) {
  const std::string shape = std::string(model.name) + " " + std::to_string(grid.tokens()) + ", " + form.name;
  if (!bench.wanted("transformer step", shape)) return 0;
  const RandomCheckpoint file(wan_dit_tensors(model.config), form.quantized);
  const Context context = bench.context();
  const auto dit = WanDit::load(context, Checkpoint::open(file.path()), form.format);
  const Tensor latents = filled(context.on_host(), grid.latents(), 1, 1.5f, DType::f32);
  const DitText text = dit->embed_text(
      context, filled(context.on_host(), {model.text_rows, model.config.text_dim}, 2, 0.2f, DType::f32), true);
  WorkCount work;
  Context counting = context;
  counting.work = &work;
  counting.dry_run = true;
  dit->velocity(counting, latents, 988, text, form.attention);

  Row row{.operation = "transformer step", .shape = shape, .tolerance = 2e-2};
  row.kernel = std::to_string(model.config.layers) + " of " + std::to_string(model.all_layers) + " layers";
  row.needs = needs_of(work, static_cast<double>(dit->linear_bytes_held()));
  row.error = [&] { return step_error(bench, model, form); };
  row.run = [&] { dit->velocity(context, latents, 988, text, form.attention); };
  const double scale = static_cast<double>(model.all_layers) / static_cast<double>(model.config.layers);
  return bench.measure(std::move(row)).seconds * scale;
}

void decode_row(CardBench& bench, const WanVaeConfig& config, const Shape& latent_shape, const Shape& few_shape) {
  const int64_t frames = 4 * latent_shape[1] - 3;
  const std::string shape =
      std::to_string(latent_shape[3] * 8) + "x" + std::to_string(latent_shape[2] * 8) + "x" + std::to_string(frames);
  if (!bench.wanted("vae decode", shape)) return;
  const RandomCheckpoint file(wan_vae_tensors(config), false);
  const Context context = bench.context(), plain = processor_context(bench);
  const auto vae = WanVae::load(context, Checkpoint::open(file.path()));
  const Tensor latents = filled(plain, latent_shape, 1, 1.5f, DType::f32);
  WorkCount work;
  Context counting = context;
  counting.work = &work;
  counting.dry_run = true;
  vae->decode(counting, latents, {}, [](const Tensor&, int64_t) {});
  Row row{.operation = "vae decode", .shape = shape, .kernel = "WanVae::decode", .tolerance = 2e-2};
  row.needs = needs_of(work, 0);
  row.run = [&] { vae->decode(context, latents, {}, [](const Tensor&, int64_t) {}); };
  row.error = [&] {
    const Tensor few = filled(plain, few_shape, 2, 1.5f, DType::f32);
    const auto frames_of = [&](const Context& where, const WanVae& model) {
      std::vector<Tensor> parts;
      model.decode(where, few, {}, [&](const Tensor& part, int64_t) { parts.push_back(to_host(where, part)); });
      return parts;
    };
    const auto got = frames_of(context, *vae),
               wanted = frames_of(plain, *WanVae::load(plain, Checkpoint::open(file.path())));
    double worst = got.size() == wanted.size() ? 0 : 1;
    for (size_t i = 0; i < std::min(got.size(), wanted.size()); ++i)
      worst = std::max(worst, check::relative_error(got[i], wanted[i]));
    return worst;
  };
  const Result result = bench.measure(std::move(row));
  if (result.seconds > 0) bench.claim({"decoding " + shape, "s", result.seconds, bench.asked(kDecoding), false});
}

void text_row(CardBench& bench, const Umt5Config& sizes, int tokens) {
  const std::string shape = std::to_string(tokens) + " tokens";
  if (!bench.wanted("text encoder", shape)) return;
  const RandomCheckpoint file(umt5_tensors(sizes), false);
  const Context context = bench.context(), plain = processor_context(bench);
  const auto model = Umt5::load(context, Checkpoint::open(file.path()), LinearFormat::bf16);
  std::vector<int32_t> ids;
  for (int i = 0; i < tokens; ++i) ids.push_back(2 + i * 97 % 500);
  WorkCount work;
  Context counting = context;
  counting.work = &work;
  counting.dry_run = true;
  model->encode(counting, ids, 512);
  Row row{.operation = "text encoder", .shape = shape, .tolerance = 2e-2};
  row.kernel = std::to_string(sizes.layers) + " of 24 layers";
  row.needs = needs_of(work, static_cast<double>(random_model_bytes(umt5_tensors(sizes), false)));
  row.run = [&] { model->encode(context, ids, 512); };
  row.error = [&] {
    const auto theirs = Umt5::load(plain, Checkpoint::open(file.path()), LinearFormat::bf16);
    return check::relative_error(model->encode(context, ids, 512), theirs->encode(plain, ids, 512));
  };
  bench.measure(std::move(row));
}

void small_models(CardBench& bench) {
  WanDitConfig config = wan_dit_1_3b(1);
  config.dim = 128;
  config.heads = 1;
  config.ffn = 256;
  config.text_dim = 64;
  const Model model{"tiny", config, 1, 8};
  for (const StepForm& form : {kQuantized, kPlain}) step_row(bench, model, form, {1, 2, 3});
  decode_row(bench, {.base = 8}, {16, 1, 2, 2}, {16, 1, 2, 2});
  text_row(bench, {.dim = 64, .heads = 1, .ffn = 64, .layers = 1, .vocabulary = 512}, 5);
}

}  // namespace

void model_rows(CardBench& bench) {
  if (bench.options().tiny) return small_models(bench);
  const Model small{"1.3B", wan_dit_1_3b(30), 30, 512}, large{"14B", wan_dit_14b(4), 40, 512};
  const double quantized = step_row(bench, small, kQuantized, {21, 30, 52});
  if (quantized > 0)
    bench.claim({"sampling 1.3B, 832x480x81, 4 steps, int8 + SageSLA 0.1", "s", kSteps * quantized,
                 bench.asked(kSmallSampling), false});
  step_row(bench, small, kQuantized, {5, 30, 52});
  const double plain = step_row(bench, small, kPlain, {21, 30, 52});
  if (quantized > 0 && plain > 0)
    bench.claim({"a step of 1.3B, int8 + SageSLA 0.1 against bf16 + dense", "times faster", plain / quantized});
  decode_row(bench, {.base = 96}, {16, 21, 60, 104}, {16, 2, 4, 6});
  const double of_14b = step_row(bench, large, kQuantized, {21, 45, 80});
  if (of_14b > 0)
    bench.claim({"sampling 14B, 1280x720x81, 4 steps, int8 + SageSLA 0.1 (ten times 4 of its 40 layers)", "s",
                 kSteps * of_14b, bench.asked(kLargeSampling), false});
  text_row(bench, {.dim = 4096, .heads = 64, .ffn = 10240, .layers = 2, .vocabulary = 512}, 130);
}

}  // namespace rushes::card
