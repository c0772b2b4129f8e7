#include "engine/plan.h"

#include <algorithm>
#include <cstdio>

#include "engine/machine.h"
#include "engine/rates.h"
#include "engine/stages.h"

namespace rushes {
namespace {

Plan walk(const ModelFiles& files, const rushes_settings& resolved, size_t id_count, const Held& held,
          const WarmStart& start) {
  const bool resident = held.parts;
  Plan plan;
  plan.settings = resolved;
  plan.resident = resident;
  plan.text_keys_kept = held.text_keys && resolved.num_steps > 1;
  MemoryCounter memory;
  WorkCount work;
  Context context;
  apply_settings(resolved, context);
  context.memory = &memory;
  context.work = &work;
  context.dry_run = true;
  LoadedParts parts;
  const Observer nobody;
  Stages stages(context, files, parts, resolved, {resident, plan.text_keys_kept}, nobody);
  if (resident && start.packing == packing_key(resolved)) {
    if (start.text_encoder) parts.text_encoder = Umt5::load(context, files.text_encoder, text_encoder_format(resolved));
    if (start.dit) parts.dit = WanDit::load(context, files.dit, dit_format(resolved));
    if (start.vae) parts.vae = WanVae::load(context, files.vae);
  }
  JobPaths paths;
  if (start.embedding_kept) paths.embedding = "kept";  // dry stages ask only whether there is one
  const auto measure = [&](rushes_stage stage, auto&& run) {
    memory.reset_peak();
    work = {};
    run();
    plan.stages.push_back({stage_name(stage), predicted_seconds(work, context), memory.peak(), work});
  };
  Tensor text, latents;
  const std::vector<int32_t> ids(std::max<size_t>(id_count, 1), 1);
  measure(RUSHES_STAGE_TEXT, [&] { text = stages.encode_text(ids, paths); });
  measure(RUSHES_STAGE_LOAD, [&] { stages.load_transformer(); });
  plan.int8 = {static_cast<int64_t>(parts.dit->quantized_layers().size()), parts.dit->linear_bytes_16bit(),
               parts.dit->linear_bytes_held()};
  measure(RUSHES_STAGE_SAMPLE, [&] { latents = stages.sample(text, {}); });
  text = {};
  measure(RUSHES_STAGE_DECODE, [&] { stages.decode(latents, {}); });
  for (const StageCost& stage : plan.stages) {
    plan.peak_bytes = std::max(plan.peak_bytes, stage.peak_bytes);
    plan.seconds += stage.seconds;
  }
  return plan;
}

// All parts together when they fit, else one after the other, then with tiles where the user left that open. The text's
// keys save less than any of these costs.
Plan best_plan(const ModelFiles& files, rushes_settings resolved, size_t id_count, uint64_t budget,
               const WarmStart& start) {
  const bool open_tiling = resolved.vae_tiling == RUSHES_VAE_TILING_AUTO;
  if (open_tiling) resolved.vae_tiling = RUSHES_VAE_TILING_OFF;
  const auto attempt = [&](bool parts) {
    Plan plan = walk(files, resolved, id_count, {parts, true}, start);
    if (plan.peak_bytes > budget && plan.text_keys_kept) plan = walk(files, resolved, id_count, {parts, false}, start);
    return plan;
  };
  Plan plan = attempt(true);
  if (plan.peak_bytes > budget) plan = attempt(false);
  if (plan.peak_bytes > budget && open_tiling) {
    resolved.vae_tiling = RUSHES_VAE_TILING_ON;
    plan = attempt(false);
  }
  return plan;
}

// What may be used without a budget of the user's; UINT64_MAX when the system does not say.
uint64_t usable_memory(const WarmStart& start) {
  const uint64_t free = machine_memory().free_bytes;
  return free ? (free + start.held_bytes) / 10 * 9 : UINT64_MAX;
}

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
  FixSearch(const ModelFiles& files, const rushes_settings& resolved, size_t id_count, uint64_t budget)
      : files_(files), resolved_(resolved), id_count_(id_count), budget_(budget) {}

  std::vector<PlanFix> run() {
    rushes_settings changed = resolved_;
    changed.vae_tiling = RUSHES_VAE_TILING_ON;
    if (resolved_.vae_tiling == RUSHES_VAE_TILING_OFF) add("tileDecode", changed, "Turn tiling of the decode on");
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
  // One part at a time needs the least; tiles only where they are needed and left open.
  uint64_t peak(rushes_settings settings) const {
    const bool open_tiling = settings.vae_tiling == RUSHES_VAE_TILING_AUTO;
    if (open_tiling) settings.vae_tiling = RUSHES_VAE_TILING_OFF;
    const uint64_t needed = walk(files_, settings, id_count_, {}, {}).peak_bytes;
    if (needed <= budget_ || !open_tiling) return needed;
    settings.vae_tiling = RUSHES_VAE_TILING_ON;
    return walk(files_, settings, id_count_, {}, {}).peak_bytes;
  }

  bool add(const char* id, const rushes_settings& settings, const std::string& advice) {
    const nlohmann::json values = changes(resolved_, settings);
    const uint64_t needed = values.empty() ? UINT64_MAX : peak(settings);
    if (needed > budget_) return false;
    fixes_.push_back({id, values, needed, advice + ": that fits."});
    return true;
  }

  // The most frames that fit, by halving the range: memory grows with the frames.
  bool add_frames(rushes_settings settings, const std::string& with) {
    const auto fits = [&](int64_t latent_frames) {
      settings.num_frames = latent_frames * 4 + 1;
      return peak(settings) <= budget_;
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

  const ModelFiles& files_;
  const rushes_settings& resolved_;
  size_t id_count_;
  uint64_t budget_;
  std::vector<PlanFix> fixes_;
};

}  // namespace

nlohmann::json Plan::json() const {
  nlohmann::json list = nlohmann::json::array();
  for (const StageCost& stage : stages)
    list.push_back({{"stage", stage.stage}, {"seconds", stage.seconds}, {"peakBytes", stage.peak_bytes}});
  nlohmann::json changes_that_fit = nlohmann::json::array();
  for (const PlanFix& fix : fixes)
    changes_that_fit.push_back({{"id", fix.id}, {"settings", fix.settings}, {"peakBytes", fix.peak_bytes}});
  nlohmann::json out = {{"stages", list},          {"peakBytes", peak_bytes},
                        {"freeBytes", free_bytes}, {"fits", fits},
                        {"advice", advice()},      {"fixes", changes_that_fit},
                        {"seconds", seconds},      {"resident", resident},
                        {"int8", nullptr},         {"settings", settings_json(settings)}};
  if (int8.layers) out["int8"] = {{"layers", int8.layers}, {"bytes16", int8.bytes_16bit}, {"bytes", int8.bytes}};
  return out;
}

std::string Plan::advice() const {
  if (fits) return "";
  return fixes.empty() ? "Choose a smaller model or size, or a computer with more memory." : fixes.front().advice;
}

void Plan::require_fit() const {
  if (fits) return;
  Error error("memory.exhausted",
              "This job needs " + bytes_text(peak_bytes) + " of memory and may use " + bytes_text(free_bytes) + ".",
              advice());
  error.needed_bytes = peak_bytes;
  error.free_bytes = free_bytes;
  throw error;
}

Plan make_plan(const ModelFiles& files, const rushes_settings& settings, size_t id_count, const WarmStart& start) {
  const uint64_t usable = usable_memory(start);
  const uint64_t budget =
      settings.memory_budget > 0 ? static_cast<uint64_t>(settings.memory_budget * 1024 * 1024 * 1024) : usable;
  ModelFacts facts{files.quantized, files.sla, true, true};
  rushes_settings resolved = resolve_settings(settings, facts);
  Plan plan = best_plan(files, resolved, id_count, budget, start);
  if (plan.peak_bytes > budget) {  // what was left open may become int8
    facts.fits_16bit = facts.text_fits_16bit = false;
    resolved = resolve_settings(settings, facts);
    plan = best_plan(files, resolved, id_count, budget, start);
  }
  plan.free_bytes = budget == UINT64_MAX ? 0 : budget;
  plan.fits = plan.peak_bytes <= budget;
  if (plan.fits) return plan;
  plan.fixes = FixSearch(files, resolved, id_count, budget).run();
  if (settings.memory_budget > 0 && plan.peak_bytes <= usable)
    plan.fixes.push_back({"removeBudget",
                          {{"memoryBudget", 0.0}},
                          plan.peak_bytes,
                          "Remove the memory budget: the computer has enough memory free."});
  return plan;
}

std::string bytes_text(uint64_t bytes) {
  const char* units[] = {"B", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  for (; value >= 1000 && unit < 4; ++unit) value /= 1000;
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : value < 10 ? "%.2f %s" : "%.1f %s", value, units[unit]);
  return text;
}

std::string int8_text(const Int8Sum& sum) {
  if (!sum.layers) return "";
  return "int8 on " + std::to_string(sum.layers) + " linear layers, " + bytes_text(sum.bytes_16bit) + " -> " +
         bytes_text(sum.bytes);
}

}  // namespace rushes
