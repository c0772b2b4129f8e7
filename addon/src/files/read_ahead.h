// Reads parts of weights files from the disk ahead of the threads that use them, so that the disk works while they
// compute. Knows files and bytes, no tensors.
#pragma once
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "files/mapped_file.h"
#include "runtime/context.h"

namespace rushes {

/// Where something lies: bytes of a mapped file, by the name its user knows it by.
struct FilePart {
  std::string name;
  std::shared_ptr<const MappedFile> file;
  const std::byte* begin = nullptr;
  uint64_t bytes = 0;
};

/// Below which pace a disk is slow, and how much is read before it is called so. By default reading 10 GB again would
/// take a quarter of a minute, which is felt.
struct DiskPace {
  double quick_bytes_per_second = 0.6e9;
  uint64_t trial_bytes = 128 << 20;
};

/// One thread of its own that reads parts in the order of their use, one ahead of the one in use. What the page cache
/// holds is used from there, through the map. The rest is read past the page cache, into memory that is used again and
/// again: a page of the cache has to be found, and maybe asked of a host, for every 4 KiB, which can take several times
/// as long as the disk does. A disk that is slow itself is read through the page cache, so that it is read once. Where
/// the system gives no thread, everything is used through the map.
class ReadAhead {
 public:
  /// Smaller parts are not worth it.
  static constexpr uint64_t kLeastBytes = 1 << 20;

  /// What the parts are read into: room for two of the largest; 0 when their file cannot be read past the page cache.
  /// The same whatever that cache holds: it may lose pages between a plan and its run. What is never read is never
  /// touched.
  static uint64_t buffer_bytes(const std::vector<FilePart>& parts);
  /// Starts reading. `buffer` has buffer_bytes(parts) and outlives this; with less everything is used through the map.
  ReadAhead(std::vector<FilePart> parts, std::span<std::byte> buffer, const DiskPace& pace = {});
  /// Stops after the request under way.
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  /// The part's bytes, when they were read, for as long as used() was not called: from the buffer or the map; null for
  /// a name that is none of the parts. In another order than that of the parts nothing is gained, and nothing lost.
  /// Throws Cancelled.
  const std::byte* wait(const Context& context, const std::string& name);
  /// The part is not needed any more.
  void used(const std::string& name);
  /// Read past the page cache so far.
  uint64_t disk_bytes() const;

 private:
  enum class Place { nowhere, map, first, second };

  void run();
  void leave_rest_to_map();
  Place choose_place(size_t part, std::unique_lock<std::mutex>& lock);
  bool read_part(const FilePart& part, std::byte* to);
  void read_through_cache(const FilePart& part);
  std::byte* slot(Place place) const;
  uint64_t offset_in_slot(const FilePart& part) const;
  bool is_taken(Place place) const;

  const std::vector<FilePart> parts_;
  const std::span<std::byte> buffer_;
  const DiskPace pace_;
  std::map<std::string, size_t, std::less<>> index_;
  uint64_t slot_bytes_ = 0;  // 0: there is no buffer
  bool past_cache_ = true;   // of the thread's own
  double direct_seconds_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable work_, done_;
  std::vector<Place> places_;         // of each part; nowhere again when it was used
  size_t finished_ = 0, needed_ = 0;  // parts read; parts somebody waits for
  uint64_t disk_bytes_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace rushes
