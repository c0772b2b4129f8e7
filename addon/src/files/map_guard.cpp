#include "files/map_guard.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <mutex>

namespace rushes {
namespace {

// Read by the handler without a lock: `begin` is written last and cleared first.
struct Range {
  std::atomic<uintptr_t> begin{0};
  std::atomic<uintptr_t> end{0};
  std::atomic<bool> torn{false};
};

std::array<Range, MapGuard::kMostGuards> ranges;
std::mutex ranges_mutex;
struct sigaction earlier_handler;
uintptr_t page_bytes = 0;

static_assert(std::atomic<uintptr_t>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

// Whatever else cannot be read beyond this page is most likely gone too, so all of the rest becomes zeros at once.
bool replace_rest(Range& range, uintptr_t address) {
  const uintptr_t begin = range.begin.load(), end = range.end.load();
  if (begin == 0 || address < begin || address >= end) return false;
  const uintptr_t page = address / page_bytes * page_bytes;
  void* at = reinterpret_cast<void*>(page);
  range.torn = true;
  return ::mmap(at, end - page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == at;
}

void on_bus_error(int, siginfo_t* info, void*) {
  const int error_number = errno;
  bool replaced = false;
  for (Range& range : ranges) replaced = replaced || replace_rest(range, reinterpret_cast<uintptr_t>(info->si_addr));
  // The access is made again on return: into zeros, or under the handler that was there before.
  if (!replaced) ::sigaction(SIGBUS, &earlier_handler, nullptr);
  errno = error_number;
}

void install_handler() {
  page_bytes = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  struct sigaction handler {};
  handler.sa_sigaction = on_bus_error;
  handler.sa_flags = SA_SIGINFO | SA_ONSTACK;
  ::sigemptyset(&handler.sa_mask);
  ::sigaction(SIGBUS, &handler, &earlier_handler);
}

}  // namespace

MapGuard::MapGuard(const std::byte* begin, size_t bytes) {
  if (bytes == 0) return;
  static std::once_flag installed;
  std::call_once(installed, install_handler);
  const std::lock_guard lock(ranges_mutex);
  for (size_t i = 0; i < ranges.size() && slot_ < 0; ++i)
    if (ranges[i].begin == 0) slot_ = static_cast<int>(i);
  if (slot_ < 0) return;
  Range& range = ranges[static_cast<size_t>(slot_)];
  range.torn = false;
  range.end = reinterpret_cast<uintptr_t>(begin) + (bytes + page_bytes - 1) / page_bytes * page_bytes;
  range.begin = reinterpret_cast<uintptr_t>(begin);
}

MapGuard::~MapGuard() {
  if (slot_ < 0) return;
  const std::lock_guard lock(ranges_mutex);
  ranges[static_cast<size_t>(slot_)].begin = 0;
}

bool MapGuard::is_torn() const { return slot_ >= 0 && ranges[static_cast<size_t>(slot_)].torn; }

}  // namespace rushes
