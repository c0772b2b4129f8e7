#include "runtime/memory.h"

#include "runtime/status.h"

namespace rushes {

void MemoryCounter::add(MemoryUse use, uint64_t bytes) {
  std::lock_guard lock(mutex_);
  if (budget_ && sum_ + bytes > budget_) {
    Error error("memory.exhausted", "The job needs more memory than it may use.",
                "Choose a smaller size or fewer frames, or raise the memory budget.");
    error.needed_bytes = bytes;
    error.free_bytes = budget_ > sum_ ? budget_ - sum_ : 0;
    throw error;
  }
  sum_ += bytes;
  by_use_[static_cast<size_t>(use)] += bytes;
  if (sum_ > peak_) peak_ = sum_;
}

void MemoryCounter::remove(MemoryUse use, uint64_t bytes) {
  std::lock_guard lock(mutex_);
  sum_ -= bytes;
  by_use_[static_cast<size_t>(use)] -= bytes;
}

uint64_t MemoryCounter::current() const { std::lock_guard lock(mutex_); return sum_; }
uint64_t MemoryCounter::current(MemoryUse use) const {
  std::lock_guard lock(mutex_);
  return by_use_[static_cast<size_t>(use)];
}
uint64_t MemoryCounter::peak() const { std::lock_guard lock(mutex_); return peak_; }
void MemoryCounter::reset_peak() { std::lock_guard lock(mutex_); peak_ = sum_; }

}  // namespace rushes
