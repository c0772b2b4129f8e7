#include "models/scaled_fp8.h"

#include <algorithm>
#include <initializer_list>

namespace rushes::scaled_fp8 {
namespace {

constexpr std::string_view kMarker = "scaled_fp8", kWeight = ".weight";

/// The layer of a name that ends in one of these; nothing for another name.
std::optional<std::string_view> layer_of(std::string_view name, std::initializer_list<std::string_view> endings) {
  for (const std::string_view ending : endings)
    if (name.size() > ending.size() && name.ends_with(ending)) return name.substr(0, name.size() - ending.size());
  return std::nullopt;
}

}  // namespace

std::string scale_name(std::string_view weight) {
  return std::string(weight.substr(0, weight.rfind('.'))) + std::string(kScale);
}

bool is_for_rows(const TensorView& scale) { return scale.type == DType::f32 && scale.count() > 1; }

bool is_marked(const StrippedNames& names) { return names.tensors.contains(kMarker); }

std::string refused_form(const StrippedNames& names) {
  for (const auto& [name, tensor] : names.tensors) {
    if (layer_of(name, {".comfy_quant"}))
      return "its weights are in ComfyUI's newer quantized form (comfy_quant), which this version does not read";
    if (layer_of(name, {".weight_scale_2", ".pre_quant_scale"}))
      return "its weights have two scales each (nvfp4 or its kin), which this version does not read";
  }
  return "";
}

std::optional<std::string> Names::original(std::string_view name) const {
  // Scales of activations are for products in fp8; here products are wider.
  const auto unused = layer_of(name, {".scale_input", ".input_scale"});
  const auto scaled = layer_of(name, {kScale, ".weight_scale"});
  if (!unused && !scaled) return name == kMarker ? "" : weights_(name);
  const std::optional<std::string> weight = weights_(std::string(unused ? *unused : *scaled) + std::string(kWeight));
  if (!weight || weight->empty()) return std::nullopt;
  return unused ? "" : scale_name(*weight);
}

}  // namespace rushes::scaled_fp8
