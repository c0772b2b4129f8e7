// Decoding in tiles is a way to need less memory: where it needs more, a plan leaves it.
#include <doctest/doctest.h>

#include <algorithm>

#include "engine/plan.h"
#include "fixtures/model_files.h"
#include "models/umt5/umt5_tensors.h"
#include "models/wan_dit/wan_dit_tensors.h"
#include "models/wan_vae/wan_vae_tensors.h"
#include "project_paths.h"
#include "rushes/engine.h"

using namespace rushes;

namespace {

constexpr double kGibibyte = 1024.0 * 1024 * 1024;

ModelFiles demo_model() {
  const std::string folder = check::demo_folder();
  return ModelFiles::open({folder + "/demo-t2v-quant.pth", folder + "/demo-vae.pth", folder + "/demo-umt5.pth", 64});
}

// The published VAE's header beside a small transformer's.
ModelFiles published_vae(const fixtures::TemporaryFolder& folder) {
  const auto write = [&](const char* name, std::vector<ExpectedTensor> tensors) {
    fixtures::ModelFile file;
    file.tensors = std::move(tensors);
    file.holes = true;
    fixtures::write_model(folder / name, file);
  };
  write("dit.safetensors",
        wan_dit_tensors(
            {.dim = 256, .heads = 2, .ffn = 512, .layers = 1, .in_channels = 16, .out_channels = 16, .text_dim = 256}));
  write("vae.safetensors", wan_vae_tensors({.base = 96, .latent_channels = 16}));
  write("text.safetensors", umt5_tensors({.dim = 256, .heads = 4, .ffn = 512, .layers = 1, .vocabulary = 512}));
  return ModelFiles::open({folder / "dit.safetensors", folder / "vae.safetensors", folder / "text.safetensors", 64},
                          FileUse::headers);
}

Card small_card() {
  Card card;
  card.info = {.name = "A card of 8 GB",
               .architecture = 89,
               .multiprocessors = 46,
               .shared_bytes = 99 << 10,
               .total_bytes = uint64_t{8} << 30};
  card.free_bytes = card.info.total_bytes;
  return card;
}

/// With nothing left open but the tiling.
rushes_settings settings_of(int64_t width, int64_t height, int64_t frames, rushes_device device) {
  rushes_settings settings;
  rushes_settings_default(&settings);
  settings.device = device;
  settings.width = width;
  settings.height = height;
  settings.num_frames = frames;
  settings.quant_linear = RUSHES_QUANT_LINEAR_INT8;
  settings.text_encoder_format = RUSHES_TEXT_ENCODER_FORMAT_INT8;
  return settings;
}

uint64_t needed(const Plan& plan) { return plan.device_name.empty() ? plan.peak_bytes : plan.device_peak_bytes; }

/// The decode alone, with a budget of half of what it needs without tiles.
void compare_tilings(const ModelFiles& files, const std::optional<Card>& card) {
  struct Clip {
    int64_t width, height, frames;
  };
  constexpr Clip kClips[] = {{64, 64, 5}, {64, 64, 81}, {64, 64, 241}, {832, 480, 5}, {832, 480, 81}, {1280, 720, 5}};
  for (const auto& [width, height, frames] : kClips) {
    CAPTURE(width);
    CAPTURE(height);
    CAPTURE(frames);
    rushes_settings settings = settings_of(width, height, frames, card ? RUSHES_DEVICE_CUDA : RUSHES_DEVICE_CPU);
    settings.vae_tiling = RUSHES_VAE_TILING_OFF;
    const uint64_t whole = needed(make_plan(files, settings, 0, {}, card));
    settings.memory_budget = 0.5 * static_cast<double>(whole) / kGibibyte;
    settings.vae_tiling = RUSHES_VAE_TILING_AUTO;
    const Plan open = make_plan(files, settings, 0, {}, card);
    CHECK(needed(open) <= whole);
    CHECK((open.settings.vae_tiling == RUSHES_VAE_TILING_OFF || needed(open) < whole));
  }
}

}  // namespace

TEST_CASE("a plan that may choose tiles never needs more than one without them") {
  const fixtures::TemporaryFolder folder;
  SUBCASE("the demo model") { compare_tilings(demo_model(), {}); }
  SUBCASE("the demo model on a card") { compare_tilings(demo_model(), small_card()); }
  SUBCASE("the published VAE") { compare_tilings(published_vae(folder), {}); }
  SUBCASE("the published VAE on a card") { compare_tilings(published_vae(folder), small_card()); }
}

TEST_CASE("a job refused for its budget is told the least it needs, with tiles or without") {
  rushes_settings settings = settings_of(1280, 720, 81, RUSHES_DEVICE_CPU);
  settings.vae_tiling = RUSHES_VAE_TILING_OFF;
  settings.memory_budget = 0.05;
  const ModelFiles files = demo_model();
  const Plan off = make_plan(files, settings, 20, {}, {});
  settings.vae_tiling = RUSHES_VAE_TILING_ON;
  const Plan on = make_plan(files, settings, 20, {}, {});
  settings.vae_tiling = RUSHES_VAE_TILING_AUTO;
  const Plan open = make_plan(files, settings, 20, {}, {});
  MESSAGE("without tiles " << bytes_text(off.peak_bytes) << ", with " << bytes_text(on.peak_bytes));
  REQUIRE(!open.fits);
  CHECK(open.peak_bytes == std::min(off.peak_bytes, on.peak_bytes));
  const auto removal =
      std::find_if(open.fixes.begin(), open.fixes.end(), [](const PlanFix& fix) { return fix.id == "removeBudget"; });
  if (removal != open.fixes.end()) CHECK(removal->peak_bytes == open.peak_bytes);
}
