// The C interface (rushes/engine.h): turns exceptions into statuses and callbacks into an Observer. No logic lives
// here.
#include "rushes/engine.h"

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <new>
#include <thread>

#include "engine/bench.h"
#include "engine/bench_end_to_end.h"
#include "engine/guarded.h"
#include "engine/inspect.h"
#include "engine/machine.h"
#include "engine/planned_files.h"
#include "engine/rates.h"
#include "engine/self_test.h"
#include "engine/session.h"

struct rushes_model {
  explicit rushes_model(const rushes::ModelPaths& paths) : session(paths) {}
  rushes::Session session;
  std::mutex busy;
};

namespace {

using rushes::Error;
using rushes::guarded;

char* new_string(const std::string& text) {
  char* out = static_cast<char*>(std::malloc(text.size() + 1));
  if (!out) throw std::bad_alloc();
  std::memcpy(out, text.c_str(), text.size() + 1);
  return out;
}

std::filesystem::path path_of(const char* text) { return text ? std::filesystem::path(text) : std::filesystem::path(); }

rushes::ModelPaths paths_of(const rushes_model_files& files) {
  return {path_of(files.dit), path_of(files.vae), path_of(files.text_encoder), files.text_len, path_of(files.dit_low)};
}

std::vector<rushes::LoraRequest> loras_of(const rushes_lora* loras, size_t count) {
  constexpr rushes::LoraExpert experts[] = {rushes::LoraExpert::both, rushes::LoraExpert::high,
                                            rushes::LoraExpert::low};
  std::vector<rushes::LoraRequest> out;
  for (size_t i = 0; i < count; ++i) {
    const auto expert = static_cast<size_t>(loras[i].expert);
    if (expert >= std::size(experts))
      throw rushes::Error("settings.invalid", "A LoRA is for an expert that no model has.", "Use both, high or low.");
    out.push_back({path_of(loras[i].path), loras[i].strength, experts[expert]});
  }
  return out;
}

rushes::PlannedFiles& planned_files() {
  static rushes::PlannedFiles files;
  return files;
}

// Polls the caller's functions beside the work, so that operations only read a flag.
class OrderWatch {
 public:
  explicit OrderWatch(const rushes_callbacks& callbacks) {
    if (!callbacks.cancelled && !callbacks.keep) return;
    thread_ = std::jthread([this, callbacks](std::stop_token stop) {
      while (!stop.stop_requested() && !orders_.cancelled()) {
        if (callbacks.cancelled && callbacks.cancelled(callbacks.user)) orders_.cancel();
        if (callbacks.keep && !orders_.kept() && callbacks.keep(callbacks.user)) orders_.keep();
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    });
  }
  const rushes::Orders& orders() const { return orders_; }

 private:
  rushes::Orders orders_;
  std::jthread thread_;  // last member: stops before the flags go
};

rushes::Observer observer_of(const rushes_callbacks& c, const OrderWatch& watch) {
  rushes::Observer observer;
  observer.orders = &watch.orders();
  if (c.planned) observer.planned = [c](const std::string& plan) { c.planned(c.user, plan.c_str()); };
  if (c.progress)
    observer.progress = [c](rushes_stage stage, double fraction, int step, int steps) {
      c.progress(c.user, stage, fraction, step, steps);
    };
  if (c.log)
    observer.log = [c](rushes::LogLevel level, const std::string& line) {
      c.log(c.user, static_cast<int>(level), line.c_str());
    };
  if (c.preview)
    observer.preview = [c](const rushes::Preview& picture) {
      c.preview(c.user, picture.step, picture.rgb.data(), picture.width, picture.height, picture.approximate);
    };
  if (c.stage_ended)
    observer.stage_ended = [c](rushes_stage stage, double seconds, uint64_t peak_bytes, bool finished) {
      c.stage_ended(c.user, stage, seconds, peak_bytes, finished);
    };
  if (c.packet)
    observer.packet = [c](std::span<const uint8_t> data, bool key, int64_t frame) {
      c.packet(c.user, data.data(), data.size(), key, frame);
    };
  if (c.frame)
    observer.frame = [c](int64_t frame, std::span<const uint8_t> rgb, int w, int h) {
      c.frame(c.user, frame, rgb.data(), w, h);
    };
  return observer;
}

// One job at a time: a second call is told so instead of waiting.
template <class Work>
rushes_status exclusive(rushes_model* model, const rushes_callbacks* callbacks, Work&& work) {
  return guarded([&] {
    std::unique_lock lock(model->busy, std::try_to_lock);
    if (!lock)
      throw Error("engine.busy", "The model is working on another job.", "Wait for it to finish, or cancel it.");
    const rushes_callbacks used = callbacks ? *callbacks : rushes_callbacks{};
    const OrderWatch watch(used);
    work(observer_of(used, watch));
  });
}

}  // namespace

extern "C" {

void rushes_settings_default(rushes_settings* settings) { *settings = rushes::default_settings(); }
void rushes_string_free(char* text) { std::free(text); }

const char* rushes_stage_name(rushes_stage stage) {
  constexpr const char* names[] = {"text", "image", "load", "sample", "decode"};
  return names[stage];
}

rushes_status rushes_model_open(const rushes_model_files* files, rushes_model** out) {
  return guarded([&] { *out = new rushes_model(paths_of(*files)); });
}
void rushes_model_close(rushes_model* model) {
  if (!model) return;
  delete model;
  rushes::return_freed_memory();
}
uint64_t rushes_model_bytes(const rushes_model* model) { return model->session.held_bytes(); }

rushes_status rushes_plan(const rushes_model_files* files, const rushes_model* warm, const rushes_settings* settings,
                          size_t id_count, const rushes_lora* loras, size_t lora_count, char** report) {
  return guarded([&] {
    const rushes::ModelPaths paths = paths_of(*files);
    const rushes::WarmStart start = warm ? warm->session.warm_start_for(paths) : rushes::WarmStart{};
    const auto opened = planned_files().open(paths);
    const rushes::Loras applied = rushes::open_loras(loras_of(loras, lora_count), *opened);
    const auto card = rushes::card_for(*settings);
    *report = new_string(rushes::make_plan(*opened, *settings, id_count, start, card, applied).json().dump());
  });
}
rushes_status rushes_keep_rates(const char* folder) {
  return guarded([&] { rushes::Rates::of_this_machine().keep_in(path_of(folder)); });
}
void rushes_release(void) {
  planned_files().forget();
  rushes::forget_loras();
  rushes::return_freed_memory();
}

rushes_status rushes_generate(rushes_model* model, const rushes_request* request, const rushes_callbacks* callbacks,
                              char** report) {
  return exclusive(model, callbacks, [&](const rushes::Observer& observer) {
    const rushes::GenerateRequest job{
        request->settings,
        {request->ids, request->ids + request->id_count},
        {request->image, request->image + (request->image ? request->image_bytes : 0)},
        {path_of(request->embedding_path), path_of(request->latents_path), path_of(request->step_latents_prefix),
         path_of(request->resume_path), request->start_step},
        loras_of(request->loras, request->lora_count)};
    *report = new_string(model->session.generate(job, observer).json().dump());
  });
}

rushes_status rushes_decode(rushes_model* model, const char* latents_path, const rushes_settings* settings,
                            const rushes_callbacks* callbacks, char** report) {
  return exclusive(model, callbacks, [&](const rushes::Observer& observer) {
    *report = new_string(model->session.decode(path_of(latents_path), *settings, observer).json().dump());
  });
}

rushes_status rushes_inspect(const char* path, char** report) {
  return guarded([&] { *report = new_string(rushes::inspect_report(path_of(path))); });
}
rushes_status rushes_machine(char** report) {
  return guarded([&] { *report = new_string(rushes::machine_report()); });
}
rushes_memory rushes_memory_now(void) {
  const rushes::MachineMemory memory = rushes::machine_memory();
  return {memory.total_bytes, memory.free_bytes, rushes::resident_bytes()};
}
rushes_status rushes_self_test(int threads, char** report) {
  return guarded([&] { *report = new_string(rushes::self_test_report(threads)); });
}

rushes_status rushes_bench(const char* filter, int threads, int quick, void* user,
                           void (*line)(void* user, const char* text), char** report) {
  return guarded([&] {
    rushes::BenchOptions options;
    options.filter = filter ? filter : "";
    options.threads = threads;
    options.quick = quick != 0;
    options.json = true;
    if (line) options.on_line = [=](const std::string& text) { line(user, text.c_str()); };
    *report = new_string(rushes::run_bench(options));
  });
}

rushes_status rushes_bench_end_to_end(const char* options, void* user, void (*line)(void* user, const char* text),
                                      char** report) {
  return guarded([&] {
    rushes::EndToEndOptions chosen = rushes::end_to_end_options(options);
    if (line) chosen.on_line = [=](const std::string& text) { line(user, text.c_str()); };
    *report = new_string(rushes::bench_end_to_end(chosen));
  });
}

}  // extern "C"
