#include "engine/inspect.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "files/refusal.h"
#include "models/lora_file.h"
#include "models/weights.h"

namespace rushes {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMostLines = 100;

/// Grouped and counted, so that a report stays short whatever the file holds.
Json lines(const std::vector<std::string>& all) {
  Json out = Json::array();
  for (size_t i = 0; i < all.size() && i < kMostLines; ++i) out.push_back(printable(all[i]));
  if (all.size() > kMostLines) out.push_back("and " + std::to_string(all.size() - kMostLines) + " more");
  return out;
}

std::string gigabytes(uint64_t bytes) {
  char text[32];
  if (bytes < 1'000'000'000)
    std::snprintf(text, sizeof text, "%.1f MB", static_cast<double>(bytes) / 1e6);
  else
    std::snprintf(text, sizeof text, "%.2f GB", static_cast<double>(bytes) / 1e9);
  return text;
}

std::string tensor_count(size_t count) { return std::to_string(count) + (count == 1 ? " tensor" : " tensors"); }

std::string summary_of(const Json& report, const WeightReport& weights) {
  std::string text =
      report["architecture"].get<std::string>() + ", " + report["layout"].get<std::string>() + " layout, ";
  text += tensor_count(report["tensors"].get<size_t>()) + ", " + gigabytes(report["bytes"].get<uint64_t>());
  if (weights.quantized_layers > 0) text += ", int8 on " + std::to_string(weights.quantized_layers) + " layers";
  if (weights.scaled_layers > 0) text += ", scaled fp8 on " + std::to_string(weights.scaled_layers) + " layers";
  if (report["sla"].get<bool>()) text += ", with SLA weights";
  const std::string refused = report["refused"].get<std::string>();
  if (!refused.empty()) return text + ". It cannot be used: " + refused + ".";
  if (!weights.complete()) return text + ". It is incomplete: " + weights.summary() + ".";
  text += ". For";
  for (size_t i = 0; i < report["uses"].size(); ++i) text += (i ? "; " : " ") + report["uses"][i].get<std::string>();
  return text + ".";
}

struct LoraFacts {
  bool is_one = false;
  std::string architecture, refused, layout = "unknown";
  int64_t rank = 0;
  size_t layers = 0;
  bool is_usable() const { return is_one && refused.empty(); }
};

LoraFacts lora_facts(const std::shared_ptr<const Checkpoint>& file) {
  LoraFacts out;
  if (!(out.is_one = LoraFile::looks_like_one(*file))) return out;
  out.architecture = "LoRA";
  try {
    const auto lora = LoraFile::read(file);
    out.rank = lora->rank();
    out.layers = lora->layer_count();
    out.layout = lora->layout();
    out.architecture = (out.rank > 0 ? "LoRA of rank " + std::to_string(out.rank) : "Differences") + " on " +
                       std::to_string(out.layers) + (out.layers == 1 ? " layer" : " layers");
  } catch (const Error& error) {
    if (!error.code().starts_with("checkpoint.")) throw;
    out.refused = error.sentence().substr(0, error.sentence().size() - 1);  // reports end their sentences themselves
  }
  return out;
}

}  // namespace

std::string inspect_report(std::shared_ptr<const Checkpoint> file) {
  Json report;
  report["path"] = display_path(file->path());
  report["container"] = container_name(file->container());
  report["bytes"] = file->file_bytes();
  std::map<std::string, int64_t> types;
  int64_t elements = 0;
  for (const TensorView& tensor : file->tensors()) {
    ++types[std::string(dtype_name(tensor.type))];
    // A hostile header can claim more elements than 63 bits count (stride 0); the sum then stops there.
    if (__builtin_add_overflow(elements, tensor.count(), &elements)) elements = INT64_MAX;
  }

  const StrippedNames names = strip_prefix(*file);
  const Family* family = nullptr;
  std::optional<Family::Detected> detected;
  for (const Family& candidate : families())
    if (!detected && (detected = candidate.detect(names))) family = &candidate;

  if (!detected) {
    const LoraFacts lora = lora_facts(file);
    const std::string foreign = lora.is_one ? "LoRA" : foreign_file_noun(names);
    report["family"] = lora.is_one ? Json("lora") : Json(nullptr);
    report["architecture"] = foreign.empty() ? "unknown" : lora.is_one ? lora.architecture : foreign;
    report["layout"] = lora.layout;
    report["prefix"] = names.prefix;
    report["sizes"] = Json::object();
    if (lora.is_usable()) report["sizes"] = {{"rank", lora.rank}, {"layers", lora.layers}};
    report["tensors"] = file->tensors().size();
    report["parameters"] = elements;
    report["dtypes"] = types;
    report["quantization"] = "none";
    report["quantizedLayers"] = 0;
    report["sla"] = false;
    report["missing"] = report["unexpected"] = report["wrongShape"] = Json::array();
    report["complete"] = lora.is_usable();
    report["uses"] = Json::array();
    if (lora.is_usable()) report["uses"].push_back("changing what a transformer draws");
    report["refused"] = lora.is_one       ? lora.refused
                        : foreign.empty() ? "its tensors belong to no model this version knows"
                                          : "it is a " + foreign + ", which this version cannot run";
    const std::string size = tensor_count(file->tensors().size()) + ", " + gigabytes(file->file_bytes());
    report["summary"] = lora.is_usable() ? lora.architecture + ", " + size + ". For changing what a transformer draws."
                                         : size + ". It cannot be used: " + report["refused"].get<std::string>() + ".";
    return report.dump(-1, ' ', false, Json::error_handler_t::replace);
  }

  // Without an expectation (an architecture that is recognised only) nothing can be missing or unexpected.
  WeightReport weights;
  if (!detected->expected.empty()) weights = WeightSet::bind(file, detected->expected, detected->to_original).report();
  report["family"] = family->name;
  report["architecture"] = detected->architecture;
  report["layout"] =
      weights.layout == Layout::diffusers && family->name == "umt5" ? "Hugging Face" : layout_name(weights.layout);
  report["prefix"] = names.prefix;
  report["sizes"] = Json::object();
  for (const auto& [name, size] : detected->sizes) report["sizes"][name] = size;
  report["tensors"] = file->tensors().size();
  report["parameters"] = detected->expected.empty() ? elements : weights.parameters;
  report["dtypes"] = types;
  report["quantization"] = weights.quantized_layers > 0 ? "int8 (TurboDiffusion)"
                           : weights.scaled_layers > 0  ? "fp8 scaled"
                                                        : "none";
  report["quantizedLayers"] = weights.quantized_layers;
  report["sla"] = std::find(weights.groups.begin(), weights.groups.end(), "sla") != weights.groups.end();
  report["missing"] = lines(grouped_names(weights.missing));
  report["unexpected"] = lines(grouped_names(weights.unexpected));
  report["wrongShape"] = lines(weights.wrong_shape);
  report["complete"] = !detected->expected.empty() && weights.complete();
  report["uses"] = detected->uses;
  report["refused"] = detected->refused.empty() ? weights.refused : detected->refused;
  report["summary"] = summary_of(report, weights);
  return report.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string inspect_report(const std::filesystem::path& path) { return inspect_report(Checkpoint::open(path)); }

}  // namespace rushes
