#include "files/read_ahead.h"

#include <algorithm>
#include <chrono>

namespace rushes {

uint64_t ReadAhead::buffer_bytes(const std::vector<FilePart>& parts) {
  uint64_t largest = 0;
  for (const FilePart& part : parts) largest = std::max(largest, part.bytes);
  return std::min(largest, kRequestBytes);
}

ReadAhead::ReadAhead(std::vector<FilePart> parts, std::span<std::byte> buffer, uint64_t window)
    : parts_(std::move(parts)), buffer_(buffer), window_(window) {
  uint64_t end = 0;
  for (size_t i = 0; i < parts_.size(); ++i) {
    index_.emplace(parts_[i].name, i);
    ends_.push_back(end += parts_[i].bytes);
  }
  thread_ = std::thread([this] { run(); });
}

ReadAhead::~ReadAhead() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  thread_.join();
  std::unique_lock lock(mutex_);
  release_used(lock);
}

// What a user waits for is read even when the window is full: parts before it may never be used.
void ReadAhead::run() {
  std::unique_lock lock(mutex_);
  const auto may_read = [&](uint64_t position) { return finished_ < needed_ || position < used_bytes_ + window_; };
  for (; finished_ < parts_.size(); ++finished_, done_.notify_all()) {
    const FilePart& part = parts_[finished_];
    const uint64_t first = ends_[finished_] - part.bytes;
    bool readable = true;
    for (uint64_t at = 0; at < part.bytes && readable;) {
      work_.wait(lock, [&] { return stopping_ || !to_release_.empty() || may_read(first + at); });
      if (stopping_) return;
      release_used(lock);
      if (!may_read(first + at)) continue;
      const uint64_t end = std::min<uint64_t>(part.bytes, at + buffer_.size());
      lock.unlock();
      const bool cached = part.file->is_cached(part.begin + at, end - at);
      readable = cached || part.file->read_into_cache(part.begin + at, buffer_.first(end - at));
      lock.lock();
      if (!cached && readable) disk_bytes_ += end - at;
      at = end;
    }
  }
  while (!stopping_) {
    work_.wait(lock, [&] { return stopping_ || !to_release_.empty(); });
    release_used(lock);
  }
}

void ReadAhead::release_used(std::unique_lock<std::mutex>& lock) {
  while (!to_release_.empty()) {
    const FilePart& part = parts_[to_release_.back()];
    to_release_.pop_back();
    lock.unlock();
    part.file->release(part.begin, part.bytes);
    lock.lock();
  }
}

void ReadAhead::wait(const Context& context, const std::string& name) {
  const auto found = index_.find(name);
  if (found == index_.end()) return;
  std::unique_lock lock(mutex_);
  needed_ = std::max(needed_, found->second + 1);
  work_.notify_one();
  while (!done_.wait_for(lock, std::chrono::milliseconds(50), [&] { return finished_ > found->second; }))
    context.check_cancelled();
}

void ReadAhead::used(const std::string& name) {
  const auto found = index_.find(name);
  if (found == index_.end()) return;
  {
    const std::lock_guard lock(mutex_);
    used_bytes_ = std::max(used_bytes_, ends_[found->second]);
    to_release_.push_back(found->second);
  }
  work_.notify_one();
}

uint64_t ReadAhead::disk_bytes() const {
  const std::lock_guard lock(mutex_);
  return disk_bytes_;
}

}  // namespace rushes
