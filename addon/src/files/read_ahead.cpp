#include "files/read_ahead.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <optional>
#include <system_error>

#include "runtime/page_pool.h"

namespace rushes {
namespace {

// Of one request past the page cache: smaller ones leave a disk idle between two.
constexpr uint64_t kRequestBytes = 8 << 20;

constexpr uint64_t round_up(uint64_t value) {
  return (value + MappedFile::kBlockBytes - 1) / MappedFile::kBlockBytes * MappedFile::kBlockBytes;
}

// Of a part anywhere in its file, whole blocks around it included.
uint64_t slot_bytes(const std::vector<FilePart>& parts) {
  uint64_t largest = 0;
  for (const FilePart& part : parts) largest = std::max(largest, part.bytes);
  return round_up(largest) + MappedFile::kBlockBytes;
}

}  // namespace

uint64_t ReadAhead::buffer_bytes(const std::vector<FilePart>& parts) {
  const bool needed =
      std::any_of(parts.begin(), parts.end(), [](const FilePart& part) { return part.file->reads_past_cache(); });
  return needed ? 2 * slot_bytes(parts) + MappedFile::kBlockBytes : 0;
}

ReadAhead::ReadAhead(std::vector<FilePart> parts, std::span<std::byte> buffer, const DiskPace& pace)
    : parts_(std::move(parts)), buffer_(buffer), pace_(pace), places_(parts_.size(), Place::nowhere) {
  for (size_t i = 0; i < parts_.size(); ++i) index_.emplace(parts_[i].name, i);
  const uint64_t bytes = slot_bytes(parts_);
  if (buffer_.size() >= 2 * bytes + MappedFile::kBlockBytes) slot_bytes_ = bytes;
  if (slot_bytes_) PagePool::prefer_huge_pages(buffer_.data(), buffer_.size());
  try {
    thread_ = std::thread([this] {
      try {
        run();
      } catch (const std::exception&) {  // memory for a list, say: the map needs none
        leave_rest_to_map();
      }
    });
  } catch (const std::system_error&) {  // no more threads are to be had
    leave_rest_to_map();
  }
}

ReadAhead::~ReadAhead() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void ReadAhead::leave_rest_to_map() {
  const std::lock_guard lock(mutex_);
  while (finished_ < parts_.size()) places_[finished_++] = Place::map;
  done_.notify_all();
}

std::byte* ReadAhead::slot(Place place) const {
  auto* const first = reinterpret_cast<std::byte*>(round_up(reinterpret_cast<uintptr_t>(buffer_.data())));
  return place == Place::first ? first : first + slot_bytes_;
}

uint64_t ReadAhead::offset_in_slot(const FilePart& part) const {
  return part.file->offset_of(part.begin) % MappedFile::kBlockBytes;
}

bool ReadAhead::is_taken(Place place) const {
  return std::find(places_.begin(), places_.end(), place) != places_.end();
}

// A free half of the buffer, or the map: for what the page cache holds, and when somebody waits although both halves
// are held by parts that were to be used before this one. Nowhere: to stop.
ReadAhead::Place ReadAhead::choose_place(size_t part, std::unique_lock<std::mutex>& lock) {
  lock.unlock();
  const FilePart& wanted = parts_[part];
  const bool cached =
      slot_bytes_ == 0 || !wanted.file->reads_past_cache() || wanted.file->is_cached(wanted.begin, wanted.bytes);
  lock.lock();
  if (stopping_) return Place::nowhere;
  if (cached) return Place::map;
  const auto free_half = [&] {
    return !is_taken(Place::first) ? Place::first : !is_taken(Place::second) ? Place::second : Place::map;
  };
  work_.wait(lock, [&] { return stopping_ || needed_ > part || free_half() != Place::map; });
  return stopping_ ? Place::nowhere : free_half();
}

void ReadAhead::run() {
  std::unique_lock lock(mutex_);
  while (finished_ < parts_.size()) {
    const FilePart& part = parts_[finished_];
    Place place = choose_place(finished_, lock);
    if (place == Place::nowhere) return;
    if (place != Place::map) {
      places_[finished_] = place;  // taken from now on
      lock.unlock();
      const bool past_cache = past_cache_;
      bool read = past_cache && read_part(part, slot(place));
      if (!past_cache) read_through_cache(part);
      lock.lock();
      if (!read) place = Place::map;
    }
    if (stopping_) return;
    places_[finished_++] = place;
    done_.notify_all();
  }
}

bool ReadAhead::read_part(const FilePart& part, std::byte* to) {
  const uint64_t before = offset_in_slot(part), begin = part.file->offset_of(part.begin) - before;
  const uint64_t needed = before + part.bytes;
  PagePool::populate(to, needed);  // not while the disk is timed: a host may have to be asked for them
  // Two requests at a time: a disk rests between one and the next, the longer the busier the processors are.
  const uint64_t request = std::min(kRequestBytes, round_up((needed + 1) / 2));
  std::atomic<uint64_t> next = 0;
  std::atomic<bool> readable = true;
  const auto read = [&] {
    for (uint64_t at = next.fetch_add(request); at < needed && readable; at = next.fetch_add(request)) {
      {
        const std::lock_guard lock(mutex_);
        if (stopping_) readable = false;
      }
      const uint64_t bytes = std::min(request, needed - at);
      if (!readable || !part.file->read_past_cache(begin + at, to + at, bytes)) {
        readable = false;
        return;
      }
      const std::lock_guard lock(mutex_);
      disk_bytes_ += bytes;
    }
  };
  const auto start = std::chrono::steady_clock::now();
  {
    std::optional<std::jthread> beside;
    try {
      beside.emplace(read);
    } catch (const std::system_error&) {  // no more threads are to be had: one request at a time
    }
    read();
  }
  if (!readable) return false;
  direct_seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const std::lock_guard lock(mutex_);
  if (disk_bytes_ >= pace_.trial_bytes)
    past_cache_ = static_cast<double>(disk_bytes_) > pace_.quick_bytes_per_second * direct_seconds_;
  return true;
}

void ReadAhead::read_through_cache(const FilePart& part) {
  std::vector<std::byte> dropped(std::min<uint64_t>(part.bytes, 2 << 20));
  for (uint64_t at = 0; at < part.bytes; at += dropped.size()) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
    }
    if (!part.file->read_into_cache(part.begin + at,
                                    std::span(dropped).first(std::min<uint64_t>(dropped.size(), part.bytes - at))))
      return;
  }
}

const std::byte* ReadAhead::wait(const Context& context, const std::string& name) {
  const auto found = index_.find(name);
  if (found == index_.end()) return nullptr;
  const size_t part = found->second;
  std::unique_lock lock(mutex_);
  needed_ = std::max(needed_, part + 1);
  work_.notify_one();
  while (finished_ <= part) {
    context.check_cancelled();
    done_.wait_for(lock, std::chrono::milliseconds(50), [&] { return finished_ > part; });
  }
  const Place place = places_[part];
  if (place == Place::map || place == Place::nowhere) return parts_[part].begin;
  return slot(place) + offset_in_slot(parts_[part]);
}

void ReadAhead::used(const std::string& name) {
  const auto found = index_.find(name);
  if (found == index_.end()) return;
  {
    const std::lock_guard lock(mutex_);
    if (finished_ > found->second) places_[found->second] = Place::nowhere;
  }
  work_.notify_one();
}

uint64_t ReadAhead::disk_bytes() const {
  const std::lock_guard lock(mutex_);
  return disk_bytes_;
}

}  // namespace rushes
