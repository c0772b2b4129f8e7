// One checkpoint in several safetensors files, joined by a *.safetensors.index.json.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "files/refusal.h"
#include "files/safetensors.h"

namespace rushes {
namespace {

constexpr uint64_t kMaxIndexBytes = 100'000'000;
constexpr size_t kMaxShards = 1000;

/// Tensor name -> shard file name. Duplicate keys are refused, so the document is checked while it is parsed.
std::map<std::string, std::string> read_weight_map(const MappedFile& file) {
  const std::filesystem::path& path = file.path();
  if (file.size() > kMaxIndexBytes) refuse_corrupt(path, "an index of this size cannot be right");
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.size());
  std::vector<std::set<std::string>> keys;
  const auto no_duplicates = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& value) {
    using Event = nlohmann::json::parse_event_t;
    if (depth > 8) refuse_corrupt(path, "the index is nested too deeply");
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key && !keys.back().insert(value.get<std::string>()).second)
      refuse_corrupt(path, "the name \"" + printable(value.get<std::string>()) + "\" appears twice");
    return true;
  };
  const nlohmann::json index = nlohmann::json::parse(text, no_duplicates, false);
  if (index.is_discarded()) refuse_corrupt(path, "the index is not valid JSON");
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object())
    refuse_corrupt(path, "the index has no weight_map");
  std::map<std::string, std::string> map;
  for (const auto& [name, shard] : index["weight_map"].items()) {
    if (!shard.is_string()) refuse_corrupt(path, "the weight_map names no file for \"" + printable(name) + "\"");
    const std::string file_name = shard.get<std::string>();
    if (!is_plain_name(file_name) || file_name.size() > 255 || file_name.find_first_of("/\\:") != std::string::npos ||
        file_name.starts_with('.') || !file_name.ends_with(".safetensors"))
      refuse_corrupt(path, "the weight_map names \"" + printable(file_name) + "\", which is not a plain file name");
    map.emplace(name, file_name);
  }
  if (map.empty()) refuse_corrupt(path, "the weight_map is empty");
  return map;
}

class ShardedSafetensors final : public Checkpoint {
 public:
  ShardedSafetensors(const std::filesystem::path& path, FileUse use) : use_(use) {
    path_ = path;
    container_ = Container::safetensors;
    const std::map<std::string, std::string> map = read_weight_map(*MappedFile::open(path));
    std::set<std::string> names;
    for (const auto& [tensor, shard] : map) names.insert(shard);
    if (names.size() > kMaxShards) refuse_corrupt(path, "it names " + std::to_string(names.size()) + " files");
    for (const std::string& name : names) add_shard(name, map);
    for (const auto& [tensor, shard] : map)
      if (!index_.contains(tensor))
        refuse_corrupt(path, "\"" + printable(tensor) + "\" is not in " + printable(shard) + ", where it should be");
  }

  TensorView view(const TensorView& tensor) const override { return shard_of(tensor).view(tensor); }
  std::optional<FilePart> part(const TensorView& tensor) const override { return shard_of(tensor).part(tensor); }
  void release(const TensorView& tensor) const override { shard_of(tensor).release(tensor); }
  bool is_torn() const override {
    return std::any_of(shards_.begin(), shards_.end(), [](const auto& shard) { return shard->is_torn(); });
  }

 private:
  void add_shard(const std::string& name, const std::map<std::string, std::string>& map) {
    const std::filesystem::path shard_path = path_.parent_path() / name;
    if (!std::filesystem::exists(shard_path))
      throw Error("checkpoint.missing", "The part " + name + " of " + display_name(path_) + " is missing.",
                  "Download all parts into one folder.", display_path(shard_path));
    auto shard = open_safetensors(MappedFile::open(shard_path, use_));
    for (const TensorView& tensor : shard->tensors()) {
      const auto mapped = map.find(tensor.name);
      if (mapped == map.end() || mapped->second != name)
        refuse_corrupt(path_, "\"" + printable(tensor.name) + "\" is in " + name + ", which the index does not say");
      index_.emplace(tensor.name, tensors_.size());
      tensors_.push_back(tensor);
      owner_.push_back(shards_.size());
    }
    file_bytes_ += shard->file_bytes();
    metadata_.insert(shard->metadata().begin(), shard->metadata().end());
    shards_.push_back(std::move(shard));
  }
  const Checkpoint& shard_of(const TensorView& tensor) const {
    return *shards_[owner_[index_.find(tensor.name)->second]];
  }

  std::vector<std::shared_ptr<const Checkpoint>> shards_;
  std::vector<size_t> owner_;
  FileUse use_;
};

}  // namespace

std::shared_ptr<const Checkpoint> open_sharded_safetensors(const std::filesystem::path& path, FileUse use) {
  return std::make_shared<ShardedSafetensors>(path, use);
}

}  // namespace rushes
