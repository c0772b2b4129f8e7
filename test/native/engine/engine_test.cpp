// The engine through its C interface, with the demo model: generate, plan, cancel, resume, refuse.
#include "rushes/engine.h"

#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "project_paths.h"

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

const std::vector<int32_t> kIds = {5, 20, 30, 40, 1};  // any pieces of the demo vocabulary, then </s>

// A folder of its own, gone afterwards.
struct Folder {
  fs::path path = fs::temp_directory_path() /
                  ("rushes-engine-" + std::to_string(std::chrono::steady_clock::now().time_since_epoch().count()));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
};

struct Demo {
  rushes_model* model = nullptr;
  explicit Demo(const char* transformer = "demo-t2v-quant.pth") {
    const std::string folder = rushes::check::demo_folder();
    const std::string dit = folder + "/" + transformer, vae = folder + "/demo-vae.pth",
                      text = folder + "/demo-umt5.pth";
    const rushes_model_files files{dit.c_str(), vae.c_str(), text.c_str(), 64};
    const rushes_status status = rushes_model_open(&files, &model);
    REQUIRE_MESSAGE(status.code[0] == 0, status.sentence);
  }
  ~Demo() { rushes_model_close(model); }
};

rushes_settings small_settings() {
  rushes_settings settings;
  rushes_settings_default(&settings);
  settings.width = settings.height = 64;
  settings.num_frames = 9;
  settings.num_steps = 3;
  settings.seed = 11;
  settings.precision = RUSHES_PRECISION_FP32;
  return settings;
}

struct Outcome {
  rushes_status status{};
  json report;
  std::vector<std::vector<uint8_t>> frames;
  std::vector<std::string> lines;
  size_t packets = 0;
  bool latents_before_frames = true;
};

struct Watch {
  Outcome* outcome;
  std::string latents;
  int cancel_at_step = 0;
  bool cancel = false;
  std::chrono::steady_clock::time_point asked{};
};

Outcome generate(Demo& demo, const rushes_settings& settings, const std::string& latents = "",
                 const std::string& prefix = "", const std::string& resume = "", int start_step = 0,
                 int cancel_at_step = 0, const std::string& embedding = "") {
  Outcome outcome;
  Watch watch{&outcome, latents, cancel_at_step, false, {}};
  rushes_callbacks callbacks{};
  callbacks.user = &watch;
  callbacks.frame = [](void* user, int64_t, const uint8_t* rgb, int width, int height) {
    auto* w = static_cast<Watch*>(user);
    if (!w->latents.empty() && !fs::exists(w->latents)) w->outcome->latents_before_frames = false;
    w->outcome->frames.emplace_back(rgb, rgb + width * height * 3);
  };
  callbacks.packet = [](void* user, const uint8_t*, size_t, int, int64_t) {
    ++static_cast<Watch*>(user)->outcome->packets;
  };
  callbacks.log = [](void* user, int, const char* line) { static_cast<Watch*>(user)->outcome->lines.push_back(line); };
  callbacks.progress = [](void* user, rushes_stage stage, double, int step, int) {
    auto* w = static_cast<Watch*>(user);
    if (w->cancel_at_step && stage == RUSHES_STAGE_SAMPLE && step == w->cancel_at_step && !w->cancel) {
      w->cancel = true;
      w->asked = std::chrono::steady_clock::now();
    }
  };
  callbacks.cancelled = [](void* user) -> int { return static_cast<Watch*>(user)->cancel; };
  const auto path = [](const std::string& text) { return text.empty() ? nullptr : text.c_str(); };
  const rushes_request request{settings,      kIds.data(),  kIds.size(),  path(embedding),
                               path(latents), path(prefix), path(resume), start_step};
  char* report = nullptr;
  outcome.status = rushes_generate(demo.model, &request, &callbacks, &report);
  if (report) outcome.report = json::parse(report);
  rushes_string_free(report);
  if (cancel_at_step && watch.cancel) CHECK(std::chrono::steady_clock::now() - watch.asked < std::chrono::seconds(1));
  return outcome;
}

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("a generation makes every frame, saves latents first and reports what it did") {
  Folder folder;
  Demo demo;
  const Outcome outcome = generate(demo, small_settings(), folder.path / "latents.safetensors", folder.path / "job");
  REQUIRE_MESSAGE(outcome.status.code[0] == 0, outcome.status.sentence);
  CHECK(outcome.frames.size() == 9);
  CHECK(outcome.packets == 9);
  CHECK(outcome.latents_before_frames);
  CHECK(outcome.report["frames"] == 9);
  CHECK(outcome.report["settings"]["quantLinear"] == "int8");
  CHECK(outcome.report["settings"]["attentionType"] == "sagesla");
  CHECK(outcome.report["int8"]["layers"] == 80);
  CHECK(outcome.report["int8"]["names"][0] == "blocks.0.self_attn.q [256x256]");
  CHECK(outcome.report["stages"].size() == 4);
  CHECK(fs::exists(folder.path / "job-step1.safetensors"));
  CHECK(fs::exists(folder.path / "job-step2.safetensors"));
  bool summed = false;
  for (const std::string& line : outcome.lines) summed |= line.starts_with("int8 on 80 linear layers, ");
  CHECK(summed);
}

TEST_CASE("the same settings give the same bytes on any thread count, and resuming changes nothing") {
  Folder folder;
  Demo demo;
  rushes_settings settings = small_settings();
  settings.threads = 1;
  const Outcome one = generate(demo, settings, folder.path / "one.safetensors", folder.path / "job");
  settings.threads = 2;
  const Outcome two = generate(demo, settings, folder.path / "two.safetensors");
  const Outcome resumed =
      generate(demo, settings, folder.path / "resumed.safetensors", "", folder.path / "job-step2.safetensors", 2);
  REQUIRE(one.status.code[0] == 0);
  REQUIRE(two.status.code[0] == 0);
  REQUIRE_MESSAGE(resumed.status.code[0] == 0, resumed.status.sentence);
  CHECK(one.frames == two.frames);
  CHECK(one.frames == resumed.frames);

  char* report = nullptr;
  rushes_callbacks callbacks{};
  std::vector<std::vector<uint8_t>> again;
  callbacks.user = &again;
  callbacks.frame = [](void* user, int64_t, const uint8_t* rgb, int width, int height) {
    static_cast<std::vector<std::vector<uint8_t>>*>(user)->emplace_back(rgb, rgb + width * height * 3);
  };
  const rushes_status status =
      rushes_decode(demo.model, (folder.path / "one.safetensors").c_str(), &settings, &callbacks, &report);
  rushes_string_free(report);
  REQUIRE_MESSAGE(status.code[0] == 0, status.sentence);
  CHECK(again == one.frames);
}

TEST_CASE("a kept embedding gives the same video") {
  Folder folder;
  Demo demo;
  const std::string path = folder.path / "prompt.safetensors";
  const Outcome first = generate(demo, small_settings(), "", "", "", 0, 0, path);
  REQUIRE(first.status.code[0] == 0);
  REQUIRE(fs::exists(path));
  Demo other;
  const Outcome second = generate(other, small_settings(), "", "", "", 0, 0, path);
  CHECK(first.frames == second.frames);
}

TEST_CASE("cancelling ends a job within a second and leaves no latents") {
  Folder folder;
  Demo demo;
  rushes_settings settings = small_settings();
  settings.width = settings.height = 128;
  settings.num_frames = 17;
  const Outcome outcome = generate(demo, settings, folder.path / "latents.safetensors", "", "", 0, 2);
  CHECK(std::string(outcome.status.code) == "job.cancelled");
  CHECK(!fs::exists(folder.path / "latents.safetensors"));
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
          CHECK(planned / peak == doctest::Approx(1.0).epsilon(0.05));
        }
      }
}

TEST_CASE("the plan of a second job counts what is warm, and the kept embedding") {
  Folder folder;
  Demo demo;
  const std::string embedding = folder.path / "prompt.safetensors";
  rushes_settings settings = small_settings();
  for (int run = 0; run < 2; ++run) {
    settings.num_frames = 9 + 8 * run;
    const Outcome outcome = generate(demo, settings, "", "", "", 0, 0, embedding);
    REQUIRE_MESSAGE(outcome.status.code[0] == 0, outcome.status.sentence);
    for (size_t stage = 0; stage < 4; ++stage) {
      const double planned = outcome.report["plan"]["stages"][stage]["peakBytes"],
                   peak = outcome.report["stages"][stage]["peakBytes"];
      CAPTURE(run);
      CAPTURE(stage);
      CHECK(planned / peak == doctest::Approx(1.0).epsilon(0.05));
    }
  }
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

TEST_CASE("files that do not belong together are refused when the model is opened") {
  const std::string folder = rushes::check::demo_folder();
  const std::string dit = folder + "/demo-t2v.pth", vae = folder + "/demo-vae.pth", text = folder + "/demo-umt5.pth";
  const auto code = [](const std::string& a, const std::string& b, const std::string& c) {
    const rushes_model_files files{a.c_str(), b.c_str(), c.c_str(), 64};
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
