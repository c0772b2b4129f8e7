#include "engine/plan.h"

#include <algorithm>
#include <cstdio>

#include "engine/machine.h"
#include "engine/rates.h"
#include "engine/stages.h"

namespace rushes {
namespace {

Plan walk(const ModelFiles& files, const rushes_settings& resolved, size_t id_count, bool resident,
          const WarmStart& start) {
  Plan plan;
  plan.settings = resolved;
  plan.resident = resident;
  MemoryCounter memory;
  WorkCount work;
  Context context;
  apply_settings(resolved, context);
  context.memory = &memory;
  context.work = &work;
  context.dry_run = true;
  LoadedParts parts;
  const Observer nobody;
  Stages stages(context, files, parts, resolved, resident, nobody);
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
    plan.stages.push_back({stage_name(stage), predicted_seconds(work, context), memory.peak()});
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

// All parts together when they fit, else one after the other, then with tiles where the user left that open.
Plan best_plan(const ModelFiles& files, rushes_settings resolved, size_t id_count, uint64_t budget,
               const WarmStart& start) {
  const bool open_tiling = resolved.vae_tiling == RUSHES_VAE_TILING_AUTO;
  if (open_tiling) resolved.vae_tiling = RUSHES_VAE_TILING_OFF;
  Plan plan = walk(files, resolved, id_count, true, start);
  if (plan.peak_bytes > budget) plan = walk(files, resolved, id_count, false, start);
  if (plan.peak_bytes > budget && open_tiling) {
    resolved.vae_tiling = RUSHES_VAE_TILING_ON;
    plan = walk(files, resolved, id_count, false, start);
  }
  return plan;
}

// The smallest single change that fits, as advice.
std::string change_that_fits(const ModelFiles& files, const rushes_settings& resolved, size_t id_count,
                             uint64_t budget) {
  const auto fits = [&](const rushes_settings& changed) {
    return best_plan(files, changed, id_count, budget, {}).peak_bytes <= budget;
  };
  rushes_settings changed = resolved;
  changed.quant_linear = RUSHES_QUANT_LINEAR_INT8;
  changed.text_encoder_format = RUSHES_TEXT_ENCODER_FORMAT_INT8;
  if (fits(changed)) return "Choose quant linear int8 and text encoder int8: that fits.";
  for (changed.num_frames = resolved.num_frames - 4; changed.num_frames >= 5;
       changed.num_frames = (changed.num_frames - 1) / 8 * 4 + 1) {
    if (fits(changed))
      return "Choose " + std::to_string(changed.num_frames) + " frames or fewer, with int8: that fits.";
    if (changed.num_frames == 5) break;
  }
  return "Choose a smaller model or size, or a computer with more memory.";
}

}  // namespace

nlohmann::json Plan::json() const {
  nlohmann::json list = nlohmann::json::array();
  for (const StageCost& stage : stages)
    list.push_back({{"stage", stage.stage}, {"seconds", stage.seconds}, {"peakBytes", stage.peak_bytes}});
  nlohmann::json out = {{"stages", list},
                        {"peakBytes", peak_bytes},
                        {"freeBytes", free_bytes},
                        {"seconds", seconds},
                        {"resident", resident},
                        {"int8", nullptr},
                        {"settings", settings_json(settings)}};
  if (int8.layers) out["int8"] = {{"layers", int8.layers}, {"bytes16", int8.bytes_16bit}, {"bytes", int8.bytes}};
  return out;
}

Plan make_plan(const ModelFiles& files, const rushes_settings& settings, size_t id_count, const WarmStart& start) {
  const uint64_t free = machine_memory().free_bytes + start.held_bytes;
  const uint64_t budget = settings.memory_budget > 0
                              ? static_cast<uint64_t>(settings.memory_budget * 1024 * 1024 * 1024)
                          : free ? free / 10 * 9
                                 : UINT64_MAX;
  ModelFacts facts{files.quantized, files.sla, true, true};
  rushes_settings resolved = resolve_settings(settings, facts);
  Plan plan = best_plan(files, resolved, id_count, budget, start);
  if (plan.peak_bytes > budget) {  // what was left open may become int8
    facts.fits_16bit = facts.text_fits_16bit = false;
    resolved = resolve_settings(settings, facts);
    plan = best_plan(files, resolved, id_count, budget, start);
  }
  plan.free_bytes = budget == UINT64_MAX ? 0 : budget;
  if (plan.peak_bytes <= budget) return plan;
  Error error("memory.exhausted",
              "This job needs " + bytes_text(plan.peak_bytes) + " of memory and may use " + bytes_text(budget) + ".",
              change_that_fits(files, resolved, id_count, budget));
  error.needed_bytes = plan.peak_bytes;
  error.free_bytes = budget;
  throw error;
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
