// Whole jobs of the demo model on the pretended card: what they make, what they remember of the card when it fails, and
// how they go on.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "cuda/emulator/host_emulator.h"
#include "emulator/pretended_card.h"
#include "engine/demo_run.h"
#include "engine/expert_pair.h"
#include "fixtures/model_files.h"

using namespace rushes::check;
using rushes::fixtures::TemporaryFolder;
namespace emulator = rushes::cuda::emulator;

namespace {

// The smallest clip there is.
rushes_settings card_settings(int steps) {
  rushes_settings settings = small_settings();
  settings.device = RUSHES_DEVICE_CUDA;
  settings.width = 32;
  settings.height = 16;
  settings.num_frames = 5;
  settings.num_steps = steps;
  settings.precision = RUSHES_PRECISION_BF16;
  return settings;
}

double largest_difference(const Outcome& a, const Outcome& b) {
  REQUIRE(a.frames.size() == b.frames.size());
  int largest = 0;
  for (size_t i = 0; i < a.frames.size(); ++i)
    for (size_t p = 0; p < a.frames[i].size(); ++p)
      largest = std::max(largest, std::abs(a.frames[i][p] - b.frames[i][p]));
  return largest;
}

bool said(const Outcome& outcome, const std::string& text) {
  return std::any_of(outcome.lines.begin(), outcome.lines.end(),
                     [&](const std::string& line) { return line.find(text) != std::string::npos; });
}

// The report's stages beside the plan's, in both memories.
void require_planned_memory(const Outcome& on_card, size_t stages) {
  REQUIRE(on_card.report["stages"].size() == stages);
  for (size_t stage = 0; stage < stages; ++stage) {
    CAPTURE(stage);
    for (const char* bytes : {"peakBytes", "deviceBytes"}) {
      const double planned = on_card.report["plan"]["stages"][stage][bytes],
                   peak = on_card.report["stages"][stage][bytes];
      CAPTURE(bytes);
      CAPTURE(planned);
      CAPTURE(peak);
      CHECK(std::abs(planned / peak - 1) <= 0.05);
    }
  }
}

}  // namespace

TEST_CASE("a job on a card makes the clip that the processor makes, in the memory that was planned") {
  const rushes::RestoredCard restored;
  Demo demo("demo-t2v.pth");
  rushes_settings settings = card_settings(1);
  settings.precision = RUSHES_PRECISION_FP32;
  settings.attention_type = RUSHES_ATTENTION_TYPE_SLA;
  settings.quant_linear = RUSHES_QUANT_LINEAR_OFF;
  const Outcome on_card = generate(demo, settings);
  REQUIRE_MESSAGE(on_card.status.code[0] == 0, on_card.status.sentence);
  CHECK(said(on_card, "Computing on Emulated card"));
  CHECK(on_card.report["plan"]["device"]["name"] == "Emulated card");
  CHECK(on_card.report["settings"]["device"] == "cuda");
  require_planned_memory(on_card, 4);
  settings.device = RUSHES_DEVICE_CPU;
  const Outcome on_cpu = generate(demo, settings);
  REQUIRE(on_cpu.status.code[0] == 0);
  CHECK(!said(on_cpu, "Emulated card"));
  CHECK(largest_difference(on_card, on_cpu) <= 1);
}

TEST_CASE("a video that starts from a picture is the processor's on a card too, in the memory that was planned") {
  const rushes::RestoredCard restored;
  const ExpertPair pair;
  rushes_settings settings = card_settings(2);
  settings.precision = RUSHES_PRECISION_FP32;
  settings.attention_type = RUSHES_ATTENTION_TYPE_SLA;
  settings.boundary = 0.95;  // one step for each expert
  Job job;
  job.image = picture_of(settings);
  Demo demo(pair.files());
  const Outcome on_card = generate(demo, settings, job);
  REQUIRE_MESSAGE(on_card.status.code[0] == 0, on_card.status.sentence);
  require_planned_memory(on_card, 5);
  settings.device = RUSHES_DEVICE_CPU;
  const Outcome on_cpu = generate(demo, settings, job);
  REQUIRE(on_cpu.status.code[0] == 0);
  CHECK(largest_difference(on_card, on_cpu) <= 1);
}

TEST_CASE("a lost card and a full one each fail their job alone: the next goes on where it was, in less memory") {
  const rushes::RestoredCard restored;
  const TemporaryFolder folder;
  Demo demo;
  const Job job{.latents = folder / "latents.safetensors", .prefix = folder / "job", .embedding = folder / "embedding"};

  // Lost in the middle of the text encoder; nothing of it is left on the card.
  emulator::set_faults({.launch = 20, .launch_code = emulator::kUncorrectableEcc, .lost = true});
  const Outcome lost = generate(demo, card_settings(2), job);
  CHECK(std::string(lost.status.code) == "gpu.lost");
  CHECK(lost.report.is_null());
  CHECK(lost.frames.empty());

  // The next job opens the card again, and loses its memory to another program after its first step.
  struct Watch {
    bool filled = false;
    nlohmann::json plan;
  } watch;
  rushes_callbacks callbacks{};
  callbacks.user = &watch;
  callbacks.progress = [](void* user, rushes_stage stage, double, int step, int) {
    auto* w = static_cast<Watch*>(user);
    if (stage != RUSHES_STAGE_DECODE || w->filled) return;
    static_cast<void>(step);
    emulator::Card full;
    full.info.total_bytes = 1 << 20;
    emulator::set_card(full);
    w->filled = true;
  };
  callbacks.planned = [](void* user, const char* plan) {
    static_cast<Watch*>(user)->plan = nlohmann::json::parse(plan);
  };
  const std::vector<int32_t> ids = {5, 20, 30, 40, 1};
  const rushes_request request{card_settings(2),
                               ids.data(),
                               ids.size(),
                               job.embedding.c_str(),
                               job.latents.c_str(),
                               job.prefix.c_str(),
                               nullptr,
                               0,
                               nullptr,
                               0,
                               nullptr,
                               0};
  char* report = nullptr;
  const rushes_status full = rushes_generate(demo.model, &request, &callbacks, &report);
  rushes_string_free(report);
  CHECK(watch.filled);
  CHECK(std::string(full.code) == "memory.exhausted");
  // Told of the whole job, not of the piece that could not be had.
  CHECK(std::string(full.sentence).find("of the graphics card's memory and may use") != std::string::npos);
  CHECK(full.needed_bytes > full.free_bytes);
  CHECK(static_cast<double>(full.needed_bytes) <= 1.05 * watch.plan["device"]["peakBytes"].get<double>());
  CHECK(static_cast<double>(full.needed_bytes) >= 0.3 * watch.plan["device"]["peakBytes"].get<double>());
  REQUIRE(std::filesystem::exists(folder / "job-step1.safetensors"));

  // With the budget lowered the same session goes on from the step that was saved: part after part, blocks streaming.
  emulator::reset();
  rushes_settings lowered = card_settings(2);
  constexpr double kGibibyte = 1024.0 * 1024 * 1024;
  const double before = plan(DemoFiles(), lowered)["device"]["peakBytes"];
  lowered.memory_budget = 0.6 * before / kGibibyte;
  Job rest = job;
  rest.resume = folder / "job-step1.safetensors";
  rest.start_step = 1;
  // Copies and work take turns as a card may choose; the clip is the same, and nobody forgot to wait.
  std::optional<Outcome> first;
  for (const auto order : {emulator::StreamOrder::latest, emulator::StreamOrder::others_first}) {
    CAPTURE(static_cast<int>(order));
    emulator::set_stream_order(order);
    const uint64_t violations = emulator::counts().violations;
    const Outcome resumed = generate(demo, lowered, rest);
    REQUIRE_MESSAGE(resumed.status.code[0] == 0, resumed.status.sentence);
    CHECK(resumed.frames.size() == 5);
    CHECK(resumed.report["plan"]["resident"] == false);
    CHECK(resumed.report["plan"]["device"]["peakBytes"].get<double>() <= lowered.memory_budget * kGibibyte);
    for (const auto& stage : resumed.report["stages"])
      CHECK(stage["deviceBytes"].get<double>() <= lowered.memory_budget * kGibibyte);
    CHECK(emulator::counts().violations == violations);
    if (!first) first = resumed;
    CHECK(resumed.frames == first->frames);
  }
}

TEST_CASE("after a kernel lost the card every further job of the process says so, and none ends it") {
  const rushes::RestoredCard restored;
  Demo demo;
  emulator::set_faults({.launch = 20, .launch_code = emulator::kIllegalAddress, .lost = true});
  for (int job = 0; job < 2; ++job) CHECK(std::string(generate(demo, card_settings(1)).status.code) == "gpu.lost");
}

TEST_CASE("where no driver is, a job for a card says so, and auto takes the processor") {
  const rushes::RestoredCard restored;
  emulator::Card none;
  none.driver_version = 0;
  emulator::set_card(none);
  Demo demo;
  CHECK(std::string(generate(demo, card_settings(1)).status.code) == "gpu.driver");
  rushes_settings settings = card_settings(1);
  settings.device = RUSHES_DEVICE_AUTO;
  const Outcome outcome = generate(demo, settings);
  CHECK(outcome.status.code[0] == 0);
  CHECK(outcome.report["settings"]["device"] == "cpu");
}
