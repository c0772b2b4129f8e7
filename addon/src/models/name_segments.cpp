#include "models/name_segments.h"

#include <algorithm>

namespace rushes {

std::vector<std::string_view> name_segments(std::string_view name) {
  std::vector<std::string_view> out;
  for (;;) {
    const size_t dot = name.find('.');
    out.push_back(name.substr(0, dot));
    if (dot == std::string_view::npos) return out;
    name.remove_prefix(dot + 1);
  }
}

std::string join_segments(const std::vector<std::string_view>& segments, size_t first) {
  std::string out;
  for (size_t i = first; i < segments.size(); ++i) {
    if (i > first) out += '.';
    out += segments[i];
  }
  return out;
}

int64_t segment_number(std::string_view segment) {
  if (segment.empty() || segment.size() > 4 || (segment.size() > 1 && segment[0] == '0')) return -1;
  int64_t value = 0;
  for (const char c : segment) {
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  return value;
}

const TensorView* first_of(const StrippedNames& names, std::initializer_list<std::string_view> candidates) {
  for (const std::string_view name : candidates)
    if (const auto found = names.tensors.find(name); found != names.tensors.end()) return found->second;
  return nullptr;
}

int64_t axis_size(const TensorView* tensor, int axis) {
  if (!tensor) return 0;
  const auto rank = static_cast<int>(tensor->shape.size());
  if (axis < 0) axis += rank;
  return axis < 0 || axis >= rank ? 0 : tensor->shape[static_cast<size_t>(axis)];
}

int64_t count_blocks(const StrippedNames& names, std::string_view stem) {
  constexpr int64_t kMaxBlocks = 512;
  const std::string start = std::string(stem) + ".";
  int64_t count = 0;
  for (auto i = names.tensors.lower_bound(start); i != names.tensors.end() && i->first.starts_with(start); ++i) {
    const std::string_view rest = std::string_view(i->first).substr(start.size());
    const int64_t number = segment_number(rest.substr(0, rest.find('.')));
    if (number < kMaxBlocks) count = std::max(count, number + 1);
  }
  return count;
}

ToOriginal inverse_renames(const std::vector<ExpectedTensor>& expected, std::string (*to_other)(std::string_view)) {
  auto table = std::make_shared<std::map<std::string, std::string, std::less<>>>();
  for (const ExpectedTensor& tensor : expected) {
    table->emplace(to_other(tensor.name), tensor.name);
    if (!tensor.quantizable) continue;
    const std::string module = tensor.name.substr(0, tensor.name.rfind('.'));
    for (const char* leaf : {".int8_weight", ".scale"}) table->emplace(to_other(module + leaf), module + leaf);
  }
  return [table](std::string_view name) -> std::optional<std::string> {
    const auto found = table->find(name);
    return found == table->end() ? std::nullopt : std::optional(found->second);
  };
}

ToOriginal same_names() {
  return [](std::string_view name) { return std::optional(std::string(name)); };
}

}  // namespace rushes
