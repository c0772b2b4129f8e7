// Counts every byte the engine holds, so that a plan can be compared with what happened and a budget can be kept.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>

namespace rushes {

/// What a byte is held for.
enum class MemoryUse { weights, mapped_weights, activations, cache };

/// High-water marks of one engine. Thread-safe. Throws Error memory.exhausted when the budget would be passed.
class MemoryCounter {
 public:
  explicit MemoryCounter(uint64_t budget_bytes = 0) : budget_(budget_bytes) {}  // 0 = no limit
  void add(MemoryUse use, uint64_t bytes);
  void remove(MemoryUse use, uint64_t bytes);
  uint64_t current() const;
  uint64_t current(MemoryUse use) const;
  /// Highest sum since the last reset_peak().
  uint64_t peak() const;
  void reset_peak();
  uint64_t budget() const { return budget_; }

 private:
  mutable std::mutex mutex_;
  uint64_t budget_, sum_ = 0, peak_ = 0;
  std::array<uint64_t, 4> by_use_{};
};

}  // namespace rushes
