// Reads parts of weights files into the system's page cache ahead of the threads that use them, so that the disk works
// while they compute. Knows files and bytes, no tensors.
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

/// One thread of its own that reads parts in the order of their use, as far ahead as the window allows, and gives used
/// ones back. What the page cache holds already is not read. Nothing it reads is resident until somebody touches it.
class ReadAhead {
 public:
  /// Of one request: a system reads ahead in steps of at most a few MiB, and a pause between two requests is time the
  /// disk does nothing.
  static constexpr uint64_t kRequestBytes = 2 << 20;
  /// Read but not used yet, at most: enough to ride out what a disk does not give evenly.
  static constexpr uint64_t kWindowBytes = 256 << 20;

  /// What requests are read into before it is dropped; the largest part's size when that is less.
  static uint64_t buffer_bytes(const std::vector<FilePart>& parts);
  /// Starts reading. `buffer` has at least buffer_bytes(parts) and outlives this.
  ReadAhead(std::vector<FilePart> parts, std::span<std::byte> buffer, uint64_t window = kWindowBytes);
  /// Stops after the request under way.
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  /// Returns when the part was read, at once for a name that is none of the parts. Throws Cancelled. What cannot be
  /// read this way counts as read: touching it reads it, or fails, as without this.
  void wait(const Context& context, const std::string& name);
  /// The part is not needed any more: its mapped pages go (MappedFile::release), beside the threads that compute.
  void used(const std::string& name);
  /// Read from the disk so far.
  uint64_t disk_bytes() const;

 private:
  void run();
  void release_used(std::unique_lock<std::mutex>& lock);

  const std::vector<FilePart> parts_;
  const std::span<std::byte> buffer_;
  const uint64_t window_;
  std::map<std::string, size_t, std::less<>> index_;
  std::vector<uint64_t> ends_;  // bytes of all parts up to and with this one

  mutable std::mutex mutex_;
  std::condition_variable work_, done_;
  std::vector<size_t> to_release_;
  size_t finished_ = 0, needed_ = 0;  // parts read; parts somebody waits for
  uint64_t used_bytes_ = 0, disk_bytes_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace rushes
