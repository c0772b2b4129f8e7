// The demo model behind the C interface, and one run of it with everything it said.
#pragma once
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "project_paths.h"
#include "runtime/processor_time.h"
#include "rushes/engine.h"

namespace rushes::check {

struct DemoFiles {
  std::string dit, vae, text;
  std::string low{};  // a second expert
  explicit DemoFiles(const std::string& transformer = "demo-t2v-quant.pth")
      : dit(demo_folder() + "/" + transformer),
        vae(demo_folder() + "/demo-vae.pth"),
        text(demo_folder() + "/demo-umt5.pth") {}
  rushes_model_files pointers() const {
    return {dit.c_str(), vae.c_str(), text.c_str(), 64, low.empty() ? nullptr : low.c_str()};
  }
};

struct Demo {
  rushes_model* model = nullptr;
  explicit Demo(const char* transformer = "demo-t2v-quant.pth") : Demo(DemoFiles(transformer)) {}
  explicit Demo(const DemoFiles& names) {
    const rushes_model_files files = names.pointers();
    const rushes_status status = rushes_model_open(&files, &model);
    REQUIRE_MESSAGE(status.code[0] == 0, status.sentence);
  }
  ~Demo() { rushes_model_close(model); }
  Demo(const Demo&) = delete;
  Demo& operator=(const Demo&) = delete;
};

inline rushes_settings small_settings() {
  rushes_settings settings;
  rushes_settings_default(&settings);
  settings.width = settings.height = 64;
  settings.num_frames = 9;
  settings.num_steps = 3;
  settings.seed = 11;
  settings.precision = RUSHES_PRECISION_FP32;
  return settings;
}

struct Job {
  std::string latents{}, prefix{}, resume{};
  int start_step = 0;
  int cancel_at_step = 0, keep_at_step = 0;  // when that step begins
  std::string embedding{};
  bool previews = false;
  std::vector<uint8_t> image{};
  double order_at_fraction = 0;  // of that step
  std::vector<rushes_lora> loras{};
  std::function<void(rushes_stage, double fraction)> while_running{};  // what else happens meanwhile
};

struct Picture {
  int step = 0, width = 0, height = 0;
  bool approximate = false;
  std::vector<uint8_t> rgb;
};

struct StageEnd {
  rushes_stage stage;
  uint64_t peak_bytes;
  bool finished;
  double processor_seconds;  // of the process until then
};

struct Outcome {
  rushes_status status{};
  nlohmann::json report;
  std::vector<std::vector<uint8_t>> frames;
  std::vector<std::string> lines;
  std::vector<Picture> previews;
  std::vector<StageEnd> stages;
  std::vector<std::pair<int, double>> steps;  // what was told of sampling: the step and its fraction
  size_t packets = 0;
  bool latents_before_frames = true;
  double seconds_to_obey = 0;  // from an order to the end of the sampling
};

namespace demo_run {

struct Watch {
  Outcome* outcome;
  const Job* job;
  std::atomic<bool> cancel = false, keep = false;
  // The engine has taken the order in: it polls again after it was told.
  std::atomic<bool> told = false, taken = false;
  std::chrono::steady_clock::time_point asked{};
};

inline rushes_callbacks callbacks_of(Watch& watch) {
  rushes_callbacks callbacks{};
  callbacks.user = &watch;
  callbacks.frame = [](void* user, int64_t, const uint8_t* rgb, int width, int height) {
    auto* w = static_cast<Watch*>(user);
    if (!w->job->latents.empty() && !std::filesystem::exists(w->job->latents))
      w->outcome->latents_before_frames = false;
    w->outcome->frames.emplace_back(rgb, rgb + width * height * 3);
  };
  callbacks.packet = [](void* user, const uint8_t*, size_t, int, int64_t) {
    ++static_cast<Watch*>(user)->outcome->packets;
  };
  callbacks.log = [](void* user, int, const char* line) { static_cast<Watch*>(user)->outcome->lines.push_back(line); };
  if (watch.job->previews)
    callbacks.preview = [](void* user, int step, const uint8_t* rgb, int width, int height, int approximate) {
      static_cast<Watch*>(user)->outcome->previews.push_back(
          {step, width, height, approximate != 0, {rgb, rgb + width * height * 3}});
    };
  callbacks.stage_ended = [](void* user, rushes_stage stage, double, uint64_t peak_bytes, int finished) {
    auto* w = static_cast<Watch*>(user);
    w->outcome->stages.push_back({stage, peak_bytes, finished != 0, process_processor_seconds()});
    if (stage == RUSHES_STAGE_SAMPLE && (w->cancel || w->keep))
      w->outcome->seconds_to_obey = std::chrono::duration<double>(std::chrono::steady_clock::now() - w->asked).count();
  };
  callbacks.progress = [](void* user, rushes_stage stage, double fraction, int step, int) {
    auto* w = static_cast<Watch*>(user);
    if (w->job->while_running) w->job->while_running(stage, fraction);
    if (stage != RUSHES_STAGE_SAMPLE || step == 0) return;
    w->outcome->steps.emplace_back(step, fraction);
    if (w->cancel || w->keep || fraction < w->job->order_at_fraction) return;
    if (step != w->job->cancel_at_step && step != w->job->keep_at_step) return;
    w->asked = std::chrono::steady_clock::now();
    w->cancel = step == w->job->cancel_at_step;
    w->keep = step == w->job->keep_at_step;
    // Steps of small clips are shorter than the time between two polls.
    while (!w->taken) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  };
  callbacks.cancelled = [](void* user) -> int {
    auto* w = static_cast<Watch*>(user);
    if (w->keep && w->told) w->taken = true;
    if (w->cancel) w->told = true;
    return w->cancel;
  };
  callbacks.keep = [](void* user) -> int {
    auto* w = static_cast<Watch*>(user);
    if (w->cancel && w->told) w->taken = true;
    if (w->keep) w->told = true;
    return w->keep;
  };
  return callbacks;
}

inline void take(Outcome& outcome, char* report) {
  if (report) outcome.report = nlohmann::json::parse(report);
  rushes_string_free(report);
}

}  // namespace demo_run

inline Outcome generate(Demo& demo, const rushes_settings& settings, const Job& job = {}) {
  static const std::vector<int32_t> ids = {5, 20, 30, 40, 1};  // any pieces of the demo vocabulary, then </s>
  Outcome outcome;
  demo_run::Watch watch{&outcome, &job};
  const rushes_callbacks callbacks = demo_run::callbacks_of(watch);
  const auto path = [](const std::string& text) { return text.empty() ? nullptr : text.c_str(); };
  const rushes_request request{settings,          ids.data(),       ids.size(),       path(job.embedding),
                               path(job.latents), path(job.prefix), path(job.resume), job.start_step,
                               job.image.data(),  job.image.size(), job.loras.data(), job.loras.size()};
  char* report = nullptr;
  outcome.status = rushes_generate(demo.model, &request, &callbacks, &report);
  demo_run::take(outcome, report);
  return outcome;
}

inline Outcome decode(Demo& demo, const std::string& latents, const rushes_settings& settings) {
  Outcome outcome;
  const Job job;
  demo_run::Watch watch{&outcome, &job};
  const rushes_callbacks callbacks = demo_run::callbacks_of(watch);
  char* report = nullptr;
  outcome.status = rushes_decode(demo.model, latents.c_str(), &settings, &callbacks, &report);
  demo_run::take(outcome, report);
  return outcome;
}

inline nlohmann::json plan(const DemoFiles& names, const rushes_settings& settings, const rushes_model* warm = nullptr,
                           size_t id_count = 5, const std::vector<rushes_lora>& loras = {}) {
  const rushes_model_files files = names.pointers();
  char* report = nullptr;
  const rushes_status status = rushes_plan(&files, warm, &settings, id_count, loras.data(), loras.size(), &report);
  REQUIRE_MESSAGE(status.code[0] == 0, status.sentence);
  nlohmann::json out = nlohmann::json::parse(report);
  rushes_string_free(report);
  return out;
}

}  // namespace rushes::check
