// A read-only memory-mapped file. The only place of files/ that knows the operating system's mapping calls.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "files/map_guard.h"

struct stat;

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
  /// Bytes that were read were gone, and zeros in their place: the file was cut short, or its disk went away. Or the
  /// file is of another size or time than when it was opened: written to, or cut so little that no page of it is gone.
  bool is_torn() const { return (guard_ && guard_->is_torn()) || is_changed(); }
  /// Asks for these bytes soon: starts reading them in the background.
  void will_need(const std::byte* begin, uint64_t count) const;
  /// Whether the page cache holds all of these bytes. True when the system does not say, and for borrowed bytes.
  bool is_cached(const std::byte* begin, uint64_t count) const;
  /// How many of these bytes the page cache holds, from a page here and there: reads nothing, and is quick on files of
  /// many GB.
  uint64_t cached_bytes(const std::byte* begin, uint64_t count) const;
  /// Reads bytes of the mapping, through a description of the file that mapped pages do not share: the system reads
  /// ahead for each by itself, and two in one confuse it. `to` may be thrown away: the page cache keeps them. False
  /// when they cannot be read.
  bool read_into_cache(const std::byte* begin, std::span<std::byte> to) const;
  /// Whether read_past_cache() can work here.
  bool reads_past_cache() const { return direct_ >= 0; }
  /// Reads bytes of the file from the disk without leaving them in the page cache. `offset` and `to` are multiples of
  /// kBlockBytes, and `to` has room for whole blocks. False when they cannot be read this way.
  bool read_past_cache(uint64_t offset, std::byte* to, uint64_t bytes) const;
  static constexpr uint64_t kBlockBytes = 4096;
  uint64_t offset_of(const std::byte* begin) const { return static_cast<uint64_t>(begin - data_); }
  /// Gives the whole pages inside the range back; reading them again costs time and nothing else.
  void release(const std::byte* begin, uint64_t count) const;

 private:
  using WriteTime = std::pair<int64_t, int64_t>;  // seconds, nanoseconds
  MappedFile(std::filesystem::path path, const std::byte* data, size_t size, bool mapped, FileUse use, int reader = -1,
             int direct = -1, WriteTime written = {})
      : path_(std::move(path)),
        data_(data),
        size_(size),
        mapped_(mapped),
        use_(use),
        reader_(reader),
        direct_(direct),
        written_(written),
        guard_(std::in_place, data, mapped ? size : 0) {}
  static WriteTime write_time(const struct stat& status);
  bool is_changed() const;

  std::filesystem::path path_;
  const std::byte* data_;
  size_t size_;
  bool mapped_;
  FileUse use_;
  int reader_, direct_;            // -1: none
  WriteTime written_;              // as it was opened
  std::optional<MapGuard> guard_;  // gone before the map is
};

}  // namespace rushes
