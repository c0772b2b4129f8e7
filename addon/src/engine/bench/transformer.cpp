// The whole transformer at Wan 1.3B's widths with random weights: a step against the sum of its products' floors and
// against bf16 with dense attention, and the time from a checkpoint in the page cache to packed weights.
#include <filesystem>

#include "engine/bench/measure.h"
#include "engine/bench/random_model.h"
#include "models/wan_dit/wan_dit.h"
#include "models/wan_dit/wan_dit_tensors.h"
#include "runtime/random.h"

namespace rushes {
namespace {

constexpr int64_t kLayers = 30;
// "at most 1.5 times the sum of the floors", as a share of them.
constexpr double kFloorShare = 1 / 1.5;
// A step in int8 with SageSLA 0.1 against one in bf16 with dense attention.
constexpr double kTimesFaster = 4;
// From a 1.5 GB checkpoint in the page cache to packed weights.
constexpr double kOpeningSeconds = 2;

// Seconds the products would take at this machine's ceilings, and nothing else any time at all.
double floor_seconds(const WorkCount& work, const Ceilings& ceilings) {
  return work.int8_ops / ceilings.int8.rate + work.bf16_ops / ceilings.bf16.rate + work.f32_ops / ceilings.f32.rate;
}

struct StepForm {
  const char* name;
  bool quantized;
  LinearFormat format;
  DitAttention attention;
  int64_t lora_rank = 0;  // of a LoRA on every layer of the blocks; 0: none
};

// Patches of one step: 5 latent frames of 480p at 7,800 tokens, 21 at 32,760.
struct StepSize {
  int64_t frames, rows, columns;
  int64_t layers;  // measured; every layer costs the same, so a few stand for all
  bool once;
  int64_t tokens() const { return frames * rows * columns; }
};

// A LoRA of random values, of the size that trainers write for this model.
RandomCheckpoint random_lora(const WanDitConfig& config, int64_t rank) {
  std::vector<ExpectedTensor> tensors;
  for (const ChangeableLayer& layer : wan_dit_layers(config)) {
    if (!layer.name.starts_with("blocks.")) continue;
    tensors.push_back({layer.name + ".lora_A.weight", {rank, layer.in_features}});
    tensors.push_back({layer.name + ".lora_B.weight", {layer.out_features, rank}});
  }
  return RandomCheckpoint(tensors, false);
}

BenchResult measure_step(Bench& bench, const StepForm& form, const StepSize& size, const std::string& shape) {
  const RandomCheckpoint file(wan_dit_tensors(wan_dit_1_3b(size.layers)), form.quantized);
  const Context context = bench.context(DType::bf16);
  const auto model = WanDit::load(context, Checkpoint::open(file.path()), form.format);
  std::vector<AppliedLora> loras;
  if (form.lora_rank) {
    const RandomCheckpoint lora = random_lora(model->config(), form.lora_rank);
    loras.push_back({LoraFile::open(lora.path())});
  }
  model->adapt(context, loras);
  const Tensor latents = check::random_tensor(context, {16, size.frames, 2 * size.rows, 2 * size.columns}, 1);
  const DitText text = model->embed_text(context, check::random_tensor(context, {512, 4096}, 2, 0.1f));

  WorkCount work;
  Context counting = context;
  counting.work = &work;
  counting.dry_run = true;
  model->velocity(counting, latents, 988, text, form.attention);

  BenchCase bench_case;
  bench_case.operation = "transformer step";
  bench_case.shape = shape;
  bench_case.kernel = "WanDit::velocity";
  bench_case.ceiling = CeilingKind::int8;
  bench_case.work = floor_seconds(work, bench.ceilings()) * bench.ceilings().int8.rate;  // in int8 operations' time
  bench_case.asked = form.quantized ? bench.asked(kFloorShare) : 0;
  bench_case.tolerance = 2e-2;
  bench_case.once = size.once;
  bench_case.error = [&] {  // on a few tokens, where the reference's loops end soon
    const Context plain = bench.reference_context(DType::f32);
    const auto reference = WanDit::load(plain, Checkpoint::open(file.path()), form.format);
    reference->adapt(plain, loras);
    const Tensor few = check::random_tensor(plain, {16, 1, 4, 8}, 3),
                 words = check::random_tensor(plain, {8, 4096}, 4, 0.1f);
    return check::relative_error(model->velocity(context, few, 988, words, form.attention),
                                 reference->velocity(plain, few, 988, words, form.attention));
  };
  bench_case.run = [&] { model->velocity(context, latents, 988, text, form.attention); };
  return bench.measure(std::move(bench_case));
}

void bench_step(Bench& bench, const StepSize& size) {
  const StepForm forms[] = {
      {"int8, SageSLA 0.1", true, LinearFormat::int8_tiles, {AttentionType::sagesla, 0.1}},
      {"bf16, original", false, LinearFormat::bf16, {AttentionType::original, 1.0}},
      {"int8, SageSLA 0.1, LoRA of rank 32", true, LinearFormat::int8_tiles, {AttentionType::sagesla, 0.1}, 32}};
  const std::string text = std::to_string(size.tokens()) + " tokens, " + std::to_string(size.layers) + " of " +
                           std::to_string(kLayers) + " layers, ";
  std::vector<BenchResult> results;
  for (const StepForm& form : forms)
    if (const std::string shape = text + form.name; bench.wanted("transformer step", shape))
      results.push_back(measure_step(bench, form, size, shape));
  if (results.size() < std::size(forms)) return;
  bench.claim(
      {"a step of " + std::to_string(size.tokens()) + " tokens with int8 and SageSLA 0.1 against bf16 and dense",
       "times faster", results[1].seconds / results[0].seconds,
       results[1].processor_seconds / results[0].processor_seconds,
       bench.options().quick ? 0 : bench.asked(kTimesFaster)});
  bench.claim({"a step of " + std::to_string(size.tokens()) + " tokens with a LoRA of rank 32 against one without",
               "times the seconds", results[2].seconds / results[0].seconds,
               results[2].processor_seconds / results[0].processor_seconds, 0});
}

void bench_opening(Bench& bench) {
  const int64_t layers = bench.options().quick ? 2 : kLayers;
  const std::string shape = std::to_string(layers) + " layers, int8";
  if (!bench.wanted("open checkpoint", shape)) return;
  const RandomCheckpoint file(wan_dit_tensors(wan_dit_1_3b(layers)), true);
  const Context context = bench.context(DType::bf16);
  BenchCase bench_case;
  bench_case.operation = "open checkpoint";
  bench_case.shape = shape;
  bench_case.kernel = "WanDit::load";
  bench_case.ceiling = CeilingKind::memory;
  bench_case.work = 2.0 * static_cast<double>(std::filesystem::file_size(file.path()));  // read and written once
  bench_case.error = [&] {  // complete: every layer is there
    const auto model = WanDit::load(context, Checkpoint::open(file.path()), LinearFormat::int8_tiles);
    return model->quantized_layers().size() == static_cast<size_t>(10 * layers) ? 0.0 : 1.0;
  };
  bench_case.run = [&] { WanDit::load(context, Checkpoint::open(file.path()), LinearFormat::int8_tiles); };
  const BenchResult result = bench.measure(std::move(bench_case));
  bench.claim({"from a checkpoint of " + std::to_string(layers) + " layers in the page cache to packed weights", "s",
               result.seconds, result.processor_seconds, bench.asked(kOpeningSeconds), false});
}

}  // namespace

void bench_transformer(Bench& bench) {
  if (bench.options().quick) {
    bench_step(bench, {5, 12, 13, 2, false});
  } else {
    bench_step(bench, {5, 30, 52, 2, false});
    // 25 s a layer in bf16 with dense attention on two cores: one layer, timed once.
    bench_step(bench, {21, 30, 52, 1, true});
  }
  bench_opening(bench);
}

}  // namespace rushes
