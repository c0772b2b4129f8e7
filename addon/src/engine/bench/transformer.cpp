// The whole transformer at Wan 1.3B's widths with random weights: a step against the sum of its products' floors, and
// the time from a checkpoint in the page cache to packed weights.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "engine/bench/measure.h"
#include "engine/bench/random_model.h"
#include "models/wan_dit/wan_dit.h"
#include "models/wan_dit/wan_dit_tensors.h"
#include "runtime/random.h"

namespace rushes {
namespace {

constexpr int64_t kLayers = 30;
// Every layer costs the same, so two stand for all.
constexpr int64_t kMeasuredLayers = 2;

// A checkpoint of random weights that is gone when this is: TurboDiffusion's names, bf16 or int8 tiles.
class RandomCheckpoint {
 public:
  RandomCheckpoint(int64_t layers, bool quantized)
      : path_(std::filesystem::temp_directory_path() /
              ("rushes-bench-" + std::to_string(getpid()) + (quantized ? "-quant" : "") + ".safetensors")) {
    write_random_model(path_, wan_dit_tensors(wan_dit_1_3b(layers)), quantized);
  }
  ~RandomCheckpoint() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  RandomCheckpoint(const RandomCheckpoint&) = delete;
  RandomCheckpoint& operator=(const RandomCheckpoint&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Seconds the products would take at this machine's ceilings, and nothing else any time at all.
double floor_seconds(const WorkCount& work, const Ceilings& ceilings) {
  return work.int8_ops / ceilings.int8.rate + work.bf16_ops / ceilings.bf16.rate + work.f32_ops / ceilings.f32.rate;
}

struct StepForm {
  const char* name;
  bool quantized;
  LinearFormat format;
  DitAttention attention;
};

BenchResult measure_step(Bench& bench, const StepForm& form, int64_t rows, int64_t columns, const std::string& shape) {
  const RandomCheckpoint file(kMeasuredLayers, form.quantized);
  const Context context = bench.context(DType::bf16);
  const auto model = WanDit::load(context, Checkpoint::open(file.path()), form.format);
  const Tensor latents = check::random_tensor(context, {16, 5, 2 * rows, 2 * columns}, 1);
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
  bench_case.tolerance = 2e-2;
  bench_case.error = [&] {  // on a few tokens, where the reference's loops end soon
    const Context plain = bench.reference_context(DType::f32);
    const auto reference = WanDit::load(plain, Checkpoint::open(file.path()), form.format);
    const Tensor few = check::random_tensor(plain, {16, 1, 4, 8}, 3),
                 words = check::random_tensor(plain, {8, 4096}, 4, 0.1f);
    return check::relative_error(model->velocity(context, few, 988, words, form.attention),
                                 reference->velocity(plain, few, 988, words, form.attention));
  };
  bench_case.run = [&] { model->velocity(context, latents, 988, text, form.attention); };
  return bench.measure(std::move(bench_case));
}

void bench_steps(Bench& bench) {
  const StepForm forms[] = {{"int8, SageSLA 0.1", true, LinearFormat::int8_tiles, {AttentionType::sagesla, 0.1}},
                            {"bf16, original", false, LinearFormat::bf16, {AttentionType::original, 1.0}}};
  const int64_t rows = bench.options().quick ? 12 : 30, columns = bench.options().quick ? 13 : 52;
  const std::string size = std::to_string(5 * rows * columns) + " tokens, " + std::to_string(kMeasuredLayers) + " of " +
                           std::to_string(kLayers) + " layers, ";
  std::vector<double> seconds;
  for (const StepForm& form : forms) {
    const std::string shape = size + form.name;
    if (bench.wanted("transformer step", shape))
      seconds.push_back(measure_step(bench, form, rows, columns, shape).seconds);
  }
  if (seconds.size() < 2) return;
  char line[128];
  std::snprintf(line, sizeof line,
                "a step with int8 and SageSLA 0.1 is %.1fx faster than with bf16 and original attention",
                seconds[1] / seconds[0]);
  bench.note(line);
}

void bench_opening(Bench& bench) {
  const int64_t layers = bench.options().quick ? kMeasuredLayers : kLayers;
  const std::string shape = std::to_string(layers) + " layers, int8";
  if (!bench.wanted("open checkpoint", shape)) return;
  const RandomCheckpoint file(layers, true);
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
  bench.measure(std::move(bench_case));
}

}  // namespace

void bench_transformer(Bench& bench) {
  bench_steps(bench);
  bench_opening(bench);
}

}  // namespace rushes
