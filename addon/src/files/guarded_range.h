// A range of addresses that a signal's handler reads while threads change it: atomics and a count of the changes
// instead of a lock, which a handler cannot take.
#pragma once
#include <atomic>
#include <cstdint>

namespace rushes {

class GuardedRange {
 public:
  /// By one thread at a time.
  void set(uintptr_t begin, uintptr_t end) {
    changes_.fetch_add(1, std::memory_order_relaxed);  // odd: not to be relied on
    std::atomic_thread_fence(std::memory_order_release);
    begin_.store(begin, std::memory_order_relaxed);
    end_.store(end, std::memory_order_relaxed);
    changes_.fetch_add(1, std::memory_order_release);
  }
  void clear() { set(0, 0); }
  bool is_clear() const { return end_.load(std::memory_order_relaxed) == 0; }

  /// The range's end when the address lies in it, else 0. At any time, also in a handler that interrupts set(). One
  /// that changes meanwhile does not hold the address: what is being read is guarded from before until after.
  uintptr_t end_around(uintptr_t address) const {
    const uintptr_t changes = changes_.load(std::memory_order_acquire);
    const uintptr_t begin = begin_.load(std::memory_order_relaxed), end = end_.load(std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_acquire);
    if (changes % 2 == 1 || changes_.load(std::memory_order_relaxed) != changes) return 0;
    return begin <= address && address < end ? end : 0;
  }

 private:
  static_assert(std::atomic<uintptr_t>::is_always_lock_free);
  std::atomic<uintptr_t> changes_{0}, begin_{0}, end_{0};
};

}  // namespace rushes
