#include "engine/plan.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "cuda/cuda_device.h"
#include "engine/machine.h"
#include "engine/rates.h"
#include "engine/stages.h"

namespace rushes {
namespace {

// What a job may use.
struct Budget {
  uint64_t host = UINT64_MAX, device = UINT64_MAX;
  bool holds(const Plan& plan) const { return plan.peak_bytes <= host && plan.device_peak_bytes <= device; }
};

/// The job that is planned, but for the settings that a plan may change.
struct Job {
  const ModelFiles& files;
  size_t id_count;  // 0: only the decode is left
  const WarmStart& start;
  const std::optional<Card>& card;
  const Loras& loras;
};

Plan walk(const Job& job, const rushes_settings& resolved, const Held& held) {
  const ModelFiles& files = job.files;
  const WarmStart& start = job.start;
  const bool resident = held.parts;
  Plan plan;
  plan.settings = resolved;
  plan.resident = resident;
  plan.streamed = held.streamed;
  plan.text_keys_kept = held.text_keys && resolved.num_steps - start.start_step > 1;
  MemoryCounter memory, device_memory;
  WorkCount work;
  Context context;
  apply_settings(resolved, context);
  context.memory = &memory;
  context.work = &work;
  context.dry_run = true;
  std::unique_ptr<Device> device;
  if (context.backend == Backend::cuda) {
    device = cuda::planned_device(job.card->info);
    plan.device_name = job.card->info.name;
    context.device = device.get();
    context.device_memory = &device_memory;
  }
  LoadedParts parts;
  const Observer nobody;
  const Held used{resident, plan.text_keys_kept, held.streamed};
  Stages stages(context, files, parts, resolved, job.loras, used, nobody);
  if (resident && start.packing == packing_key(resolved) && start.streamed == held.streamed) {
    if (start.text_encoder) parts.text_encoder = Umt5::load(context, files.text_encoder, text_encoder_format(resolved));
    if (start.dit) parts.dit = WanDit::load(context, files.dit, dit_format(resolved), {}, placement(used));
    if (start.dit_low) parts.dit_low = WanDit::load(context, files.dit_low, dit_format(resolved), {}, placement(used));
    if (start.dit && start.dit_adapted) parts.dit->adapt(context, job.loras.dit);
    if (start.dit_low && start.dit_low_adapted) parts.dit_low->adapt(context, job.loras.dit_low);
    if (start.vae) parts.vae = WanVae::load(context, files.vae);
    if (start.vae && start.vae_encoder) parts.vae->pack(context, VaeHalf::encoder);
  }
  JobPaths paths;
  paths.start_step = start.start_step;
  // A disk gives so little in no time that nobody needs to know how fast it is.
  constexpr double kReadAtOnce = 32 << 20;
  const auto measure = [&](rushes_stage stage, const Checkpoint& weights, auto&& run) {
    memory.reset_peak();
    device_memory.reset_peak();
    work = {};
    run();
    const DiskRate disk = work.disk_bytes > kReadAtOnce ? disk_rate(weights) : DiskRate{};
    plan.stages.push_back({rushes_stage_name(stage), predicted_seconds(work, context, disk), memory.peak(), work,
                           device_memory.peak(), disk});
  };
  Tensor latents;
  if (job.id_count == 0) {
    latents = context.on_host().allocate(DType::f32, stages.latent_shape());
  } else {
    Tensor text, picture;
    const std::vector<int32_t> ids(job.id_count, 1);
    measure(RUSHES_STAGE_TEXT, *files.text_encoder, [&] {
      text = start.embedding_kept ? context.on_host().allocate(DType::f32, files.text_shape())
                                  : stages.encode_text(ids, {});
    });
    if (files.from_picture) measure(RUSHES_STAGE_IMAGE, *files.vae, [&] { picture = stages.encode_picture({}); });
    measure(RUSHES_STAGE_LOAD, *files.dit, [&] { stages.load_transformer(start.start_step); });
    plan.int8 = int8_sum(stages.loaded_expert(), stages.expert_count(start.start_step));
    measure(RUSHES_STAGE_SAMPLE, *files.dit, [&] { latents = stages.sample(text, picture, paths); });
  }
  measure(RUSHES_STAGE_DECODE, *files.vae, [&] { stages.decode(latents, {}); });
  for (const StageCost& stage : plan.stages) {
    plan.peak_bytes = std::max(plan.peak_bytes, stage.peak_bytes);
    plan.device_peak_bytes = std::max(plan.device_peak_bytes, stage.device_peak_bytes);
    plan.seconds += stage.seconds;
  }
  return plan;
}

// Whether blocks stream on a card whatever the memory, and whether they may.
bool must_stream(const rushes_settings& settings) {
  return settings.device == RUSHES_DEVICE_CUDA && settings.offload == RUSHES_OFFLOAD_ON;
}
bool can_stream(const rushes_settings& settings) {
  return settings.device == RUSHES_DEVICE_CUDA && settings.offload != RUSHES_OFFLOAD_OFF;
}

// Of a job that does not fit, the decode in tiles if that needs less of the memory that is short: pictures wait for the
// last tile, so that a long clip's can take more than tiles save.
Plan leaner(Plan whole, Plan tiled, const Budget& budget) {
  const bool of_card = whole.device_peak_bytes > budget.device;
  const bool is_less =
      of_card ? tiled.device_peak_bytes < whole.device_peak_bytes : tiled.peak_bytes < whole.peak_bytes;
  return is_less || budget.holds(tiled) ? std::move(tiled) : std::move(whole);
}

// All parts together when they fit, else one after the other, then with tiles where the user left that open, and on a
// card at last with blocks that stream. The text's keys save less than any of these costs.
Plan best_plan(const Job& job, rushes_settings resolved, const Budget& budget, bool may_stream) {
  const bool open_tiling = resolved.vae_tiling == RUSHES_VAE_TILING_AUTO;
  if (open_tiling) resolved.vae_tiling = RUSHES_VAE_TILING_OFF;
  const auto attempt = [&](bool parts, bool streamed) {
    Plan plan = walk(job, resolved, {parts, true, streamed});
    if (!budget.holds(plan) && plan.text_keys_kept) plan = walk(job, resolved, {parts, false, streamed});
    return plan;
  };
  const bool always = must_stream(resolved);
  Plan plan = attempt(true, always);
  if (!budget.holds(plan)) plan = attempt(false, always);
  if (!budget.holds(plan) && open_tiling) {
    resolved.vae_tiling = RUSHES_VAE_TILING_ON;
    plan = leaner(std::move(plan), attempt(false, always), budget);
  }
  if (budget.holds(plan) || always || !may_stream || !can_stream(resolved)) return plan;
  if (open_tiling) resolved.vae_tiling = RUSHES_VAE_TILING_OFF;
  plan = attempt(false, true);
  if (!budget.holds(plan) && open_tiling) {
    resolved.vae_tiling = RUSHES_VAE_TILING_ON;
    plan = leaner(std::move(plan), attempt(false, true), budget);
  }
  return plan;
}

// What may be used without a budget of the user's; UINT64_MAX when the system does not say.
uint64_t usable_memory(const WarmStart& start) {
  const uint64_t free = machine_memory().free_bytes;
  return free ? (free + start.held_bytes) / 10 * 9 : UINT64_MAX;
}

// What a job may use of a card: the rest is for pieces of its memory that are not full (cuda/block_cache.h).
uint64_t usable_memory(const Card& card) { return card.free_bytes / 20 * 19; }

nlohmann::json changes(const rushes_settings& from, const rushes_settings& to) {
  const nlohmann::json before = settings_json(from), after = settings_json(to);
  nlohmann::json out = nlohmann::json::object();
  for (const auto& [id, value] : after.items())
    if (before.at(id) != value) out[id] = value;
  return out;
}

// Tries changes of a job that does not fit its budget, the mildest first, and keeps those with which it does.
class FixSearch {
 public:
  FixSearch(const Job& job, const rushes_settings& resolved, const Budget& budget)
      : job_(job), resolved_(resolved), budget_(budget) {}

  std::vector<PlanFix> run() {
    rushes_settings changed = resolved_;
    changed.vae_tiling = RUSHES_VAE_TILING_ON;
    if (resolved_.vae_tiling == RUSHES_VAE_TILING_OFF) add("tileDecode", changed, "Turn tiling of the decode on");
    changed = resolved_;
    changed.offload = RUSHES_OFFLOAD_AUTO;
    if (!can_stream(resolved_) && can_stream(changed)) add("streamWeights", changed, "Choose offload auto");
    rushes_settings small = resolved_;
    small.text_encoder_format = RUSHES_TEXT_ENCODER_FORMAT_INT8;
    add("int8TextEncoder", small, "Choose text encoder int8");
    changed = resolved_;
    changed.quant_linear = small.quant_linear = RUSHES_QUANT_LINEAR_INT8;
    if (!add("int8", changed, "Choose quant linear int8"))
      add("int8", small, "Choose quant linear int8 and text encoder int8");
    if (!add_frames(resolved_, "")) add_frames(small, ", with int8");
    return std::move(fixes_);
  }

 private:
  // One part at a time needs the least, blocks that stream even less; tiles only where they are needed and left open.
  Plan least(rushes_settings settings) const {
    const bool open_tiling = settings.vae_tiling == RUSHES_VAE_TILING_AUTO;
    if (open_tiling) settings.vae_tiling = RUSHES_VAE_TILING_OFF;
    const Held held{false, false, can_stream(settings)};
    Plan plan = walk(job_, settings, held);
    if (budget_.holds(plan) || !open_tiling) return plan;
    settings.vae_tiling = RUSHES_VAE_TILING_ON;
    return leaner(std::move(plan), walk(job_, settings, held), budget_);
  }

  bool add(const char* id, const rushes_settings& settings, const std::string& advice) {
    const nlohmann::json values = changes(resolved_, settings);
    if (values.empty()) return false;
    const Plan plan = least(settings);
    if (!budget_.holds(plan)) return false;
    fixes_.push_back(
        {id, values, plan.device_name.empty() ? plan.peak_bytes : plan.device_peak_bytes, advice + ": that fits."});
    return true;
  }

  // The most frames that fit, by halving the range: memory grows with the frames.
  bool add_frames(rushes_settings settings, const std::string& with) {
    const auto fits = [&](int64_t latent_frames) {
      settings.num_frames = latent_frames * 4 + 1;
      return budget_.holds(least(settings));
    };
    int64_t fitting = 1, too_many = (settings.num_frames - 1) / 4;
    if (too_many <= fitting || !fits(fitting)) return false;
    while (too_many - fitting > 1) {
      const int64_t middle = (fitting + too_many) / 2;
      (fits(middle) ? fitting : too_many) = middle;
    }
    settings.num_frames = fitting * 4 + 1;
    return add("fewerFrames", settings, "Choose " + std::to_string(settings.num_frames) + " frames or fewer" + with);
  }

  const Job& job_;
  const rushes_settings& resolved_;
  const Budget budget_;
  std::vector<PlanFix> fixes_;
};

}  // namespace

Int8Sum int8_sum(const WanDit& dit, int experts) {
  return {experts * static_cast<int64_t>(dit.quantized_layers().size()),
          static_cast<uint64_t>(experts) * dit.linear_bytes_16bit(),
          static_cast<uint64_t>(experts) * dit.linear_bytes_held()};
}

nlohmann::json stage_json(const StageCost& stage, bool on_device) {
  nlohmann::json out = {{"stage", stage.stage}, {"seconds", stage.seconds}, {"peakBytes", stage.peak_bytes}};
  if (on_device) out["deviceBytes"] = stage.device_peak_bytes;
  return out;
}

nlohmann::json Plan::json() const {
  nlohmann::json list = nlohmann::json::array();
  for (const StageCost& stage : stages) list.push_back(stage_json(stage, !device_name.empty()));
  nlohmann::json changes_that_fit = nlohmann::json::array();
  for (const PlanFix& fix : fixes)
    changes_that_fit.push_back({{"id", fix.id}, {"settings", fix.settings}, {"peakBytes", fix.peak_bytes}});
  nlohmann::json out = {{"stages", list},          {"peakBytes", peak_bytes},
                        {"freeBytes", free_bytes}, {"fits", fits},
                        {"advice", advice()},      {"fixes", changes_that_fit},
                        {"seconds", seconds},      {"resident", resident},
                        {"int8", nullptr},         {"settings", settings_json(settings)}};
  if (!device_name.empty())
    out["device"] = {{"name", device_name},
                     {"peakBytes", device_peak_bytes},
                     {"freeBytes", device_free_bytes},
                     {"streamed", streamed}};
  if (int8.layers) out["int8"] = {{"layers", int8.layers}, {"bytes16", int8.bytes_16bit}, {"bytes", int8.bytes}};
  return out;
}

std::string Plan::advice() const {
  if (fits) return "";
  return fixes.empty() ? "Choose a smaller model or size, or a computer with more memory." : fixes.front().advice;
}

void Plan::require_fit() const {
  if (fits) return;
  const bool card_is_full = device_peak_bytes > device_free_bytes;
  throw memory_shortage(card_is_full ? device_peak_bytes : peak_bytes, card_is_full ? device_free_bytes : free_bytes,
                        card_is_full, advice());
}

Error memory_shortage(uint64_t needed_bytes, uint64_t usable_bytes, bool of_card, const std::string& advice,
                      const std::string& detail) {
  Error error("memory.exhausted",
              "This job needs " + memory_text(needed_bytes) +
                  (of_card ? " of the graphics card's memory" : " of memory") + " and may use " +
                  memory_text(usable_bytes) + ".",
              advice, detail);
  error.needed_bytes = needed_bytes;
  error.free_bytes = usable_bytes;
  return error;
}

Plan make_plan(const ModelFiles& files, const rushes_settings& settings, size_t id_count, const WarmStart& start,
               const std::optional<Card>& card, const Loras& loras) {
  refresh_page_surcharge();
  const uint64_t usable = usable_memory(start);
  const uint64_t chosen =
      settings.memory_budget > 0 ? static_cast<uint64_t>(settings.memory_budget * 1024 * 1024 * 1024) : UINT64_MAX;
  ModelFacts facts{files.quantized, files.sla, true, true, card.has_value()};
  rushes_settings resolved = resolve_settings(settings, facts);
  const bool on_card = resolved.device == RUSHES_DEVICE_CUDA;
  if (on_card && !card)
    throw Error("gpu.unavailable", "There is no graphics card here that Rushes can use.", "Choose the device cpu.");
  Budget budget;
  budget.host = !on_card && settings.memory_budget > 0 ? chosen : usable;
  if (on_card) budget.device = std::min(chosen, usable_memory(*card));
  const Job job{files, id_count, start, card, loras};
  Plan plan = best_plan(job, resolved, budget, false);
  if (!budget.holds(plan)) {  // int8 text changes less than an int8 transformer
    facts.text_fits_16bit = false;
    const rushes_settings with_int8_text = resolve_settings(settings, facts);
    if (with_int8_text.text_encoder_format != resolved.text_encoder_format) {
      resolved = with_int8_text;
      plan = best_plan(job, resolved, budget, false);
    }
  }
  if (!budget.holds(plan)) {  // what was left open may become int8, then blocks may stream
    facts.fits_16bit = false;
    resolved = resolve_settings(settings, facts);
    plan = best_plan(job, resolved, budget, true);
  }
  plan.free_bytes = budget.host == UINT64_MAX ? 0 : budget.host;
  plan.device_free_bytes = on_card ? budget.device : 0;
  plan.fits = budget.holds(plan);
  if (plan.fits) return plan;
  plan.fixes = FixSearch(job, resolved, budget).run();
  const Budget unlimited{usable, on_card ? usable_memory(*card) : UINT64_MAX};
  if (settings.memory_budget > 0 && unlimited.holds(plan))
    plan.fixes.push_back({"removeBudget",
                          {{"memoryBudget", 0.0}},
                          on_card ? plan.device_peak_bytes : plan.peak_bytes,
                          std::string("Remove the memory budget: the ") + (on_card ? "graphics card" : "computer") +
                              " has enough memory free."});
  return plan;
}

namespace {

// Below `step` of its unit: 1000 for files, 1024 for memory.
std::pair<double, const char*> in_unit(uint64_t bytes, double step) {
  const char* units[] = {"B", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  for (; value >= step && unit < 4; ++unit) value /= step;
  return {value, units[unit]};
}

}  // namespace

std::string bytes_text(uint64_t bytes) {
  const auto [value, unit] = in_unit(bytes, 1000);
  char text[32];
  std::snprintf(text, sizeof text, bytes < 1000 ? "%.0f %s" : value < 10 ? "%.2f %s" : "%.1f %s", value, unit);
  return text;
}

std::string memory_text(uint64_t bytes) {
  const auto [value, unit] = in_unit(bytes, 1024);
  char text[32];
  std::snprintf(text, sizeof text, bytes < 1024 || value >= 100 ? "%.0f %s" : "%.1f %s", value, unit);
  return text;
}

std::string int8_text(const Int8Sum& sum) {
  if (!sum.layers) return "";
  return "int8 on " + std::to_string(sum.layers) + " linear layers, " + bytes_text(sum.bytes_16bit) + " -> " +
         bytes_text(sum.bytes);
}

}  // namespace rushes
