// From a checkpoint to a complete, canonically named set of weights: wrapper and prefix stripping, layouts (original,
// Diffusers, TurboDiffusion), and the account of what is missing or unexpected. Knows names and shapes, no arithmetic.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "files/checkpoint.h"
#include "runtime/status.h"

namespace rushes {

enum class Layout { original, diffusers };
std::string_view layout_name(Layout layout);

/// One tensor a model is made of, under its original (Wan2.1) name.
struct ExpectedTensor {
  std::string name;             // "blocks.0.self_attn.q.weight"
  Shape shape;                  // as in the original layout
  std::vector<Shape> also{};    // other shapes accepted (Conv3d form of patch_embedding)
  std::string group{};          // "" = required; else an optional group that is whole or absent ("sla")
  bool quantizable = false;     // may be stored as <module>.int8_weight + <module>.scale instead
};

/// What a file was found to be; everything `inspect` prints about names.
struct WeightReport {
  Layout layout = Layout::original;
  std::string prefix;                     // stripped ("net.", "model.diffusion_model.", ...), "" if none
  std::vector<std::string> missing, unexpected, wrong_shape;  // canonical / file names / "name: has [..], needs [..]"
  std::vector<std::string> groups;        // optional groups present and whole
  int64_t parameters = 0;
  int quantized_layers = 0;               // TurboDiffusion int8 layers
  bool complete() const { return missing.empty() && unexpected.empty() && wrong_shape.empty(); }
  /// "12 tensors are missing (blocks.3.*: 10, head.*: 2), 1 is unexpected (foo.bar)": grouped, counted, at most a line.
  std::string summary() const;
};

/// Canonical name -> tensor of the file. Layout and prefix are already undone.
class WeightSet {
 public:
  /// Binds without judging: report() says what does not fit.
  static WeightSet bind(std::shared_ptr<const Checkpoint> file, const std::vector<ExpectedTensor>& expected,
                        const std::function<std::string(std::string_view diffusers)>& to_original);
  const WeightReport& report() const { return report_; }
  /// Throws checkpoint.incomplete with report().summary() unless complete.
  void require_complete(std::string_view what) const;
  bool has(std::string_view name) const;
  bool has_group(std::string_view group) const;
  /// The tensor with data, reshaped to the canonical shape. `name` must be bound.
  TensorView view(std::string_view name) const;
  void release(std::string_view name) const;
  const Checkpoint& file() const { return *file_; }

 private:
  std::shared_ptr<const Checkpoint> file_;
  std::map<std::string, std::pair<const TensorView*, Shape>, std::less<>> bound_;
  WeightReport report_;
};

/// The names of a checkpoint after a wrapper's prefix is stripped, and the prefix. Used by detection.
struct StrippedNames {
  std::string prefix;
  std::map<std::string, const TensorView*, std::less<>> tensors;
};
StrippedNames strip_prefix(const Checkpoint& file);

/// One model family: how to recognise it and what it consists of. Registered by name in models/registry.cpp.
struct Family {
  std::string_view name;  // "wan-dit", "wan-vae", "umt5"
  /// The architecture in the file as JSON-ready facts and expected tensors, or nothing when it is another family.
  struct Detected {
    std::string architecture;  // "Wan 2.1 T2V 1.3B", "Wan DiT, 8 layers of width 256"
    std::vector<std::pair<std::string, int64_t>> sizes;  // {"dim", 1536}, {"layers", 30}, ...
    std::vector<ExpectedTensor> expected;
    std::function<std::string(std::string_view)> to_original;  // Diffusers/HF name -> original name
    std::vector<std::string> uses;                             // "text to video", "needs a CLIP image encoder"
    std::string refused;  // why this version cannot run it ("VACE is not supported"), "" when it can
  };
  std::optional<Detected> (*detect)(const StrippedNames& names);
};
const std::vector<Family>& families();

}  // namespace rushes
