#include "files/map_guard.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <mutex>

#include "files/guarded_range.h"

namespace rushes {
namespace {

struct Slot {
  GuardedRange range;
  std::atomic<bool> torn{false};
};

std::array<Slot, MapGuard::kMostGuards> slots;
std::mutex slots_mutex;
struct sigaction earlier_handler;
uintptr_t page_bytes = 0;

static_assert(std::atomic<bool>::is_always_lock_free);

// Whatever else cannot be read beyond this page is most likely gone too, so all of the rest becomes zeros at once.
bool replace_rest(Slot& slot, uintptr_t address) {
  const uintptr_t end = slot.range.end_around(address);
  if (end == 0) return false;
  const uintptr_t page = address / page_bytes * page_bytes;
  void* at = reinterpret_cast<void*>(page);
  slot.torn = true;
  return ::mmap(at, end - page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == at;
}

void on_bus_error(int, siginfo_t* info, void*) {
  const int error_number = errno;
  // Sent by a process; no access failed.
  const bool sent = info->si_code <= 0;
  bool replaced = false;
  for (Slot& slot : slots)
    replaced = replaced || (!sent && replace_rest(slot, reinterpret_cast<uintptr_t>(info->si_addr)));
  // An access is made again on return: into zeros, or under the handler that was there before. What was sent has to be
  // sent again for that.
  if (!replaced) ::sigaction(SIGBUS, &earlier_handler, nullptr);
  if (sent) ::raise(SIGBUS);
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
  const std::lock_guard lock(slots_mutex);
  for (size_t i = 0; i < slots.size() && slot_ < 0; ++i)
    if (slots[i].range.is_clear()) slot_ = static_cast<int>(i);
  if (slot_ < 0) return;
  Slot& slot = slots[static_cast<size_t>(slot_)];
  const auto first = reinterpret_cast<uintptr_t>(begin);
  slot.torn = false;
  slot.range.set(first, first + (bytes + page_bytes - 1) / page_bytes * page_bytes);
}

MapGuard::~MapGuard() {
  if (slot_ < 0) return;
  const std::lock_guard lock(slots_mutex);
  slots[static_cast<size_t>(slot_)].range.clear();
}

bool MapGuard::is_torn() const { return slot_ >= 0 && slots[static_cast<size_t>(slot_)].torn; }

}  // namespace rushes
