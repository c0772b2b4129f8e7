// From a checkpoint to a complete, canonically named set of weights: wrapper and prefix stripping, layouts (original,
// Diffusers, TurboDiffusion), and the account of what is missing or unexpected. Knows names and shapes, no arithmetic.
#pragma once
#include <functional>
#include <map>
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
  bool scalable = false;        // may be fp8 with a scale beside it, <module>.scale_weight
};

/// What a file was found to be; everything `inspect` prints about names.
struct WeightReport {
  Layout layout = Layout::original;
  std::string prefix;                     // stripped ("net.", "model.diffusion_model.", ...), "" if none
  std::vector<std::string> missing, unexpected, wrong_shape;  // canonical / file names / "name: has [..], needs [..]"
  std::vector<std::string> groups;        // optional groups present and whole
  int64_t parameters = 0;
  int quantized_layers = 0;               // TurboDiffusion int8 layers
  int scaled_layers = 0;                  // fp8 layers with a scale
  std::string refused;                    // why this version cannot read the weights' form, "" when it can
  bool complete() const { return missing.empty() && unexpected.empty() && wrong_shape.empty() && refused.empty(); }
  /// "12 tensors are missing (blocks.3.*: 10, head.*: 2), 1 is unexpected (foo.bar)": grouped, counted, at most a line.
  std::string summary() const;
};

/// From a name of the file (prefix stripped) to the original name: nothing for a name this layout does not have,
/// "" for one that is known and deliberately not a weight (spiece_model, a second name of the same tensor).
using ToOriginal = std::function<std::optional<std::string>(std::string_view)>;

/// "blocks.3.*: 10", "head.bias": names that share their first segment (and block number) counted together, in order.
std::vector<std::string> grouped_names(const std::vector<std::string>& names);

/// Canonical name -> tensor of the file. Layout and prefix are already undone. A layer X stored as TurboDiffusion int8
/// is bound as "X.int8_weight" (i8 [N, K]) and "X.scale" (f32 [ceil(N/128), ceil(K/128)]); has() tells which form it is.
/// The one scale of a layer in ComfyUI's scaled fp8 is bound as "X.scale_weight", whatever the file calls it.
class WeightSet {
 public:
  /// Binds without judging: report() says what does not fit.
  static WeightSet bind(std::shared_ptr<const Checkpoint> file, const std::vector<ExpectedTensor>& expected,
                        const ToOriginal& to_original);
  const WeightReport& report() const { return report_; }
  /// Throws checkpoint.incomplete with report().summary() unless complete, checkpoint.unsupported where refused.
  void require_complete(std::string_view what) const;
  bool has(std::string_view name) const;
  bool has_group(std::string_view group) const;
  /// Name, type and canonical shape without data: nothing is read ahead.
  TensorView description(std::string_view name) const;
  /// The tensor with data, reshaped to the canonical shape. `name` must be bound.
  TensorView view(std::string_view name) const;
  void release(std::string_view name) const;
  /// The scale of a layer in scaled fp8, `with_data` or without; nothing for another layer. Throws checkpoint.corrupt
  /// when it is no number.
  std::optional<TensorView> scale_of(const std::string& layer, bool with_data) const;
  /// Where these tensors lie, under these names; without small ones and those that a file gives as copies.
  std::vector<FilePart> parts(const std::vector<std::string>& names) const;
  /// Counts the tensor as read (WorkCount::file_bytes), and while planning what the disk has to give of it.
  void count_reading(const Context& context, std::string_view name) const;
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
  std::string_view noun;  // "Wan transformer", "Wan VAE", "umT5 text encoder"
  /// The architecture in the file as JSON-ready facts and expected tensors, or nothing when it is another family.
  struct Detected {
    std::string architecture;  // "Wan 2.1 T2V 1.3B", "Wan DiT, 8 layers of width 256"
    std::vector<std::pair<std::string, int64_t>> sizes;  // {"dim", 1536}, {"layers", 30}, ...
    std::vector<ExpectedTensor> expected;
    ToOriginal to_original;                                    // name of this file's layout -> original name
    std::vector<std::string> uses;                             // "text to video", "needs a CLIP image encoder"
    std::string refused;  // why this version cannot run it ("VACE is not supported"), "" when it can
    /// One of `sizes`; 0 when the architecture has no such size.
    int64_t size(std::string_view size_name) const;
  };
  std::optional<Detected> (*detect)(const StrippedNames& names);
  /// Original name -> Diffusers (or Hugging Face) name; only names of this family make sense.
  std::string (*to_diffusers)(std::string_view original);
};
const std::vector<Family>& families();
/// Throws engine.internal for a name that is not registered.
const Family& family_named(std::string_view name);

/// A file recognised as one family, bound and complete.
struct OpenedWeights {
  WeightSet weights;
  Family::Detected detected;
};
/// Recognise, bind, require completeness. Errors: checkpoint.unsupported (another family: "This file is a Wan VAE, not a
/// Wan transformer", or an architecture this version refuses), checkpoint.incomplete.
OpenedWeights open_weights(std::shared_ptr<const Checkpoint> file, std::string_view family);
/// "CLIP image encoder", for a file of no registered family and no LoRA; "" when nothing is known about it.
std::string foreign_file_noun(const StrippedNames& names);

}  // namespace rushes
