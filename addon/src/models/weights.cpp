// Binding names to tensors and accounting for what does not fit.
#include "models/weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "files/refusal.h"
#include "models/scaled_fp8.h"

namespace rushes {
namespace {

constexpr int64_t kTile = 128;  // TurboDiffusion's int8 tiles are 128x128

bool is_floating(DType type) {
  switch (type) {
    case DType::f32:
    case DType::bf16:
    case DType::f16:
    case DType::f64:
    case DType::f8_e4m3:
    case DType::f8_e5m2:
      return true;
    default:
      return false;
  }
}

/// What may come under one name.
struct Place {
  enum class Form { plain, int8_weight, scale, fp8_scale } form = Form::plain;
  Shape shape;
  std::vector<Shape> also{};

  bool fits(const Shape& given) const {
    return given == shape || std::find(also.begin(), also.end(), given) != also.end();
  }
  bool takes(DType type) const {
    if (form == Form::int8_weight) return type == DType::i8;
    return form == Form::plain ? is_floating(type) : type == DType::f32;
  }
  const char* type_text() const {
    return form == Form::int8_weight ? "i8" : form == Form::plain ? "a floating type" : "f32";
  }
};

std::string module_of(std::string_view name) { return std::string(name.substr(0, name.rfind('.'))); }

/// "blocks.3.ffn.0.weight" -> "blocks.3.*", "head.head.bias" -> "head.*", "foo" -> "foo".
std::string group_of(std::string_view name) {
  const size_t first = name.find('.');
  if (first == std::string_view::npos) return std::string(name);
  const size_t second = name.find('.', first + 1);
  const bool numbered =
      second != std::string_view::npos && second > first + 1 &&
      std::all_of(name.begin() + static_cast<std::ptrdiff_t>(first) + 1,
                  name.begin() + static_cast<std::ptrdiff_t>(second), [](char c) { return c >= '0' && c <= '9'; });
  return std::string(name.substr(0, numbered ? second : first)) + ".*";
}

}  // namespace

std::string_view layout_name(Layout layout) { return layout == Layout::original ? "original" : "Diffusers"; }

std::vector<std::string> grouped_names(const std::vector<std::string>& names) {
  std::vector<std::string> order;
  std::map<std::string, std::pair<int, std::string>> groups;  // count, first name
  for (const std::string& name : names) {
    auto& [count, first] = groups[group_of(name)];
    if (count++ == 0) {
      first = name;
      order.push_back(group_of(name));
    }
  }
  std::vector<std::string> out;
  for (const std::string& group : order) {
    const auto& [count, first] = groups[group];
    out.push_back(count == 1 ? printable(first) : printable(group) + ": " + std::to_string(count));
  }
  return out;
}

std::string WeightReport::summary() const {
  constexpr size_t kGroupsShown = 4;
  std::string text;
  const auto add = [&](const std::vector<std::string>& names, const char* what, bool grouped) {
    if (names.empty()) return;
    const std::string count = std::to_string(names.size());
    if (text.empty())
      text = count + (names.size() == 1 ? " tensor " : " tensors ");
    else
      text += ", " + count + " ";
    text += (names.size() == 1 ? "is " : "are ") + std::string(what) + " (";
    const std::vector<std::string> groups = grouped ? grouped_names(names) : names;
    for (size_t i = 0; i < groups.size() && i < kGroupsShown; ++i)
      text += (i ? ", " : "") + (grouped ? groups[i] : printable(groups[i]));
    if (groups.size() > kGroupsShown) text += " and " + std::to_string(groups.size() - kGroupsShown) + " more";
    text += ")";
  };
  add(missing, "missing", true);
  add(unexpected, "unexpected", true);
  add(wrong_shape, "of the wrong shape", false);
  return text;
}

WeightSet WeightSet::bind(std::shared_ptr<const Checkpoint> file, const std::vector<ExpectedTensor>& expected,
                          const ToOriginal& to_original) {
  WeightSet out;
  out.file_ = std::move(file);
  WeightReport& report = out.report_;
  const StrippedNames names = strip_prefix(*out.file_);
  report.prefix = names.prefix;

  std::map<std::string, Place, std::less<>> places;
  for (const ExpectedTensor& tensor : expected) {
    places.emplace(tensor.name, Place{Place::Form::plain, tensor.shape, tensor.also});
    if (tensor.scalable) places.emplace(scaled_fp8::scale_name(tensor.name), Place{Place::Form::fp8_scale, {}, {{1}}});
    if (!tensor.quantizable || tensor.shape.size() != 2) continue;
    const std::string module = module_of(tensor.name);
    const Shape tiles = {(tensor.shape[0] + kTile - 1) / kTile, (tensor.shape[1] + kTile - 1) / kTile};
    places.emplace(module + ".int8_weight", Place{Place::Form::int8_weight, tensor.shape});
    places.emplace(module + ".scale", Place{Place::Form::scale, tiles});
  }

  const scaled_fp8::Names scaled(to_original);
  for (const auto& [name, tensor] : names.tensors) {
    const std::optional<std::string> original = scaled.original(name);
    if (original && original->empty()) continue;
    const auto found = original ? places.find(*original) : places.end();
    // A second tensor for a place that is taken is as wrong as a stranger.
    if (found == places.end() || out.bound_.contains(*original)) {
      report.unexpected.push_back(tensor->name);
      continue;
    }
    const Place& place = found->second;
    if (*original != name && place.form != Place::Form::fp8_scale) report.layout = Layout::diffusers;
    if (place.form == Place::Form::fp8_scale && scaled_fp8::is_for_rows(*tensor))
      report.refused = scaled_fp8::kRowsRefused;
    if (!place.fits(tensor->shape))
      report.wrong_shape.push_back(*original + ": has " + shape_text(tensor->shape) + ", needs " +
                                   shape_text(place.shape));
    else if (!place.takes(tensor->type))
      report.wrong_shape.push_back(*original + ": has the type " + std::string(dtype_name(tensor->type)) + ", needs " +
                                   place.type_text());
    out.bound_.emplace(*original, std::pair(tensor, place.shape));
  }

  if (report.refused.empty()) report.refused = scaled_fp8::refused_form(names);
  const bool is_scaled = scaled_fp8::is_marked(names) || std::any_of(out.bound_.begin(), out.bound_.end(), [](auto& i) {
                           return i.first.ends_with(scaled_fp8::kScale);
                         });
  std::map<std::string, std::vector<std::string>> absent_of_group;
  std::set<std::string> started_groups;
  for (const ExpectedTensor& tensor : expected) {
    const std::string module = tensor.quantizable ? module_of(tensor.name) : "";
    const bool is_int8 = tensor.quantizable && out.has(module + ".int8_weight");
    const bool has_scale = tensor.quantizable && out.has(module + ".scale");
    const bool is_plain = out.has(tensor.name);
    if (is_plain && is_int8) report.unexpected.push_back(module + ".int8_weight");
    if (has_scale && !is_int8) report.unexpected.push_back(module + ".scale");
    if (is_int8) {
      ++report.quantized_layers;
      if (!has_scale) report.missing.push_back(module + ".scale");
    }
    if (tensor.scalable && is_plain) {
      const DType type = out.description(tensor.name).type;
      const std::string scale = scaled_fp8::scale_name(tensor.name);
      const bool is_fp8 = type == DType::f8_e4m3 || type == DType::f8_e5m2;
      if (is_fp8 && out.has(scale))
        ++report.scaled_layers;
      else if (is_fp8 && is_scaled)
        report.missing.push_back(scale);
      else if (out.has(scale) && !is_floating(type))
        report.refused = scaled_fp8::kIntegersRefused;
      else if (out.has(scale))
        report.unexpected.push_back(scale);
    }
    if (is_plain || is_int8) {
      report.parameters += element_count(tensor.shape);
      if (!tensor.group.empty()) started_groups.insert(tensor.group);
    } else if (tensor.group.empty()) {
      report.missing.push_back(tensor.name);
    } else {
      absent_of_group[tensor.group].push_back(tensor.name);
    }
  }
  for (const std::string& group : started_groups) {
    const auto absent = absent_of_group.find(group);
    if (absent == absent_of_group.end())
      report.groups.push_back(group);
    else
      report.missing.insert(report.missing.end(), absent->second.begin(), absent->second.end());
  }
  return out;
}

void WeightSet::require_complete(std::string_view what) const {
  if (report_.complete()) return;
  if (!report_.refused.empty())
    throw Error("checkpoint.unsupported", display_name(file_->path()) + " cannot be used: " + report_.refused + ".",
                "Get this model in bf16, fp16, fp8 or fp8_scaled (file names say so) instead.",
                display_path(file_->path()));
  throw Error("checkpoint.incomplete",
              display_name(file_->path()) + " is not a complete " + std::string(what) + ": " + report_.summary() + ".",
              "Download the file again, or get one for this model.", display_path(file_->path()));
}

bool WeightSet::has(std::string_view name) const { return bound_.contains(name); }

bool WeightSet::has_group(std::string_view group) const {
  return std::find(report_.groups.begin(), report_.groups.end(), group) != report_.groups.end();
}

TensorView WeightSet::description(std::string_view name) const {
  const auto found = bound_.find(name);
  if (found == bound_.end())
    throw Error("engine.internal", "The tensor " + std::string(name) + " was asked for but is not bound.");
  return {found->first, found->second.first->type, found->second.second, nullptr};
}

TensorView WeightSet::view(std::string_view name) const {
  TensorView out = description(name);
  out.data = file_->view(*bound_.find(name)->second.first).data;
  return out;
}

void WeightSet::release(std::string_view name) const {
  if (const auto found = bound_.find(name); found != bound_.end()) file_->release(*found->second.first);
}

std::optional<TensorView> WeightSet::scale_of(const std::string& layer, bool with_data) const {
  const std::string name = layer + std::string(scaled_fp8::kScale);
  if (!has(name)) return std::nullopt;
  if (!with_data) return description(name);
  const TensorView out = view(name);
  float scale;
  std::memcpy(&scale, out.data, sizeof scale);
  if (!std::isfinite(scale))
    throw Error("checkpoint.corrupt",
                display_name(file_->path()) + " is damaged: the scale of " + printable(layer) + " is not a number.",
                "Download the file again.", display_path(file_->path()));
  return out;
}

std::vector<FilePart> WeightSet::parts(const std::vector<std::string>& names) const {
  std::vector<FilePart> out;
  for (const std::string& name : names) {
    const auto found = bound_.find(name);
    if (found == bound_.end()) continue;
    std::optional<FilePart> part = file_->part(*found->second.first);
    if (!part || part->bytes < ReadAhead::kLeastBytes) continue;
    part->name = name;
    out.push_back(std::move(*part));
  }
  return out;
}

void WeightSet::count_reading(const Context& context, std::string_view name) const {
  const auto found = bound_.find(name);
  if (!context.work || found == bound_.end()) return;
  const std::optional<FilePart> part = file_->part(*found->second.first);
  if (!part) return;
  context.work->file_bytes += static_cast<double>(part->bytes);
  if (context.dry_run)
    context.work->disk_bytes += static_cast<double>(part->bytes - part->file->cached_bytes(part->begin, part->bytes));
}

StrippedNames strip_prefix(const Checkpoint& file) {
  constexpr std::string_view prefixes[] = {"model.diffusion_model.", "diffusion_model.", "net.", "net_ema.", "model.",
                                           "transformer.",           "module."};
  const std::vector<TensorView>& tensors = file.tensors();
  StrippedNames out;
  for (const std::string_view prefix : prefixes) {
    const auto count = std::count_if(tensors.begin(), tensors.end(),
                                     [&](const TensorView& tensor) { return tensor.name.starts_with(prefix); });
    if (2 * static_cast<size_t>(count) <= tensors.size()) continue;
    // Not when a name would then stand for two tensors.
    const bool clashes = std::any_of(tensors.begin(), tensors.end(), [&](const TensorView& tensor) {
      return tensor.name == prefix || (tensor.name.starts_with(prefix) &&
                                       file.find(std::string_view(tensor.name).substr(prefix.size())) != nullptr);
    });
    if (!clashes) out.prefix = prefix;
    break;
  }
  for (const TensorView& tensor : tensors) {
    std::string_view name = tensor.name;
    if (!out.prefix.empty() && name.starts_with(out.prefix)) name.remove_prefix(out.prefix.size());
    out.tensors.emplace(name, &tensor);
  }
  return out;
}

}  // namespace rushes
