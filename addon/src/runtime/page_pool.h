// Large blocks of memory straight from the system, on huge pages where it offers them. Every fresh page costs a fault
// and a pass of zeros, so what operations take and give back over and over is kept and given out again.
#pragma once
#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>

namespace rushes {

/// What becomes of a block that is given back.
enum class PageUse {
  passing,  // kept for the next one of about this size
  lasting,  // weights: goes back to the system at once
};

/// Thread-safe; taken from between parallel regions, never inside one. Blocks that are kept and blocks in use are
/// together never more than were in use at once since the last trim(): the process's peak is the same as without it.
class PagePool {
 public:
  /// Smaller blocks are the C library's business.
  static constexpr uint64_t kLeastBytes = 256 << 10;

  static PagePool& of_this_process();
  /// Aligned to a page at least and not initialised; null when the system has no memory.
  std::byte* take(uint64_t bytes, PageUse use);
  void give(std::byte* data, uint64_t bytes, PageUse use) noexcept;
  /// Asks for the pages of a range that is about to be written, all at once: fault by fault takes half as long again. A
  /// range that has them loses a call's time.
  static void populate(std::byte* data, uint64_t bytes) noexcept;
  /// Asks for huge pages in a range that was not touched yet, also where they are slow to get: for what a disk writes
  /// into, whose requests are as large as memory lies in one piece.
  static void prefer_huge_pages(std::byte* data, uint64_t bytes) noexcept;
  /// Everything that is kept goes back to the system.
  void trim() noexcept;
  uint64_t kept_bytes() const;

 private:
  struct Block {
    std::byte* data;
    uint64_t bytes;
  };
  /// A block of the system's; its first page is touched to see what a huge one costs here.
  std::byte* map(uint64_t bytes) noexcept;
  void drop_oldest() noexcept;

  mutable std::mutex mutex_;
  std::list<Block> kept_;  // the longest kept first
  std::list<Block> lent_;  // passing blocks in use, with the size they really have
  uint64_t kept_bytes_ = 0, lent_bytes_ = 0, most_lent_ = 0;
  int small_blocks_ = 0;  // that are not tried on huge pages
};

}  // namespace rushes
