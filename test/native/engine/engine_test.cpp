// The engine through its C interface, with the demo model: generate, plan, cancel, resume, refuse.
#include "rushes/engine.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/demo_run.h"
#include "engine/machine.h"
#include "engine/settings.h"
#include "fixtures/model_files.h"
#include "media/h264_encoder.h"
#include "runtime/status.h"

using namespace rushes::check;
using nlohmann::json;
using Folder = rushes::fixtures::TemporaryFolder;
namespace fs = std::filesystem;

TEST_CASE("a generation makes every frame, saves latents first and reports what it did") {
  Folder folder;
  Demo demo;
  const Outcome outcome =
      generate(demo, small_settings(), {.latents = folder / "latents.safetensors", .prefix = folder / "job"});
  REQUIRE_MESSAGE(outcome.status.code[0] == 0, outcome.status.sentence);
  CHECK(outcome.frames.size() == 9);
  CHECK(outcome.packets == 9);
  CHECK(outcome.latents_before_frames);
  CHECK(outcome.report["frames"] == 9);
  CHECK(outcome.report["settings"]["quantLinear"] == "int8");
  CHECK(outcome.report["settings"]["attentionType"] == "sagesla");
  CHECK(outcome.report["int8"]["layers"] == 80);
  CHECK(outcome.report["int8"]["names"][0] == "blocks.0.self_attn.q [256x256]");
  CHECK(outcome.report["int8"]["names"].size() == 80);
  REQUIRE(outcome.report["stages"].size() == 4);
  REQUIRE(outcome.stages.size() == 4);
  for (size_t stage = 0; stage < 4; ++stage) {
    CHECK(outcome.stages[stage].finished);
    CHECK(outcome.report["stages"][stage]["peakBytes"] == outcome.stages[stage].peak_bytes);
  }
  CHECK(outcome.report["keptStep"].is_null());
  CHECK(fs::exists(folder / "job-step1.safetensors"));
  CHECK(fs::exists(folder / "job-step2.safetensors"));
  bool summed = false;
  for (const std::string& line : outcome.lines) summed |= line.starts_with("int8 on 80 linear layers, ");
  CHECK(summed);
}

TEST_CASE("a job that may choose its device says why it computes on the processor, as the machine's facts do" *
          doctest::skip(rushes::no_card_reason().empty())) {
  Folder folder;
  Demo demo;
  const Outcome outcome = generate(demo, small_settings(), {.latents = folder / "latents.safetensors"});
  REQUIRE_MESSAGE(outcome.status.code[0] == 0, outcome.status.sentence);
  const std::string reason = json::parse(rushes::machine_report())["gpu"]["reason"];
  const auto& lines = outcome.lines;
  CHECK(std::count(lines.begin(), lines.end(), "Computing on the cpu. " + reason) == 1);
}

TEST_CASE("the same settings give the same bytes on any thread count, and resuming changes nothing") {
  Folder folder;
  Demo demo;
  rushes_settings settings = small_settings();
  settings.threads = 1;
  const Outcome one = generate(demo, settings, {.latents = folder / "one.safetensors", .prefix = folder / "job"});
  settings.threads = 2;
  const Outcome two = generate(demo, settings, {.latents = folder / "two.safetensors"});
  const Outcome resumed = generate(
      demo, settings,
      {.latents = folder / "resumed.safetensors", .resume = folder / "job-step2.safetensors", .start_step = 2});
  REQUIRE(one.status.code[0] == 0);
  REQUIRE(two.status.code[0] == 0);
  REQUIRE_MESSAGE(resumed.status.code[0] == 0, resumed.status.sentence);
  CHECK(one.frames == two.frames);
  CHECK(one.frames == resumed.frames);

  const Outcome again = decode(demo, folder / "one.safetensors", settings);
  REQUIRE_MESSAGE(again.status.code[0] == 0, again.status.sentence);
  CHECK(again.frames == one.frames);
}

TEST_CASE("a kept embedding gives the same video") {
  Folder folder;
  Demo demo;
  const std::string path = folder / "prompt.safetensors";
  const Outcome first = generate(demo, small_settings(), {.embedding = path});
  REQUIRE(first.status.code[0] == 0);
  REQUIRE(fs::exists(path));
  Demo other;
  const Outcome second = generate(other, small_settings(), {.embedding = path});
  CHECK(first.frames == second.frames);
}

TEST_CASE("cancelling ends a job within a second and leaves no latents") {
  Folder folder;
  Demo demo;
  rushes_settings settings = small_settings();
  settings.width = settings.height = 128;
  settings.num_frames = 17;
  const Outcome outcome = generate(demo, settings, {.latents = folder / "latents.safetensors", .cancel_at_step = 2});
  CHECK(std::string(outcome.status.code) == "job.cancelled");
  CHECK(outcome.seconds_to_obey < 10);  // a second, and what a busy machine adds
  // What a failed attempt reached is known all the same.
  REQUIRE(outcome.stages.size() == 3);
  CHECK(outcome.stages[1].finished);
  CHECK(outcome.stages[2].stage == RUSHES_STAGE_SAMPLE);
  CHECK(!outcome.stages[2].finished);
  CHECK(outcome.stages[2].peak_bytes > 0);
  CHECK(!fs::exists(folder / "latents.safetensors"));
  CHECK(generate(demo, small_settings()).status.code[0] == 0);
}

TEST_CASE("the plan's peak is within 5% of the measured one") {
  for (const auto attention :
       {RUSHES_ATTENTION_TYPE_ORIGINAL, RUSHES_ATTENTION_TYPE_SLA, RUSHES_ATTENTION_TYPE_SAGESLA})
    for (const auto quant : {RUSHES_QUANT_LINEAR_OFF, RUSHES_QUANT_LINEAR_INT8})
      for (const int size : {64, 128}) {
        Demo demo("demo-t2v.pth");
        rushes_settings settings = small_settings();
        settings.attention_type = attention;
        settings.quant_linear = quant;
        settings.width = size;
        settings.num_steps = 1;
        settings.precision = RUSHES_PRECISION_AUTO;
        const Outcome outcome = generate(demo, settings);
        REQUIRE_MESSAGE(outcome.status.code[0] == 0, outcome.status.sentence);
        for (size_t stage = 0; stage < 4; ++stage) {
          const double planned = outcome.report["plan"]["stages"][stage]["peakBytes"],
                       peak = outcome.report["stages"][stage]["peakBytes"];
          CAPTURE(stage);
          CHECK(std::abs(planned / peak - 1) <= 0.05);
        }
      }
}

TEST_CASE("the plan of a second job counts what is warm, and the kept embedding") {
  Folder folder;
  Demo demo;
  const std::string embedding = folder / "prompt.safetensors";
  rushes_settings settings = small_settings();
  for (int run = 0; run < 2; ++run) {
    settings.num_frames = 9 + 8 * run;
    const Outcome outcome = generate(demo, settings, {.embedding = embedding});
    REQUIRE_MESSAGE(outcome.status.code[0] == 0, outcome.status.sentence);
    for (size_t stage = 0; stage < 4; ++stage) {
      const double planned = outcome.report["plan"]["stages"][stage]["peakBytes"],
                   peak = outcome.report["stages"][stage]["peakBytes"];
      CAPTURE(run);
      CAPTURE(stage);
      CHECK(std::abs(planned / peak - 1) <= 0.05);
    }
  }
}

TEST_CASE("a kept embedding of no use is planned like none, and one of use needs no text encoder") {
  Folder folder;
  const std::string good = folder / "good.safetensors", bad = folder / "bad.safetensors";
  Demo first;
  REQUIRE(generate(first, small_settings(), {.embedding = good}).status.code[0] == 0);
  fs::copy_file(good, bad);
  fs::resize_file(bad, fs::file_size(bad) - 1);
  const auto text_peaks = [](const std::string& embedding) {
    Demo demo;
    const Outcome outcome = generate(demo, small_settings(), {.embedding = embedding});
    REQUIRE_MESSAGE(outcome.status.code[0] == 0, outcome.status.sentence);
    const double planned = outcome.report["plan"]["stages"][0]["peakBytes"], peak = outcome.stages[0].peak_bytes;
    CHECK(std::abs(planned / peak - 1) <= 0.05);
    return peak;
  };
  const double kept = text_peaks(good), made = text_peaks(bad);
  CHECK(made > 2 * kept);
}

TEST_CASE("what the files cannot do is refused in one sentence") {
  Demo demo;
  rushes_settings settings = small_settings();
  settings.quant_linear = RUSHES_QUANT_LINEAR_OFF;
  CHECK(std::string(generate(demo, settings).status.code) == "settings.invalid");
  settings = small_settings();
  settings.num_frames = 10;
  CHECK(std::string(generate(demo, settings).status.code) == "settings.invalid");
  settings = small_settings();
  settings.width = 100;
  CHECK(std::string(generate(demo, settings).status.code) == "settings.invalid");
  settings = small_settings();
  settings.sla_topk = 0;
  CHECK(std::string(generate(demo, settings).status.code) == "settings.invalid");
  settings = small_settings();
  settings.memory_budget = 0.001;
  const Outcome outcome = generate(demo, settings);
  CHECK(std::string(outcome.status.code) == "memory.exhausted");
  CHECK(outcome.status.needed_bytes > outcome.status.free_bytes);
  CHECK(outcome.status.advice[0] != 0);
}

TEST_CASE("a size that no video can be written in is refused before any work") {
  rushes_settings settings = small_settings();
  settings.width = settings.height = 2400;
  const DemoFiles names;
  const rushes_model_files files = names.pointers();
  char* report = nullptr;
  const rushes_status planned = rushes_plan(&files, nullptr, &settings, 5, nullptr, 0, &report);
  rushes_string_free(report);
  REQUIRE(std::string(planned.code) == "settings.invalid");
  CHECK(planned.advice[0] != 0);
  Demo demo;
  const Outcome outcome = generate(demo, settings);
  CHECK(std::string(outcome.status.code) == "settings.invalid");
  CHECK(outcome.stages.empty());

  for (const auto& [width, height] : {std::pair(4096, 2304), std::pair(2304, 4096), std::pair(4096, 16)}) {
    settings.width = width;
    settings.height = height;
    CHECK_NOTHROW(rushes::check_settings(settings));
  }
  settings.width = 2320;
  settings.height = 4096;
  CHECK_THROWS_AS(rushes::check_settings(settings), rushes::Error);
}

TEST_CASE("without an encoder a job that wants packets ends before any work" *
          doctest::skip(rushes::H264Encoder::available())) {
  Demo demo;
  const Outcome outcome = generate(demo, small_settings());
  CHECK(std::string(outcome.status.code) == "engine.unavailable");
  CHECK(outcome.stages.empty());
}

TEST_CASE("files that do not belong together are refused when the model is opened") {
  const std::string folder = rushes::check::demo_folder();
  const std::string dit = folder + "/demo-t2v.pth", vae = folder + "/demo-vae.pth", text = folder + "/demo-umt5.pth";
  const auto code = [](const std::string& a, const std::string& b, const std::string& c) {
    const rushes_model_files files{a.c_str(), b.c_str(), c.c_str(), 64, nullptr};
    rushes_model* model = nullptr;
    const rushes_status status = rushes_model_open(&files, &model);
    rushes_model_close(model);
    return std::string(status.code);
  };
  CHECK(code(dit, vae, text) == "");
  CHECK(code(vae, vae, text) == "checkpoint.unsupported");
  CHECK(code(dit, text, text) == "checkpoint.unsupported");
  CHECK(code(dit, vae, dit) == "checkpoint.unsupported");
  CHECK(code(folder, vae, text) == "checkpoint.missing");
  CHECK(code(folder + "/absent.pth", vae, text) == "checkpoint.missing");
}

TEST_CASE("every kernel this machine can run passes the self-test") {
  char* report = nullptr;
  const rushes_status status = rushes_self_test(2, &report);
  REQUIRE(status.code[0] == 0);
  const json found = json::parse(report);
  rushes_string_free(report);
  for (const json& check : found["checks"]) {
    CAPTURE(check.dump());
    CHECK(check["passed"] == true);
  }
  CHECK(found["passed"].get<int>() > 20);
}
