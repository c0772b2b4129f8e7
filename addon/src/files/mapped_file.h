// A read-only memory-mapped file. The only place of files/ that knows the operating system's mapping calls.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace rushes {

/// What a file is opened for. With `headers`, asking where a tensor lies reads nothing ahead and gives nothing back: a
/// plan looks at every tensor of files that may lie on a slow disk, and that a job may be reading at the same time.
enum class FileUse { weights, headers };

/// The bytes of one regular file for as long as this object lives, or bytes that somebody else keeps alive.
class MappedFile {
 public:
  /// Errors: checkpoint.missing (absent, a directory, not a regular file, not readable).
  static std::shared_ptr<const MappedFile> open(const std::filesystem::path& path, FileUse use = FileUse::weights);
  static std::shared_ptr<const MappedFile> borrow(std::span<const std::byte> bytes, const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  uint64_t size() const { return size_; }
  /// Asks for these bytes soon: starts reading them in the background.
  void will_need(const std::byte* begin, uint64_t count) const;
  /// Gives the whole pages inside the range back; reading them again costs time and nothing else.
  void release(const std::byte* begin, uint64_t count) const;

 private:
  MappedFile(std::filesystem::path path, const std::byte* data, size_t size, bool mapped, FileUse use)
      : path_(std::move(path)), data_(data), size_(size), mapped_(mapped), use_(use) {}
  std::filesystem::path path_;
  const std::byte* data_;
  size_t size_;
  bool mapped_;
  FileUse use_;
};

}  // namespace rushes
