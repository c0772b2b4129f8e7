// Plans against what happened: bytes and seconds of the demo model's whole jobs in eight combinations of size, frames,
// weights and attention, and seconds of a layer of 1.3B's sizes. Seconds are one thread's of the processor, so that
// neighbours on the machine hardly matter.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "engine/bench/random_model.h"
#include "engine/demo_run.h"
#include "engine/rate_samples.h"
#include "engine/rates.h"
#include "engine/session.h"
#include "fixtures/model_files.h"
#include "models/wan_dit/wan_dit_tensors.h"
#include "runtime/processor_time.h"
#include "runtime/random.h"

using namespace rushes;
using namespace rushes::check;

namespace {

// Instrumented code takes a time of its own, which nobody plans: its bytes alone are checked, once.
#ifdef __SANITIZE_ADDRESS__
constexpr bool kIsInstrumented = true;
#else
constexpr bool kIsInstrumented = false;
#endif

constexpr double kBytesMargin = 0.05, kSecondsMargin = 0.20;
// Neighbours take caches and memory bandwidth too, which stretches processor time: of so many attempts the shortest
// counts, of the job as of the samples that the prediction is made of, taken in turn.
constexpr int kLeastAttempts = 2, kMostAttempts = kIsInstrumented ? 1 : 6;

// `run` returns its work and seconds. The prediction and the job are each the least disturbed one.
struct Measured {
  WorkCount work;
  double seconds = 0;
};
template <class Run>
void check_seconds(const std::string& what, Run&& run) {
  Rates rates;
  double predicted = 0, taken = 1e30;
  std::vector<double> errors;  // of each attempt with samples of its own, taken beside it
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    const Measured measured = run();
    rates.measure_again(measured.work);
    predicted = rates.processor_seconds(measured.work);
    taken = std::min(taken, measured.seconds);
    errors.push_back(Rates().processor_seconds(measured.work) / measured.seconds - 1);
    if (attempt + 1 >= kLeastAttempts && std::abs(predicted / taken - 1) < kSecondsMargin / 2) break;
  }
  MESSAGE(what << ": predicted " << predicted << " s, took " << taken << " s of processor time, "
               << std::round(100 * (predicted / taken - 1)) << "%");
  if (kIsInstrumented) return;
  // A neighbour that never rests stretches every job, and leaves among the many samples, each of some milliseconds, one
  // that it did not touch: then the middle one of the attempts, each with its own samples, must hold the margin.
  std::sort(errors.begin(), errors.end());
  const double middle = errors[errors.size() / 2];
  CHECK(std::min(std::abs(predicted / taken - 1), std::abs(middle)) <= kSecondsMargin);
}

struct DemoJob {
  const char *what, *transformer;
  int width, height, frames, steps;
  rushes_quant_linear linear;
  rushes_attention_type attention;
  double top_k;
  rushes_precision precision = RUSHES_PRECISION_AUTO;
};

rushes_settings settings_of(const DemoJob& job) {
  rushes_settings settings;
  rushes_settings_default(&settings);
  settings.width = job.width;
  settings.height = job.height;
  settings.num_frames = job.frames;
  settings.num_steps = job.steps;
  settings.quant_linear = job.linear;
  settings.attention_type = job.attention;
  settings.sla_topk = job.top_k;
  settings.precision = job.precision;
  settings.threads = 1;
  return settings;
}

void check_demo(const DemoJob& job) {
  CAPTURE(job.what);
  const DemoFiles names(job.transformer);
  std::string stages;
  check_seconds(job.what, [&] {
    Session session({names.dit, names.vae, names.text, 64});
    std::vector<double> ends = {process_processor_seconds()};
    Observer observer;
    observer.packet = [](std::span<const uint8_t>, bool, int64_t) {};
    observer.stage_ended = [&](rushes_stage, double, uint64_t, bool) { ends.push_back(process_processor_seconds()); };
    GenerateRequest request;
    request.settings = settings_of(job);
    request.ids = {5, 20, 30, 40, 1};
    const GenerateReport report = session.generate(request, observer);
    REQUIRE(report.stages.size() == 4);
    Measured measured;
    stages.clear();
    for (size_t i = 0; i < 4; ++i) {
      const StageCost& planned = report.plan.stages[i];
      CAPTURE(planned.stage);
      const auto bytes = static_cast<double>(report.stages[i].peak_bytes);
      CHECK(std::abs(static_cast<double>(planned.peak_bytes) - bytes) <= kBytesMargin * bytes);
      measured.work += planned.work;
      stages +=
          planned.stage + " " + std::to_string(planned.seconds) + " / " + std::to_string(ends[i + 1] - ends[i]) + "  ";
    }
    measured.seconds = ends[4] - ends[0];
    return measured;
  });
  MESSAGE("predicted when it was planned / taken: " << stages);
}

struct Step {
  const char* what;
  bool quantized;
  LinearFormat format;
  DType compute;
  DitAttention attention;
  Shape latents;
};

void check_step(const Step& step) {
  const fixtures::TemporaryFolder folder;
  write_random_model(folder / "dit.safetensors", wan_dit_tensors(wan_dit_1_3b(1)), step.quantized);
  Context context;
  context.compute = step.compute;
  const auto model = WanDit::load(context, Checkpoint::open(folder / "dit.safetensors"), step.format);
  const Tensor latents = random_tensor(context, step.latents, 1);
  const DitText text = model->embed_text(context, random_tensor(context, {512, 4096}, 2, 0.1f));
  check_seconds(step.what, [&] {
    Measured measured;
    Context counted = context;
    counted.work = &measured.work;
    const double begin = process_processor_seconds();
    model->velocity(counted, latents, 988, text, step.attention);
    measured.seconds = process_processor_seconds() - begin;
    return measured;
  });
}

}  // namespace

TEST_CASE(
    "the plan holds 5% of bytes and 20% of seconds in eight combinations of size, frames, weights and attention") {
  constexpr auto kInt8 = RUSHES_QUANT_LINEAR_INT8, kOff = RUSHES_QUANT_LINEAR_OFF;
  constexpr auto kOriginal = RUSHES_ATTENTION_TYPE_ORIGINAL;
  constexpr auto kSla = RUSHES_ATTENTION_TYPE_SLA;
  constexpr auto kSageSla = RUSHES_ATTENTION_TYPE_SAGESLA;
  const char *const quantized = "demo-t2v-quant.pth", *const plain = "demo-t2v.pth";
  check_demo({"128x128x17, 4 steps, int8, SageSLA 0.1", quantized, 128, 128, 17, 4, kInt8, kSageSla, 0.1});
  check_demo({"160x96x9, 2 steps, 16 bit, original", plain, 160, 96, 9, 2, kOff, kOriginal, 0.1});
  check_demo({"192x192x5, 3 steps, int8, SLA 0.3", quantized, 192, 192, 5, 3, kInt8, kSla, 0.3});
  check_demo({"96x96x9, 2 steps, fp32, SageSLA 0.5", plain, 96, 96, 9, 2, kOff, kSageSla, 0.5, RUSHES_PRECISION_FP32});
  check_demo({"256x128x9, 2 steps, int8, original", quantized, 256, 128, 9, 2, kInt8, kOriginal, 0.1});
  check_demo({"128x192x13, 1 step, 16 bit, SLA 0.1", plain, 128, 192, 13, 1, kOff, kSla, 0.1});
  check_demo({"64x64x33, 3 steps, 16 bit, SageSLA 0.2", plain, 64, 64, 33, 3, kOff, kSageSla, 0.2});
  check_demo({"224x160x5, 2 steps, int8, SageSLA 0.1", quantized, 224, 160, 5, 2, kInt8, kSageSla, 0.1});
}

TEST_CASE("predicted seconds are the processor's, for a layer of 1.3B" * doctest::skip(kIsInstrumented)) {
  const DType wide = CpuFeatures::host().avx512_bf16 ? DType::bf16 : DType::f32;
  const LinearFormat wide_format = wide == DType::bf16 ? LinearFormat::bf16 : LinearFormat::f32;
  check_step({"1.3B layer, 1,560 tokens, int8, SageSLA 0.1",
              true,
              LinearFormat::int8_tiles,
              wide,
              {AttentionType::sagesla, 0.1},
              {16, 4, 30, 52}});
  check_step({"1.3B layer, 780 tokens, 16 bit, original",
              false,
              wide_format,
              wide,
              {AttentionType::original, 1},
              {16, 2, 30, 52}});
  check_step({"1.3B layer, 1,560 tokens, int8, SLA 0.3",
              true,
              LinearFormat::int8_tiles,
              wide,
              {AttentionType::sla, 0.3},
              {16, 1, 60, 104}});
  check_step({"1.3B layer, 390 tokens, fp32, original",
              false,
              LinearFormat::f32,
              DType::f32,
              {AttentionType::original, 1},
              {16, 1, 30, 52}});
}

TEST_CASE("the sample of every effort holds some of it") {
  for (size_t i = 0; i < kEffortCount; ++i) {
    CAPTURE(i);
    const auto effort = static_cast<Effort>(i);
    const RateSample sample = rate_sample(effort);
    WorkCount work, base;
    sample.run(&work);
    if (sample.base) sample.base(&base);
    CHECK(work.of(effort) > base.of(effort));
  }
}

TEST_CASE("rates measured again are never slower, and those of another work are left alone") {
  WorkCount passes, norms;
  passes.pass(1e9);
  norms.of(Effort::norm_bytes) = 1e9;
  Rates rates;
  const double pass = rates.processor_seconds(passes), norm = rates.processor_seconds(norms);
  for (int count = 0; count < 3; ++count) rates.measure_again(passes);
  CHECK(rates.processor_seconds(passes) <= pass);
  CHECK(rates.processor_seconds(norms) == norm);
}

TEST_CASE("rates are kept for the next process, and a file that does not fit is replaced") {
  const fixtures::TemporaryFolder folder;
  WorkCount work;
  work.pass(1e9);
  Rates measured, kept, cautious;
  measured.keep_in(folder / "cache");
  const double seconds = measured.processor_seconds(work);
  CHECK(seconds > 0.005);
  kept.keep_in(folder / "cache");
  CHECK(kept.processor_seconds(work) == seconds);
  for (const char* content : {"", "{", "[]", "{\"machine\":1}", "{\"machine\":{},\"seconds\":[1]}"}) {
    std::ofstream((folder / "cache") / "engine-rates.json") << content;
    Rates again;
    again.keep_in(folder / "cache");
    CHECK(again.processor_seconds(work) > 0.005);
    const auto file = nlohmann::json::parse(std::ifstream((folder / "cache") / "engine-rates.json"));
    CHECK(file["seconds"].size() == kEffortCount);
  }
  cautious.keep_in("/proc/nowhere");
  CHECK(cautious.processor_seconds(work) > 0.005);
}
