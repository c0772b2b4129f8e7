// Plans for graphics cards that are not here, from the headers of models of the sizes people run.
#include <doctest/doctest.h>

#include <algorithm>

#include "engine/plan.h"
#include "fixtures/model_files.h"
#include "models/umt5/umt5_tensors.h"
#include "models/wan_dit/wan_dit_tensors.h"
#include "models/wan_vae/wan_vae_tensors.h"
#include "runtime/status.h"
#include "rushes/engine.h"

using namespace rushes;

namespace {

constexpr uint64_t kGibibyte = uint64_t{1} << 30;

const WanDitConfig k1B{
    .dim = 1536, .heads = 12, .ffn = 8960, .layers = 30, .in_channels = 16, .out_channels = 16, .text_dim = 4096};
const WanDitConfig k14B{
    .dim = 5120, .heads = 40, .ffn = 13824, .layers = 40, .in_channels = 16, .out_channels = 16, .text_dim = 4096};

// The three files of a published model, without their weights.
struct Headers {
  fixtures::TemporaryFolder folder;
  ModelFiles files;
  explicit Headers(const WanDitConfig& config) {
    write("dit.safetensors", wan_dit_tensors(config));
    write("vae.safetensors", wan_vae_tensors({.base = 96, .latent_channels = 16}));
    write("text.safetensors",
          umt5_tensors({.dim = 4096, .heads = 64, .ffn = 10240, .layers = 24, .vocabulary = 256384}));
    files = ModelFiles::open({folder / "dit.safetensors", folder / "vae.safetensors", folder / "text.safetensors", 512},
                             FileUse::headers);
  }
  void write(const char* name, std::vector<ExpectedTensor> tensors) {
    fixtures::ModelFile file;
    file.tensors = std::move(tensors);
    file.holes = true;
    fixtures::write_model(folder / name, file);
  }
};

// A card of that memory, of which a desktop and the driver take some.
Card card_of(uint64_t gibibytes) {
  Card card;
  card.info = {.name = "A card of " + std::to_string(gibibytes) + " GB",
               .architecture = 89,
               .multiprocessors = 46,
               .shared_bytes = 99 << 10,
               .total_bytes = gibibytes * kGibibyte};
  card.free_bytes = card.info.total_bytes - (uint64_t{800} << 20);
  return card;
}

rushes_settings settings_of(int64_t width, int64_t height, int64_t frames = 81) {
  rushes_settings settings;
  rushes_settings_default(&settings);
  settings.device = RUSHES_DEVICE_CUDA;
  settings.width = width;
  settings.height = height;
  settings.num_frames = frames;
  return settings;
}

// With a computer that has room for all of it: what is free here is another matter.
Plan plan_on(const Headers& model, const rushes_settings& settings, const Card& card) {
  const Plan plan = make_plan(model.files, settings, 20, {}, card);
  MESSAGE(card.info.name << ": " << bytes_text(plan.device_peak_bytes) << " of the card, "
                         << bytes_text(plan.peak_bytes) << " of the computer, streamed " << plan.streamed);
  return plan;
}

bool fits_card(const Plan& plan) { return plan.device_peak_bytes <= plan.device_free_bytes; }

}  // namespace

TEST_CASE("a 14B transformer streams through a card of 8 GB, and lies on one of 80 GB whole") {
  const Headers model(k14B);
  const Plan small = plan_on(model, settings_of(832, 480), card_of(8));
  CHECK(fits_card(small));
  CHECK(small.streamed);
  CHECK(small.settings.quant_linear == RUSHES_QUANT_LINEAR_INT8);
  CHECK(small.json()["device"]["streamed"] == true);
  // Its blocks are then in the computer's memory: 40 of int8.
  CHECK(small.peak_bytes > 13 * kGibibyte);
  CHECK(small.peak_bytes < 16 * kGibibyte);
  const Plan large = plan_on(model, settings_of(832, 480), card_of(80));
  CHECK(fits_card(large));
  CHECK(!large.streamed);
  CHECK(large.settings.quant_linear == RUSHES_QUANT_LINEAR_OFF);
  // What the transformer's stages put on the card must be less by most of its weights.
  CHECK(small.stages[2].device_peak_bytes + 10 * kGibibyte < large.stages[2].device_peak_bytes);
}

TEST_CASE("14B at 1280x720x81 with its weights on the card takes no more of it than is known") {
  const Headers model(k14B);
  rushes_settings settings = settings_of(1280, 720);
  settings.attention_type = RUSHES_ATTENTION_TYPE_SAGESLA;
  settings.sla_topk = 0.1;
  // Budgets that leave the text encoder no place beside the transformer: TurboDiffusion's published peaks, 19.1 GB with
  // int8 weights and 38.7 GB with 16-bit ones, are such runs.
  settings.quant_linear = RUSHES_QUANT_LINEAR_INT8;
  settings.memory_budget = 20;
  const Plan int8 = plan_on(model, settings, card_of(80));
  CHECK(!int8.streamed);
  // 14.1 GB of it are weights. It is more than was published, so this only keeps it from growing.
  CHECK(int8.device_peak_bytes <= uint64_t{20'700'000'000});
  settings.quant_linear = RUSHES_QUANT_LINEAR_OFF;
  settings.memory_budget = 36;
  const Plan wide = plan_on(model, settings, card_of(80));
  CHECK(!wide.streamed);
  CHECK(wide.device_peak_bytes <= uint64_t{38'700'000'000});
  CHECK(wide.stages[2].seconds * 118 >= int8.stages[2].seconds * 112);
}

TEST_CASE("a 1.3B transformer in int8 fits a card of 8 GB with its weights on it") {
  const Headers model(k1B);
  rushes_settings settings = settings_of(832, 480);
  settings.quant_linear = RUSHES_QUANT_LINEAR_INT8;
  const Plan plan = plan_on(model, settings, card_of(8));
  CHECK(fits_card(plan));
  CHECK(!plan.streamed);
  CHECK(plan.device_name == "A card of 8 GB");
  CHECK(plan.device_free_bytes == card_of(8).free_bytes / 20 * 19);
}

TEST_CASE("a plan names every stage's bytes on the card, and nothing of a card that is not used") {
  const Headers model(k1B);
  const nlohmann::json on_card = plan_on(model, settings_of(832, 480), card_of(24)).json();
  CHECK(on_card["device"]["name"] == "A card of 24 GB");
  for (const nlohmann::json& stage : on_card["stages"]) CHECK(stage["deviceBytes"] > 0);
  rushes_settings settings = settings_of(832, 480);
  settings.device = RUSHES_DEVICE_CPU;
  const Plan on_cpu = make_plan(model.files, settings, 20, {}, card_of(24));
  CHECK(on_cpu.device_name.empty());
  CHECK(!on_cpu.json().contains("device"));
  CHECK(on_cpu.device_peak_bytes == 0);
}

TEST_CASE("a job too large for the card is refused in a sentence with what would fit") {
  const Headers model(k14B);
  const Plan plan = plan_on(model, settings_of(1280, 720), card_of(6));
  CHECK(!plan.fits);
  CHECK(plan.device_peak_bytes > plan.device_free_bytes);
  try {
    plan.require_fit();
    FAIL("6 GB are too little");
  } catch (const Error& error) {
    CHECK(error.code() == "memory.exhausted");
    CHECK(std::string(error.what()).find("of the graphics card's memory") != std::string::npos);
    CHECK(error.needed_bytes == plan.device_peak_bytes);
    CHECK(error.free_bytes == plan.device_free_bytes);
  }
  CHECK(!plan.fixes.empty());
  for (const PlanFix& fix : plan.fixes) CHECK(fix.peak_bytes <= plan.device_free_bytes);
}

TEST_CASE("a memory budget limits the card, and a budget that is too small can be removed") {
  const Headers model(k1B);
  rushes_settings settings = settings_of(832, 480);
  settings.memory_budget = 6;
  const Plan lowered = plan_on(model, settings, card_of(24));
  CHECK(lowered.device_free_bytes == 6 * kGibibyte);
  CHECK(fits_card(lowered));
  settings.memory_budget = 0.5;
  const Plan refused = plan_on(model, settings, card_of(24));
  CHECK(!refused.fits);
  CHECK(std::any_of(refused.fixes.begin(), refused.fixes.end(),
                    [](const PlanFix& fix) { return fix.id == "removeBudget"; }));
}

TEST_CASE("a job that asks for a card where there is none is refused") {
  const Headers model(k1B);
  CHECK_THROWS_AS(make_plan(model.files, settings_of(832, 480), 20, {}, {}), Error);
}

TEST_CASE("offload on streams what would fit, and off refuses what only fits in streams") {
  const Headers small(k1B);
  rushes_settings settings = settings_of(832, 480);
  settings.quant_linear = RUSHES_QUANT_LINEAR_INT8;
  const Plan whole = plan_on(small, settings, card_of(24));
  CHECK(!whole.streamed);
  settings.offload = RUSHES_OFFLOAD_ON;
  const Plan streamed = plan_on(small, settings, card_of(24));
  CHECK(streamed.streamed);
  CHECK(fits_card(streamed));
  CHECK(streamed.device_peak_bytes + kGibibyte < whole.device_peak_bytes);

  const Headers large(k14B);
  settings = settings_of(832, 480);
  settings.offload = RUSHES_OFFLOAD_OFF;
  const Plan refused = plan_on(large, settings, card_of(8));
  CHECK(!refused.streamed);
  CHECK(!refused.fits);
  REQUIRE(!refused.fixes.empty());
  CHECK(refused.fixes.front().id == "streamWeights");
  CHECK(refused.fixes.front().settings["offload"] == "auto");
  settings.offload = RUSHES_OFFLOAD_AUTO;
  settings.quant_linear = refused.settings.quant_linear;
  CHECK(fits_card(plan_on(large, settings, card_of(8))));
}
