#include "files/pytorch_zip.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <set>

#include "files/pickle_machine.h"
#include "files/refusal.h"
#include "files/zip_archive.h"

namespace rushes {
namespace {

/// Strided tensors are copied; together they may take this much more than the storages they come from. Bounds what a
/// small file with expanded views (stride 0) can make us allocate.
constexpr uint64_t kMaxExpandedBytes = 256 << 20;

/// The parts of the archive that matter, checked to be what torch.save writes.
struct Archive {
  std::span<const std::byte> pickle;
  std::map<std::string_view, std::span<const std::byte>> storages;  // by key
};

Archive sort_entries(const std::vector<ZipEntry>& entries, const std::filesystem::path& path) {
  std::string_view root;
  for (const ZipEntry& entry : entries) {
    const std::string_view name = entry.name;
    if (name.ends_with("/data.pkl") && name.find('/') == name.size() - 9) root = name.substr(0, name.size() - 8);
  }
  if (root.empty())
    refuse_unsupported(path, "is a zip archive, but not one that PyTorch wrote",
                       "If the model is inside it, unpack it first.");
  Archive archive;
  for (const ZipEntry& entry : entries) {
    std::string_view name = entry.name;
    if (!name.starts_with(root)) refuse_corrupt(path, "it has an entry outside its folder: " + printable(name));
    name.remove_prefix(root.size());
    if (name == "constants.pkl" || name.starts_with("code/"))
      refuse_unsupported(path, "is a TorchScript program, not plain weights", "Save the model's state_dict instead.");
    if (name == "data.pkl") archive.pickle = entry.payload;
    if (name == "byteorder") {
      const std::string_view order(reinterpret_cast<const char*>(entry.payload.data()), entry.payload.size());
      if (order == "big")
        refuse_unsupported(path, "was written on a big-endian machine", "Save it again on an ordinary computer.");
      if (order != "little") refuse_corrupt(path, "its byte order is neither little nor big");
    }
    if (name.starts_with("data/")) {
      name.remove_prefix(5);
      if (!name.empty() && name.find('/') == std::string_view::npos) archive.storages.emplace(name, entry.payload);
    }
  }
  return archive;
}

bool is_row_major(const Shape& shape, const std::vector<int64_t>& strides) {
  uint64_t expected = 1;  // the product was checked not to overflow
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] == 0) return true;
    if (shape[i] != 1 && static_cast<uint64_t>(strides[i]) != expected) return false;
    expected *= static_cast<uint64_t>(shape[i]);
  }
  return true;
}

/// Elements between the first and the last one that the strides reach, plus one; nothing on overflow.
std::optional<uint64_t> span_of(const Shape& shape, const std::vector<int64_t>& strides) {
  uint64_t last = 0;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0) return 0;
    uint64_t step = 0;
    if (__builtin_mul_overflow(static_cast<uint64_t>(shape[i] - 1), static_cast<uint64_t>(strides[i]), &step) ||
        __builtin_add_overflow(last, step, &last))
      return std::nullopt;
  }
  return last + 1;
}

/// Copies a strided view row-major, element by element in order of its indices.
void copy_strided(const std::byte* source, const Shape& shape, const std::vector<int64_t>& strides, size_t item,
                  std::byte* out) {
  std::vector<int64_t> index(shape.size(), 0);
  const int64_t count = element_count(shape);
  uint64_t position = 0;  // wraps around on the way, never where an element is read
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(out, source + position * item, item);
    out += item;
    for (size_t axis = shape.size(); axis-- > 0;) {
      const auto stride = static_cast<uint64_t>(strides[axis]);
      position += stride;
      if (++index[axis] < shape[axis]) break;
      position -= stride * static_cast<uint64_t>(shape[axis]);
      index[axis] = 0;
    }
  }
}

class PytorchZip final : public Checkpoint {
 public:
  explicit PytorchZip(std::shared_ptr<const MappedFile> file) : file_(std::move(file)) {
    path_ = file_->path();
    container_ = Container::pytorch_zip;
    file_bytes_ = file_->size();
    const std::vector<ZipEntry> entries = read_zip_directory(*file_);
    const Archive archive = sort_entries(entries, path_);
    const pickle::Document document = pickle::run(archive.pickle, path_);
    const std::vector<pickle::Pair>& state = unwrap(document);
    for (const pickle::Pair& pair : state)
      if (pair.value.kind == pickle::Kind::tensor) add_tensor(document, pair, archive);
    if (tensors_.empty())
      refuse_unsupported(path_, "holds no named tensors", "A weights file maps names to tensors (a state_dict).");
  }

  TensorView view(const TensorView& tensor) const override {
    const size_t i = index_.find(tensor.name)->second;
    const Source& source = sources_[i];
    TensorView out = tensors_[i];
    if (source.strides.empty()) {
      out.data = source.data;
      file_->will_need(out.data, out.bytes());
      return out;
    }
    const std::lock_guard lock(mutex_);
    auto& copy = copies_[i];
    if (!copy) {
      copy = std::make_unique<std::byte[]>(std::max<uint64_t>(out.bytes(), 1));
      copy_strided(source.data, out.shape, source.strides, dtype_size(out.type), copy.get());
    }
    out.data = copy.get();
    return out;
  }

  std::optional<FilePart> part(const TensorView& tensor) const override {
    const size_t i = index_.find(tensor.name)->second;
    if (!sources_[i].strides.empty()) return std::nullopt;
    return FilePart{tensor.name, file_, sources_[i].data, tensors_[i].bytes()};
  }

  void release(const TensorView& tensor) const override {
    const size_t i = index_.find(tensor.name)->second;
    if (sources_[i].strides.empty()) return file_->release(sources_[i].data, tensors_[i].bytes());
    const std::lock_guard lock(mutex_);
    copies_[i].reset();
  }

  bool is_torn() const override { return file_->is_torn(); }

 private:
  struct Source {
    const std::byte* data = nullptr;
    std::vector<int64_t> strides;  // empty: row-major
  };

  std::string_view text_of(const pickle::Document& document, const pickle::Value& value) const {
    return value.kind == pickle::Kind::text ? document.texts[value.index] : std::string_view{};
  }

  /// The dictionary that maps names to tensors: the root, or what a training script wrapped it in.
  const std::vector<pickle::Pair>& unwrap(const pickle::Document& document) const {
    constexpr std::string_view wrappers[] = {"state_dict", "model", "module", "generator_ema", "generator"};
    constexpr int kMaxDepth = 4;
    pickle::Value value = document.root;
    for (int depth = 0;; ++depth) {
      if (value.kind == pickle::Kind::tensor)
        refuse_unsupported(path_, "holds a single tensor without a name", "A weights file maps names to tensors.");
      if (value.kind != pickle::Kind::dict)
        refuse_unsupported(path_, "holds no dictionary of tensors", "A weights file maps names to tensors.");
      const std::vector<pickle::Pair>& pairs = document.dicts[value.index];
      const bool has_tensor = std::any_of(
          pairs.begin(), pairs.end(), [](const pickle::Pair& pair) { return pair.value.kind == pickle::Kind::tensor; });
      const pickle::Pair* inner = nullptr;
      for (const std::string_view name : wrappers)
        for (const pickle::Pair& pair : pairs)
          if (!inner && pair.value.kind == pickle::Kind::dict && text_of(document, pair.key) == name) inner = &pair;
      if (has_tensor || !inner || depth == kMaxDepth) return pairs;
      value = inner->value;
    }
  }

  void add_tensor(const pickle::Document& document, const pickle::Pair& pair, const Archive& archive) {
    const std::string_view name = text_of(document, pair.key);
    if (!is_plain_name(name)) refuse_corrupt(path_, "a tensor has an empty, overlong or unprintable name");
    const std::string quoted = "\"" + printable(name) + "\"";
    const pickle::TensorRecord& record = document.tensors[pair.value.index];
    const pickle::StorageRecord& storage = document.storages[record.storage];

    const auto found = archive.storages.find(storage.key);
    if (found == archive.storages.end()) refuse_corrupt(path_, "the data of the tensor " + quoted + " is absent");
    uint64_t storage_bytes = 0;
    if (__builtin_mul_overflow(static_cast<uint64_t>(storage.count), dtype_size(storage.type), &storage_bytes) ||
        storage_bytes > found->second.size())
      refuse_corrupt(path_, "the data of the tensor " + quoted + " is shorter than it says");

    const size_t item = dtype_size(record.type);
    const auto bytes = checked_bytes(record.shape, record.type);
    const auto span = span_of(record.shape, record.strides);
    uint64_t end = 0;
    if (!bytes || !span) refuse_corrupt(path_, "the tensor " + quoted + " has an absurd shape");
    if (__builtin_add_overflow(static_cast<uint64_t>(record.offset), *span, &end) ||
        __builtin_mul_overflow(end, item, &end) || end > storage_bytes)
      refuse_corrupt(path_, "the tensor " + quoted + " reaches beyond its data");

    Source source;
    source.data = found->second.data() + static_cast<uint64_t>(record.offset) * item;
    if (!is_row_major(record.shape, record.strides)) {
      source.strides = record.strides;
      expanded_bytes_ += *bytes > storage_bytes ? *bytes - storage_bytes : 0;
      if (*bytes > storage_bytes && expanded_bytes_ > kMaxExpandedBytes)
        refuse_corrupt(path_, "the tensor " + quoted + " repeats a few values absurdly often");
    }
    if (!index_.emplace(name, tensors_.size()).second) refuse_corrupt(path_, "the tensor " + quoted + " appears twice");
    tensors_.push_back({std::string(name), record.type, record.shape, nullptr});
    sources_.push_back(std::move(source));
  }

  std::shared_ptr<const MappedFile> file_;
  std::vector<Source> sources_;
  uint64_t expanded_bytes_ = 0;
  mutable std::mutex mutex_;
  mutable std::map<size_t, std::unique_ptr<std::byte[]>> copies_;
};

}  // namespace

std::shared_ptr<const Checkpoint> open_pytorch_zip(std::shared_ptr<const MappedFile> file) {
  return std::make_shared<PytorchZip>(std::move(file));
}

}  // namespace rushes
