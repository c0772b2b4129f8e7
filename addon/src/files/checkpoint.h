// A weights file of any container, opened for reading: which tensors it has, and their bytes, memory-mapped. Knows
// containers (safetensors, PyTorch .pth), nothing of models. Every file is taken to be hostile.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "files/read_ahead.h"
#include "runtime/tensor_view.h"

namespace rushes {

enum class Container { safetensors, pytorch_zip };
std::string_view container_name(Container container);

/// An open file. Thread-safe for reading. Errors (all Error): checkpoint.missing (no such file, a directory, no
/// permission), checkpoint.corrupt (damaged or hostile, says what and where), checkpoint.unsupported (a format this
/// version does not read, named).
class Checkpoint {
 public:
  /// `path` may also be a *.safetensors.index.json: its shards are one checkpoint then.
  static std::shared_ptr<const Checkpoint> open(const std::filesystem::path& path, FileUse use = FileUse::weights);
  /// The same from bytes that outlive the checkpoint; `path` only names it in errors.
  static std::shared_ptr<const Checkpoint> open_bytes(std::span<const std::byte> bytes,
                                                      const std::filesystem::path& path);
  virtual ~Checkpoint() = default;

  const std::filesystem::path& path() const { return path_; }
  Container container() const { return container_; }
  uint64_t file_bytes() const { return file_bytes_; }
  /// File order; names are unique. `data` is null here; use view().
  const std::vector<TensorView>& tensors() const { return tensors_; }
  /// Index by name, or null.
  const TensorView* find(std::string_view name) const;
  /// safetensors' __metadata__; empty for .pth.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// The tensor with its data. Strided tensors are copied to row-major once and kept.
  virtual TensorView view(const TensorView& tensor) const = 0;
  /// Where its bytes lie, for reading them ahead; nothing for a tensor that is copied.
  virtual std::optional<FilePart> part(const TensorView& tensor) const = 0;
  /// Asks the operating system to drop the mapped pages of this tensor (after it was packed).
  virtual void release(const TensorView& tensor) const = 0;
  /// Bytes that were read so far were gone, or the file was changed (MappedFile::is_torn): nothing made of it since can
  /// be relied on.
  virtual bool is_torn() const = 0;

 protected:
  std::filesystem::path path_;
  Container container_ = Container::safetensors;
  uint64_t file_bytes_ = 0;
  std::vector<TensorView> tensors_;
  std::map<std::string, size_t, std::less<>> index_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace rushes
