#include "runtime/page_pool.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "runtime/processor_time.h"

namespace rushes {
namespace {

constexpr uint64_t kHugePage = 2 << 20;
// How much larger than asked for a kept block may be, as a share: more would be resident and counted nowhere.
constexpr uint64_t kWaste = 32;
// Seconds of the processor that the 512 small pages of a huge one take about. A virtual machine whose host takes free
// memory back has to ask for a huge page's memory anew, in small pages, which takes five times as long.
constexpr double kSlowHugePage = 1e-3;
// Blocks on small pages after a huge one that was slow.
constexpr int kSmallBlocks = 64;

uint64_t whole_pages(uint64_t bytes) {
  static const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}

void unmap(std::byte* data, uint64_t bytes) noexcept {
  if (bytes) ::munmap(data, bytes);
}

}  // namespace

std::byte* PagePool::map(uint64_t bytes) noexcept {
  const uint64_t spare = bytes >= kHugePage ? kHugePage : 0;
  void* const found = ::mmap(nullptr, bytes + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (found == MAP_FAILED) return nullptr;
  auto* data = static_cast<std::byte*>(found);
  if (spare == 0) return data;
  // From a huge page's boundary on, so that all but the end lies on whole ones; the end is not rounded up to one, which
  // would hold more than was asked for.
  const uint64_t before = (kHugePage - reinterpret_cast<uintptr_t>(data) % kHugePage) % kHugePage;
  unmap(data, before);
  unmap(data + before + bytes, spare - before);
  data += before;
#ifdef MADV_HUGEPAGE
  if (small_blocks_ > 0) {
    --small_blocks_;
  } else if (::madvise(data, bytes, MADV_HUGEPAGE) == 0) {
    const double start = thread_processor_seconds();
    *static_cast<volatile std::byte*>(data) = std::byte{};
    if (thread_processor_seconds() - start > kSlowHugePage) {
      ::madvise(data, bytes, MADV_NOHUGEPAGE);
      small_blocks_ = kSmallBlocks;
    }
  }
#endif
  return data;
}

PagePool& PagePool::of_this_process() {
  // Never destroyed: a tensor may outlive every other static.
  static auto* const pool = new PagePool;
  return *pool;
}

std::byte* PagePool::take(uint64_t bytes, PageUse use) {
  bytes = whole_pages(bytes);
  const std::lock_guard lock(mutex_);
  if (use == PageUse::lasting) {
    std::byte* data = map(bytes);
    if (!data && !kept_.empty()) {
      while (!kept_.empty()) drop_oldest();
      data = map(bytes);
    }
    return data;
  }
  auto best = kept_.end();
  for (auto block = kept_.begin(); block != kept_.end(); ++block)
    if (block->bytes >= bytes && block->bytes <= bytes + bytes / kWaste &&
        (best == kept_.end() || block->bytes <= best->bytes))
      best = block;
  if (best != kept_.end()) {
    kept_bytes_ -= best->bytes;
    lent_bytes_ += best->bytes;
    lent_.splice(lent_.end(), kept_, best);
  } else {
    most_lent_ = std::max(most_lent_, lent_bytes_ + bytes);
    while (lent_bytes_ + bytes + kept_bytes_ > most_lent_) drop_oldest();
    std::byte* data = map(bytes);
    while (!data && !kept_.empty()) {
      drop_oldest();
      data = map(bytes);
    }
    if (!data) return nullptr;
    lent_.push_back({data, bytes});
    lent_bytes_ += bytes;
  }
  most_lent_ = std::max(most_lent_, lent_bytes_);
  return lent_.back().data;
}

void PagePool::give(std::byte* data, uint64_t bytes, PageUse use) noexcept {
  if (use == PageUse::lasting) return unmap(data, whole_pages(bytes));
  const std::lock_guard lock(mutex_);
  const auto block = std::find_if(lent_.begin(), lent_.end(), [data](const Block& b) { return b.data == data; });
  lent_bytes_ -= block->bytes;
  kept_bytes_ += block->bytes;
  kept_.splice(kept_.end(), lent_, block);
}

void PagePool::populate(std::byte* data, uint64_t bytes) noexcept {
#ifdef MADV_POPULATE_WRITE
  static const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t first = reinterpret_cast<uintptr_t>(data) / page * page;
  const uintptr_t last = (reinterpret_cast<uintptr_t>(data) + bytes + page - 1) / page * page;
  ::madvise(reinterpret_cast<void*>(first), last - first, MADV_POPULATE_WRITE);
#else
  (void)data, (void)bytes;
#endif
}

void PagePool::prefer_huge_pages(std::byte* data, uint64_t bytes) noexcept {
#ifdef MADV_HUGEPAGE
  static const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t first = (reinterpret_cast<uintptr_t>(data) + page - 1) / page * page;
  const uintptr_t last = (reinterpret_cast<uintptr_t>(data) + bytes) / page * page;
  if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#else
  (void)data, (void)bytes;
#endif
}

void PagePool::trim() noexcept {
  const std::lock_guard lock(mutex_);
  while (!kept_.empty()) drop_oldest();
  most_lent_ = lent_bytes_;
}

uint64_t PagePool::kept_bytes() const {
  const std::lock_guard lock(mutex_);
  return kept_bytes_;
}

void PagePool::drop_oldest() noexcept {
  unmap(kept_.front().data, kept_.front().bytes);
  kept_bytes_ -= kept_.front().bytes;
  kept_.pop_front();
}

}  // namespace rushes
