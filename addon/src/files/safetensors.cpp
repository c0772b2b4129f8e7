#include "files/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "files/refusal.h"

namespace rushes {
namespace {

static_assert(std::endian::native == std::endian::little, "weights are read in place as little-endian");

constexpr uint64_t kMaxHeaderBytes = 100'000'000;

/// The tensors must tile the data exactly: no holes, no overlap, nothing after the last one.
void check_tiling(const std::vector<SafetensorsEntry>& entries, uint64_t data_bytes,
                  const std::filesystem::path& path) {
  std::vector<const SafetensorsEntry*> sorted;
  for (const SafetensorsEntry& entry : entries) {
    const auto bytes = checked_bytes(entry.shape, entry.type);
    if (!bytes) refuse_corrupt(path, "the tensor \"" + printable(entry.name) + "\" has an absurd shape");
    if (entry.begin > entry.end || entry.end - entry.begin != *bytes)
      refuse_corrupt(path, "the size of the tensor \"" + printable(entry.name) + "\" does not match its shape " +
                               shape_text(entry.shape));
    sorted.push_back(&entry);
  }
  std::sort(sorted.begin(), sorted.end(), [](const SafetensorsEntry* a, const SafetensorsEntry* b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
  });
  uint64_t position = 0;
  for (const SafetensorsEntry* entry : sorted) {
    if (entry->begin != position)
      refuse_corrupt(path, std::string("there is ") + (entry->begin > position ? "a hole before" : "an overlap at") +
                               " the tensor \"" + printable(entry->name) + "\"");
    position = entry->end;
  }
  if (position > data_bytes)
    refuse_truncated(path, std::to_string(position - data_bytes) + " bytes of " + std::to_string(position) +
                               " bytes of weights are absent");
  if (position < data_bytes)
    refuse_corrupt(path, "it has " + std::to_string(data_bytes - position) + " bytes after the last tensor");
}

class Safetensors final : public Checkpoint {
 public:
  explicit Safetensors(std::shared_ptr<const MappedFile> file) : file_(std::move(file)) {
    path_ = file_->path();
    container_ = Container::safetensors;
    file_bytes_ = file_->size();
    if (file_bytes_ < 8) refuse_truncated(path_, "it has only " + std::to_string(file_bytes_) + " bytes");
    uint64_t header_bytes = 0;
    std::memcpy(&header_bytes, file_->bytes().data(), 8);
    if (header_bytes > kMaxHeaderBytes)
      refuse_corrupt(path_, "it claims a header of " + std::to_string(header_bytes) + " bytes");
    if (header_bytes > file_bytes_ - 8) refuse_truncated(path_, "its header is not complete");
    const std::string_view json(reinterpret_cast<const char*>(file_->bytes().data()) + 8, header_bytes);
    if (!json.starts_with('{')) refuse_corrupt(path_, "its header does not begin with \"{\"");
    SafetensorsHeader header = parse_safetensors_header(json, path_);
    check_tiling(header.entries, file_bytes_ - 8 - header_bytes, path_);
    metadata_ = std::move(header.metadata);
    const std::byte* data = file_->bytes().data() + 8 + header_bytes;
    for (SafetensorsEntry& entry : header.entries) {
      index_.emplace(entry.name, tensors_.size());
      data_.push_back(data + entry.begin);
      tensors_.push_back({std::move(entry.name), entry.type, std::move(entry.shape), nullptr});
    }
  }

  TensorView view(const TensorView& tensor) const override {
    const size_t index = index_.find(tensor.name)->second;
    TensorView out = tensors_[index];
    out.data = data_[index];
    file_->will_need(out.data, out.bytes());
    return out;
  }

  std::optional<FilePart> part(const TensorView& tensor) const override {
    const size_t index = index_.find(tensor.name)->second;
    return FilePart{tensor.name, file_, data_[index], tensors_[index].bytes()};
  }

  void release(const TensorView& tensor) const override {
    const size_t index = index_.find(tensor.name)->second;
    file_->release(data_[index], tensors_[index].bytes());
  }

  bool is_torn() const override { return file_->is_torn(); }

 private:
  std::shared_ptr<const MappedFile> file_;
  std::vector<const std::byte*> data_;
};

}  // namespace

std::shared_ptr<const Checkpoint> open_safetensors(std::shared_ptr<const MappedFile> file) {
  return std::make_shared<Safetensors>(std::move(file));
}

}  // namespace rushes
