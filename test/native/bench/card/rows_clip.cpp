// A whole job on the card: the demo model from a sentence's ids to frames, through the engine's C interface.
#include <cmath>
#include <filesystem>

#include "bench/card/card_bench.h"
#include "project_paths.h"
#include "rushes/engine.h"

namespace rushes::card {
namespace {

struct Clip {
  std::vector<uint8_t> pixels;
  int frames = 0;
};

void require_good(const rushes_status& status) {
  if (status.code[0]) throw Error(status.code, status.sentence, status.advice, status.detail);
}

Clip generate(rushes_model* model, const rushes_settings& settings) {
  static const std::vector<int32_t> ids = {5, 20, 30, 40, 1};  // any pieces of the demo's vocabulary, then </s>
  Clip clip;
  rushes_callbacks callbacks{};
  callbacks.user = &clip;
  callbacks.frame = [](void* user, int64_t, const uint8_t* rgb, int width, int height) {
    auto* out = static_cast<Clip*>(user);
    out->pixels.insert(out->pixels.end(), rgb, rgb + static_cast<int64_t>(width) * height * 3);
    ++out->frames;
  };
  const rushes_request request{settings, ids.data(), ids.size(), nullptr, nullptr, nullptr, nullptr, 0, nullptr, 0};
  char* report = nullptr;
  const rushes_status status = rushes_generate(model, &request, &callbacks, &report);
  rushes_string_free(report);
  require_good(status);
  return clip;
}

/// Root of the mean square difference of two clips' bytes, as a share of 255; 1 where they differ in size.
double difference(const Clip& a, const Clip& b) {
  if (a.pixels.size() != b.pixels.size() || a.pixels.empty()) return 1;
  double squares = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) {
    const double d = static_cast<double>(a.pixels[i]) - static_cast<double>(b.pixels[i]);
    squares += d * d;
  }
  return std::sqrt(squares / static_cast<double>(a.pixels.size())) / 255;
}

}  // namespace

void clip_rows(CardBench& bench) {
  const bool tiny = bench.options().tiny;
  rushes_settings settings;
  rushes_settings_default(&settings);
  settings.width = settings.height = tiny ? 16 : 128;
  settings.num_frames = tiny ? 5 : 17;
  settings.num_steps = tiny ? 1 : 4;
  settings.seed = 11;
  settings.precision = RUSHES_PRECISION_FP32;
  settings.device = RUSHES_DEVICE_CUDA;
  const std::string shape = "demo " + std::to_string(settings.width) + "x" + std::to_string(settings.height) + "x" +
                            std::to_string(settings.num_frames);
  if (!bench.wanted("text to video", shape)) return;
  if (tiny && bench.options().filter.empty())
    return bench.note("text to video: left out, the emulator takes a minute; ask for it with --filter");
  const std::string folder = check::demo_folder();
  const std::string dit = folder + "/demo-t2v.pth", vae = folder + "/demo-vae.pth", text = folder + "/demo-umt5.pth";
  if (!std::filesystem::exists(dit)) return bench.note("text to video: skipped, the demo model is not in " + folder);
  const rushes_model_files files{dit.c_str(), vae.c_str(), text.c_str(), 64, nullptr};
  rushes_model* opened = nullptr;
  require_good(rushes_model_open(&files, &opened));
  const std::unique_ptr<rushes_model, void (*)(rushes_model*)> model(opened, rushes_model_close);

  Row row{.operation = "text to video",
          .shape = shape,
          .kernel = std::to_string(settings.num_steps) + " steps, f32, to RGB"};
  row.by_host_clock = true;
  row.tolerance = 2.0 / 255;  // the frames of the same job on the processor
  row.run = [&] { generate(model.get(), settings); };
  row.error = [&] {
    const Clip ours = generate(model.get(), settings);
    rushes_settings plain = settings;
    plain.device = RUSHES_DEVICE_CPU;
    return difference(ours, generate(model.get(), plain));
  };
  bench.measure(std::move(row));
}

}  // namespace rushes::card
