// ComfyUI's scaled fp8: what such a file has beside its weights, by what names, and which of its kin cannot be read.
// Each linear layer is an fp8 weight and one f32 scale: w = weight * scale (Comfy-Org/ComfyUI:comfy/ops.py).
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "models/weights.h"

namespace rushes::scaled_fp8 {

inline constexpr std::string_view kScale = ".scale_weight";
inline constexpr const char* kRowsRefused =
    "its fp8 weights have a scale for each row or block, not one for each layer";
inline constexpr const char* kIntegersRefused = "its weights are integers in a form that is not TurboDiffusion's";

/// "blocks.0.ffn.0.weight" -> "blocks.0.ffn.0.scale_weight".
std::string scale_name(std::string_view weight);

/// True for a scale of more than a layer as a whole.
bool is_for_rows(const TensorView& scale);

/// The file says that its fp8 weights are scaled.
bool is_marked(const StrippedNames& names);

/// Why the file's form cannot be read, "" when no name speaks against it.
std::string refused_form(const StrippedNames& names);

/// to_original with the scales of a file, which are called after their weights in every layout.
class Names {
 public:
  explicit Names(const ToOriginal& weights) : weights_(weights) {}
  std::optional<std::string> original(std::string_view name) const;

 private:
  const ToOriginal& weights_;
};

}  // namespace rushes::scaled_fp8
