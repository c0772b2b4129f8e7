// A LoRA file: small changes to a model's linear layers, W += strength * scale * up * down, and differences of whole
// tensors, W += strength * difference. Knows the names that trainers write (huggingface/peft:src/peft/tuners/lora,
// kohya-ss/musubi-tuner:src/musubi_tuner/networks/lora_wan.py,
// huggingface/diffusers:src/diffusers/loaders/lora_conversion_utils.py, Comfy-Org/ComfyUI:comfy/lora.py), no
// arithmetic.
#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "files/checkpoint.h"

namespace rushes {

/// What a LoRA may change of a model: a linear layer by its original name without ".weight", its Diffusers name and its
/// sizes; or, with 0 inputs, a norm's weight or a table of so many numbers, of which there are differences only.
struct ChangeableLayer {
  std::string name, diffusers_name;
  int64_t out_features = 0, in_features = 0;
  bool has_bias = true;
};

/// What a file adds to one layer; tensors are the file's, null where it has none. `up` and `down` come together.
struct LoraChange {
  const TensorView* down = nullptr;  // [rank, in_features], or a convolution's [rank, ...] of as many elements
  const TensorView* up = nullptr;    // [out_features, rank]
  const TensorView* full = nullptr;  // the whole difference, [out_features, in_features] or the vector's shape
  const TensorView* bias = nullptr;  // [out_features]
  double scale = 1;                  // of up * down: alpha / rank, alpha / sqrt(rank) for rsLoRA, 1 without an alpha
  double bias_scale = 1;
  int64_t rank() const { return down ? down->shape[0] : 0; }
};

/// Which transformer of a model of two experts.
enum class LoraExpert { both, high, low };

/// An open file with its tensors sorted by layer. Thread-safe for reading.
class LoraFile {
 public:
  /// Errors: those of Checkpoint::open; checkpoint.unsupported for a file that is no LoRA, or one of a kind that is not
  /// a product of two matrices beside the weight (DoRA, LoHa, LoKr, Tucker).
  static std::shared_ptr<const LoraFile> open(const std::filesystem::path& path);
  static std::shared_ptr<const LoraFile> read(std::shared_ptr<const Checkpoint> file);
  /// Whether such a file is a LoRA of any kind, by its names.
  static bool looks_like_one(const Checkpoint& file);

  const Checkpoint& file() const { return *file_; }
  /// The largest of its layers, 0 of whole differences alone; and how many layers it changes, whatever the model.
  int64_t rank() const;
  size_t layer_count() const { return entries_.size(); }
  /// Whose names it has: "peft", "Diffusers", "kohya" or "ComfyUI".
  std::string_view layout() const;

  /// The changes of a model's layers, by original name.
  struct Match {
    std::map<std::string, LoraChange, std::less<>> changes;
    std::vector<std::string> left_out;  // names of the file's tensors that stand for nothing here
  };
  /// `expert`: which transformer asks; a file may name the one a part is for. Throws checkpoint.unsupported when no
  /// layer is one of the model's, or sizes differ: "night.safetensors is a LoRA for another model: ...".
  Match match(const std::vector<ChangeableLayer>& layers, LoraExpert expert = LoraExpert::both) const;

 private:
  /// One layer under the name that the file has for it, prefixes stripped.
  struct Entry {
    LoraChange change;
    std::vector<std::string> tensors;  // as the file names them
    LoraExpert expert = LoraExpert::both;
  };
  std::shared_ptr<const Checkpoint> file_;
  std::map<std::string, Entry, std::less<>> entries_;
  std::vector<std::string> strangers_;  // tensors of no known kind
};

}  // namespace rushes
