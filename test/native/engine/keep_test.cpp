// Sampling that is ended early and kept: what it makes, and what it says about it.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "engine/demo_run.h"
#include "engine/expert_pair.h"
#include "fixtures/model_files.h"

using namespace rushes::check;
using Folder = rushes::fixtures::TemporaryFolder;

TEST_CASE("what is kept after the first step is what one step makes") {
  const Folder folder;
  Demo demo;
  rushes_settings settings = small_settings();
  const Outcome kept = generate(demo, settings, {.latents = folder / "kept.safetensors", .keep_at_step = 2});
  REQUIRE_MESSAGE(kept.status.code[0] == 0, kept.status.sentence);
  CHECK(kept.report["keptStep"] == 1);
  CHECK(kept.report["warnings"].size() >= 1);
  CHECK(kept.latents_before_frames);
  settings.num_steps = 1;
  const Outcome single = generate(demo, settings);
  CHECK(single.report["keptStep"].is_null());
  CHECK(kept.frames == single.frames);
}

TEST_CASE("keeping before the first step is finished waits for it; while the last one runs it takes the one before") {
  Demo demo;
  const Outcome first = generate(demo, small_settings(), {.keep_at_step = 1});
  REQUIRE_MESSAGE(first.status.code[0] == 0, first.status.sentence);
  CHECK(first.report["keptStep"] == 1);
  rushes_settings settings = small_settings();
  settings.width = settings.height = 128;  // long enough a step to be abandoned
  settings.num_frames = 33;
  const Outcome last = generate(demo, settings, {.keep_at_step = 3});
  REQUIRE_MESSAGE(last.status.code[0] == 0, last.status.sentence);
  CHECK(last.report["keptStep"] == 2);
  CHECK(last.seconds_to_obey < 10);  // a second, and what a busy machine adds
  settings = small_settings();
  settings.num_steps = 1;
  CHECK(generate(demo, settings, {.keep_at_step = 1}).report["keptStep"].is_null());
}

TEST_CASE("kept latents know their step when they are decoded again") {
  const Folder folder;
  Demo demo;
  const Outcome kept = generate(demo, small_settings(), {.latents = folder / "kept.safetensors", .keep_at_step = 1});
  REQUIRE(kept.status.code[0] == 0);
  const Outcome again = decode(demo, folder / "kept.safetensors", small_settings());
  REQUIRE_MESSAGE(again.status.code[0] == 0, again.status.sentence);
  CHECK(again.report["keptStep"] == 1);
  CHECK(again.report["warnings"] == kept.report["warnings"]);
  CHECK(again.frames == kept.frames);
}

TEST_CASE("a job that continues from a saved step finishes one of its own before it can be kept") {
  const Folder folder;
  Demo demo;
  REQUIRE(generate(demo, small_settings(), {.prefix = folder / "job"}).status.code[0] == 0);
  const Outcome kept = generate(demo, small_settings(),
                                {.resume = folder / "job-step1.safetensors", .start_step = 1, .keep_at_step = 2});
  REQUIRE_MESSAGE(kept.status.code[0] == 0, kept.status.sentence);
  CHECK(kept.report["keptStep"] == 2);
}

TEST_CASE("a job can go on after any step but its last, and is told so before anything is done") {
  const Folder folder;
  Demo demo;
  REQUIRE(generate(demo, small_settings(), {.prefix = folder / "job"}).status.code[0] == 0);
  for (const int step : {-1, 3, 9}) {
    const Outcome outcome = generate(
        demo, small_settings(), {.resume = folder / "job-step1.safetensors", .start_step = step, .keep_at_step = 1});
    CHECK(std::string(outcome.status.code) == "settings.invalid");
    CHECK(std::string(outcome.status.sentence).find("after step") != std::string::npos);
    CHECK(outcome.stages.empty());
    CHECK(outcome.frames.empty());
  }
  const Outcome nowhere = generate(demo, small_settings(), {.start_step = 1});
  CHECK(std::string(nowhere.status.code) == "settings.invalid");
  CHECK(nowhere.stages.empty());
}

namespace {

// A job of two experts that do not fit into memory together; the second one takes over after the first step.
Outcome generate_with_change(Job job) {
  const ExpertPair pair;
  rushes_settings settings = small_settings();
  settings.num_steps = 4;
  settings.sigma_max = 200;  // times 0.995, 0.934, 0.853, 0.609
  settings.boundary = 0.95;
  settings.memory_budget = 0.95 * plan(pair.files(), settings)["peakBytes"].get<double>() / (1 << 30);
  job.image = picture_of(settings);
  Demo demo(pair.files());
  Outcome outcome = generate(demo, settings, job);
  CHECK_MESSAGE(outcome.status.code[0] == 0, outcome.status.sentence);
  CHECK(outcome.report["plan"]["resident"] == false);
  return outcome;
}

bool has_changed(const Outcome& outcome) {
  return std::any_of(outcome.lines.begin(), outcome.lines.end(),
                     [](const std::string& line) { return line.find("expert takes over") != std::string::npos; });
}

}  // namespace

TEST_CASE("while the second expert is loaded, the step that waits for it is told of") {
  const Outcome outcome = generate_with_change({});
  CHECK(has_changed(outcome));
  CHECK(std::is_sorted(outcome.steps.begin(), outcome.steps.end()));
  CHECK(std::count_if(outcome.steps.begin(), outcome.steps.end(),
                      [](const auto& told) { return told.first == 2 && told.second > 0 && told.second <= 0.5; }) >= 2);
}

TEST_CASE("what is to be kept is kept before the second expert is loaded, and while it is") {
  const Outcome before = generate_with_change({.keep_at_step = 1});
  CHECK(before.report["keptStep"] == 1);
  CHECK_FALSE(has_changed(before));
  const Outcome meanwhile = generate_with_change({.keep_at_step = 2, .order_at_fraction = 0.1});
  CHECK(meanwhile.report["keptStep"] == 1);
  CHECK(has_changed(meanwhile));
  REQUIRE(!meanwhile.steps.empty());
  CHECK(meanwhile.steps.back().first == 2);
  CHECK(meanwhile.steps.back().second < 0.5);
  CHECK(meanwhile.frames == before.frames);
}
