#include "models/lora_file.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "files/refusal.h"
#include "models/weights.h"

namespace rushes {
namespace {

enum class Role { down, up, alpha, full, bias, up_bias };

struct Suffix {
  std::string_view text;
  Role role;
};

// The difference of a table that lies directly in a module.
constexpr std::string_view kTableDifference = ".diff_m", kTable = ".modulation";

// A longer suffix before one that it ends with.
constexpr Suffix kSuffixes[] = {
    {".lora_A.default.weight", Role::down},
    {".lora_B.default.weight", Role::up},
    {".lora_A.weight", Role::down},
    {".lora_B.weight", Role::up},
    {".lora_linear_layer.down.weight", Role::down},
    {".lora_linear_layer.up.weight", Role::up},
    {".lora_down.weight", Role::down},
    {".lora_up.weight", Role::up},
    {"_lora.down.weight", Role::down},
    {"_lora.up.weight", Role::up},
    {".lora.down.weight", Role::down},
    {".lora.up.weight", Role::up},
    {".lora_A", Role::down},
    {".lora_B", Role::up},
    {".lora_B.default.bias", Role::up_bias},
    {".lora_B.bias", Role::up_bias},
    {".alpha", Role::alpha},
    {".diff_b", Role::bias},
    {".diff", Role::full},
    {kTableDifference, Role::full},
};

/// Parts of names of files that are not a product of two matrices beside the weight.
struct Foreign {
  std::string_view part, noun;
};
constexpr Foreign kForeign[] = {
    {".dora_scale", "DoRA"},
    {".lora_magnitude_vector", "DoRA"},
    {".hada_w1", "LoHa"},
    {".hada_w2", "LoHa"},
    {".lokr_w1", "LoKr"},
    {".lokr_w2", "LoKr"},
    {".lora_mid.", "LoRA of three matrices (Tucker)"},
};

constexpr std::string_view kPrefixes[] = {"base_model.model.", "model.diffusion_model.",
                                          "diffusion_model.",  "transformer.",
                                          "lora_transformer_", "lora_unet_",
                                          "lycoris_",          "unet."};
constexpr std::string_view kLowNoisePrefix = "transformer_2.";

/// Whose names begin so; peft's alone may begin with the layer's own.
constexpr std::pair<std::string_view, std::string_view> kLayouts[] = {{"base_model.model.", "peft"},
                                                                      {"transformer", "Diffusers"},
                                                                      {"unet.", "Diffusers"},
                                                                      {"diffusion_model.", "ComfyUI"},
                                                                      {"model.diffusion_model.", "ComfyUI"},
                                                                      {"lora_", "kohya"},
                                                                      {"lycoris_", "kohya"}};

// Far beyond any that is trained; a file may claim more elements than it has bytes (strides of 0).
constexpr int64_t kMostRank = 1 << 16;

constexpr std::string_view kFirstLayer = "patch_embedding";

struct Parsed {
  std::string stem;
  Role role;
  LoraExpert expert;
};

std::optional<Parsed> parsed(std::string_view name) {
  const auto suffix = std::find_if(std::begin(kSuffixes), std::end(kSuffixes),
                                   [&](const Suffix& candidate) { return name.ends_with(candidate.text); });
  if (suffix == std::end(kSuffixes)) return std::nullopt;
  Parsed out{"", suffix->role, LoraExpert::both};
  name.remove_suffix(suffix->text.size());
  for (bool stripped = true; stripped;) {
    stripped = false;
    if (name.starts_with(kLowNoisePrefix)) {
      out.expert = LoraExpert::low;
      name.remove_prefix(kLowNoisePrefix.size());
      stripped = true;
    }
    for (const std::string_view prefix : kPrefixes)
      if (name.starts_with(prefix)) {
        name.remove_prefix(prefix.size());
        stripped = true;
      }
  }
  out.stem = name;
  if (suffix->text == kTableDifference) out.stem += kTable;
  return out;
}

const Foreign* foreign_part(const Checkpoint& file) {
  for (const TensorView& tensor : file.tensors())
    for (const Foreign& foreign : kForeign)
      if (tensor.name.find(foreign.part) != tensor.name.npos) return &foreign;
  return nullptr;
}

[[noreturn]] void refuse_model(const Checkpoint& file, const std::string& why) {
  refuse_unsupported(file.path(), "is a LoRA for another model: " + why,
                     "Choose a LoRA that was made for this model, or the model that it was made for.");
}

// What peft knows of all layers: adapter_config.json, which lies beside the file or, as Diffusers keeps it, in the
// file's metadata.
class PeftConfig {
 public:
  explicit PeftConfig(const Checkpoint& file) {
    const auto found = file.metadata().find("lora_adapter_metadata");
    if (found != file.metadata().end())
      json_ = nlohmann::json::parse(found->second, nullptr, false);
    else if (file.path().stem() == "adapter_model")
      json_ = beside(file.path());
    if (!json_.is_object()) json_ = nlohmann::json::object();
  }

  /// The factor of up * down of a layer.
  double scale(std::string_view stem, int64_t rank) const {
    const auto alpha = number(stem, "alpha_pattern", "lora_alpha");
    if (!alpha || rank == 0) return 1;
    const bool root = flag("use_rslora");
    return *alpha / (root ? std::sqrt(static_cast<double>(rank)) : static_cast<double>(rank));
  }

 private:
  static nlohmann::json beside(const std::filesystem::path& path) {
    constexpr uintmax_t kMostBytes = 1 << 20;
    const std::filesystem::path config = path.parent_path() / "adapter_config.json";
    std::error_code absent;
    if (std::filesystem::file_size(config, absent) > kMostBytes || absent) return {};
    std::ifstream stream(config);
    return nlohmann::json::parse(stream, nullptr, false);
  }
  // Diffusers puts "transformer." before every key.
  const nlohmann::json* value(const std::string& key) const {
    for (const std::string& name : {key, "transformer." + key})
      if (const auto found = json_.find(name); found != json_.end()) return &*found;
    return nullptr;
  }
  bool flag(const std::string& key) const {
    const nlohmann::json* found = value(key);
    return found && found->is_boolean() && found->get<bool>();
  }
  // A pattern's key is the end of the names that it is for.
  std::optional<double> number(std::string_view stem, const std::string& patterns, const std::string& general) const {
    if (const nlohmann::json* table = value(patterns); table && table->is_object())
      for (const auto& [pattern, entry] : table->items())
        if (entry.is_number() && !pattern.empty() && stem.ends_with(pattern)) return entry.get<double>();
    const nlohmann::json* found = value(general);
    return found && found->is_number() ? std::optional(found->get<double>()) : std::nullopt;
  }
  nlohmann::json json_;
};

double scalar(const Checkpoint& file, const TensorView& tensor) {
  if (tensor.count() != 1) refuse_corrupt(file.path(), printable(tensor.name) + " is not one number");
  const TensorView view = file.view(tensor);
  double value = 0;
  const auto whole = [&](auto number) {
    std::memcpy(&number, view.data, sizeof number);
    value = static_cast<double>(number);
  };
  switch (tensor.type) {  // some trainers write the rank as it is
    case DType::i8:
      whole(int8_t{});
      break;
    case DType::u8:
      whole(uint8_t{});
      break;
    case DType::i16:
      whole(int16_t{});
      break;
    case DType::u16:
      whole(uint16_t{});
      break;
    case DType::i32:
      whole(int32_t{});
      break;
    case DType::u32:
      whole(uint32_t{});
      break;
    case DType::i64:
      whole(int64_t{});
      break;
    case DType::u64:
      whole(uint64_t{});
      break;
    case DType::boolean:
      refuse_corrupt(file.path(), printable(tensor.name) + " is not a number");
    default: {
      float number = 0;
      to_float(view, {&number, 1});
      value = number;
    }
  }
  if (!std::isfinite(value)) refuse_corrupt(file.path(), printable(tensor.name) + " is not a number");
  return value;
}

std::string underscored(std::string name) {
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

bool is_countable(const TensorView& tensor) { return checked_bytes(tensor.shape, tensor.type).value_or(0) > 0; }
bool is_matrix(const TensorView& tensor) { return tensor.shape.size() >= 2 && is_countable(tensor); }

/// Every spelling of a layer's name. Underscores are looked up, never split: "cross_attn_k_img" has four of them.
using Spellings = std::map<std::string, const ChangeableLayer*, std::less<>>;
Spellings spellings_of(const std::vector<ChangeableLayer>& layers) {
  Spellings out;
  for (const ChangeableLayer& layer : layers)
    for (const std::string& name : {layer.name, layer.diffusers_name}) {
      out.emplace(name, &layer);
      out.emplace(underscored(name), &layer);
    }
  return out;
}

/// "" when the change fits the layer.
std::string misfit(const LoraChange& change, const ChangeableLayer& layer) {
  const int64_t columns = std::max<int64_t>(layer.in_features, 1);
  const std::string wanted = layer.in_features == 0
                                 ? layer.name + " has " + std::to_string(layer.out_features) + " numbers here"
                                 : layer.name + " has " + std::to_string(layer.in_features) + " inputs and " +
                                       std::to_string(layer.out_features) + " outputs here";
  if (change.bias && (!layer.has_bias || change.bias->count() != layer.out_features)) return wanted;
  if (change.full && (change.full->count() != layer.out_features * columns ||
                      (layer.in_features > 0 && change.full->shape[0] != layer.out_features)))
    return wanted;
  if (!change.down) return "";
  if (layer.in_features == 0) return wanted;
  const int64_t rank = change.rank();
  const bool fits = change.down->count() == rank * layer.in_features &&
                    change.up->count() == rank * layer.out_features && change.up->shape[0] == layer.out_features;
  return fits ? ""
              : wanted + ", " + std::to_string(change.down->count() / std::max<int64_t>(rank, 1)) + " and " +
                    std::to_string(change.up->shape[0]) + " in the file";
}

}  // namespace

bool LoraFile::looks_like_one(const Checkpoint& file) {
  const auto is_side = [](const TensorView& tensor) {
    const std::optional<Parsed> name = parsed(tensor.name);
    return name && (name->role == Role::down || name->role == Role::up || name->role == Role::full);
  };
  return std::any_of(file.tensors().begin(), file.tensors().end(), is_side) || foreign_part(file);
}

std::string_view LoraFile::layout() const {
  // Of all names the first that tells; names as trainers write them have one kind throughout.
  for (const TensorView& tensor : file_->tensors()) {
    const std::string_view name = tensor.name;
    if (!parsed(name)) continue;
    for (const auto& [prefix, layout] : kLayouts)
      if (name.starts_with(prefix)) return layout;
  }
  return "peft";
}

std::shared_ptr<const LoraFile> LoraFile::open(const std::filesystem::path& path) {
  return read(Checkpoint::open(path));
}

std::shared_ptr<const LoraFile> LoraFile::read(std::shared_ptr<const Checkpoint> file) {
  if (const Foreign* foreign = foreign_part(*file))
    refuse_unsupported(file->path(), "is a " + std::string(foreign->noun) + ", which this version cannot apply",
                       "Choose a plain LoRA.");
  auto out = std::make_shared<LoraFile>();
  out->file_ = file;
  std::map<std::string, const TensorView*> alphas;
  std::map<std::string, bool> bias_of_up;
  for (const TensorView& tensor : file->tensors()) {
    const std::optional<Parsed> name = parsed(tensor.name);
    if (!name) {
      out->strangers_.push_back(tensor.name);
      continue;
    }
    // The two experts' layers have the same names.
    const std::string key = (name->expert == LoraExpert::low ? "low:" : "") + name->stem;
    Entry& entry = out->entries_[key];
    entry.expert = name->expert;
    entry.tensors.push_back(tensor.name);
    const bool is_bias = name->role == Role::bias || name->role == Role::up_bias;
    const TensorView*& place = name->role == Role::down   ? entry.change.down
                               : name->role == Role::up   ? entry.change.up
                               : name->role == Role::full ? entry.change.full
                               : is_bias                  ? entry.change.bias
                                                          : alphas[key];
    if (place) refuse_corrupt(file->path(), printable(tensor.name) + " is a second tensor for one place");
    place = &tensor;
    if (name->role == Role::up_bias) bias_of_up[key] = true;
  }
  const PeftConfig config(*file);
  const bool has_low = std::any_of(out->entries_.begin(), out->entries_.end(),
                                   [](const auto& entry) { return entry.second.expert == LoraExpert::low; });
  size_t changed = 0;
  for (auto& [key, entry] : out->entries_) {
    LoraChange& change = entry.change;
    if (has_low && entry.expert == LoraExpert::both) entry.expert = LoraExpert::high;
    for (const TensorView* difference : {change.full, change.bias})
      if (difference && (difference->shape.empty() || !is_countable(*difference)))
        refuse_corrupt(file->path(), printable(difference->name) + " has no size that a difference can have");
    if ((change.down != nullptr) != (change.up != nullptr))
      refuse_corrupt(file->path(), "of " + printable(key) + " only one of two matrices is there");
    changed += change.down || change.full ? 1 : 0;
    if (change.down) {
      const bool plausible = is_matrix(*change.down) && is_matrix(*change.up) && change.rank() <= kMostRank;
      if (!plausible || change.up->count() / change.up->shape[0] != change.rank())
        refuse_corrupt(file->path(), "the two matrices of " + printable(key) + " do not fit each other");
      const auto alpha = alphas.find(key);
      // An alpha of 0 is kohya's way of saying that there is none.
      const double given = alpha == alphas.end() ? 0 : scalar(*file, *alpha->second);
      change.scale = given != 0 ? given / static_cast<double>(change.rank()) : config.scale(key, change.rank());
    }
    if (bias_of_up.contains(key)) change.bias_scale = change.scale;
  }
  if (changed == 0) refuse_unsupported(file->path(), "is not a LoRA", "Choose a LoRA file, or leave it out.");
  return out;
}

int64_t LoraFile::rank() const {
  int64_t rank = 0;
  for (const auto& [key, entry] : entries_) rank = std::max(rank, entry.change.rank());
  return rank;
}

LoraFile::Match LoraFile::match(const std::vector<ChangeableLayer>& layers, LoraExpert expert) const {
  const Spellings spellings = spellings_of(layers);
  Match out;
  out.left_out = strangers_;
  size_t for_this = 0;
  for (const auto& [key, entry] : entries_) {
    if (expert != LoraExpert::both && entry.expert != LoraExpert::both && entry.expert != expert) continue;
    ++for_this;
    const std::string_view stem = key.starts_with("low:") ? std::string_view(key).substr(4) : key;
    const auto found = spellings.find(stem);
    const bool is_known = found != spellings.end() && !out.changes.contains(found->second->name);
    const std::string wrong = is_known ? misfit(entry.change, *found->second) : "";
    // A model with other inputs (a picture's) takes everything else of a LoRA that was made for text alone.
    if (!is_known || (!wrong.empty() && found->second->name == kFirstLayer)) {
      out.left_out.insert(out.left_out.end(), entry.tensors.begin(), entry.tensors.end());
      continue;
    }
    if (!wrong.empty()) refuse_model(*file_, wrong);
    if (entry.change.down || entry.change.full || entry.change.bias)
      out.changes.emplace(found->second->name, entry.change);
  }
  if (out.changes.empty() && for_this > 0)
    refuse_model(*file_, "none of the " + std::to_string(for_this) + " layers that it changes is in it");
  return out;
}

}  // namespace rushes
