// host.h answered by the CPU: what goes through streams, and pinned memory. Arguments are kept as they are when work is
// asked for; bytes of pinned memory are read when the copy runs, as a card's copy unit does.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

#include "cuda/emulator/card_state.h"
#include "cuda/emulator/device_memory.h"
#include "cuda/emulator/streams.h"

namespace rushes::cuda {
namespace emulator {
namespace {

constexpr int kNoise = 0xff;

struct Event {
  std::shared_ptr<Record> record;  // the latest
};

// Which host memory the card can read by itself.
class Pinned {
 public:
  void add(const void* data, uint64_t bytes) {
    std::lock_guard lock(mutex_);
    ranges_[static_cast<const std::byte*>(data)] = bytes;
  }
  void remove(const void* data) {
    std::lock_guard lock(mutex_);
    ranges_.erase(static_cast<const std::byte*>(data));
  }
  uint64_t bytes_of(const void* data) {
    std::lock_guard lock(mutex_);
    const auto found = ranges_.find(static_cast<const std::byte*>(data));
    return found == ranges_.end() ? 0 : found->second;
  }
  bool contains(const void* data, uint64_t bytes) {
    const auto* const begin = static_cast<const std::byte*>(data);
    std::lock_guard lock(mutex_);
    const auto after = ranges_.upper_bound(begin);
    return after != ranges_.begin() && begin + bytes <= std::prev(after)->first + std::prev(after)->second;
  }

 private:
  std::mutex mutex_;
  std::map<const std::byte*, uint64_t> ranges_;
};
Pinned& pinned() {
  static Pinned& pinned = *new Pinned;
  return pinned;
}

// A code of work that failed while it was done: the card is lost, whatever the faults say of calls.
Code lose(Code code) {
  std::lock_guard lock(state().mutex);
  return state().lost = state().last = code;
}

Code execution_fault() {
  std::unique_lock lock(state().mutex);
  if (!comes_due(state().faults.execution)) return 0;
  const Code code = state().faults.execution_code;
  lock.unlock();
  return lose(code);
}

template <class Waited>
Code wait_for(const Waited& waited) {
  if (const Code code = lost()) return code;
  if (const Code code = Streams::instance().finish(waited)) return code;
  State& s = state();
  std::unique_lock lock(s.mutex);
  if (!comes_due(s.faults.synchronize)) return 0;
  const Code code = s.faults.synchronize_code;
  lock.unlock();
  return fail(code);
}

Code refuse(Code code) {
  std::lock_guard lock(state().mutex);
  return state().last = code;
}

std::string bytes_text(uint64_t bytes) { return std::to_string(bytes) + " bytes"; }

[[noreturn]] void host_changed(const std::string& what, const char* doing) {
  throw Violation(Fault::order, "Pinned memory was changed by the host after " + what +
                                    " was asked for and before it " + doing + ": the host did not wait for it.");
}

// Bytes of pinned memory that a queued copy will read: the host may not change them before.
Code copy_from_pinned(void* to, const void* from, uint64_t bytes, const std::string& what,
                      const std::shared_ptr<Stream>& stream, const std::vector<Access>& accesses) {
  const auto* const begin = static_cast<const std::byte*>(from);
  std::vector<std::byte> seen;
  // What an earlier copy still has to bring there is not known yet.
  if (Streams::instance().is_quiet({begin, bytes, AccessKind::read})) seen.assign(begin, begin + bytes);
  return Streams::instance().submit(stream, what, accesses, [=, seen = std::move(seen)] {
    if (!seen.empty() && std::memcmp(seen.data(), from, bytes) != 0) host_changed(what, "read it");
    std::memcpy(to, from, bytes);
    return 0;
  });
}

// Until the copy has run its destination is noise, so that who looks too early does not find what was there before.
Code copy_to_pinned(void* to, const void* from, uint64_t bytes, const std::string& what,
                    const std::shared_ptr<Stream>& stream, const std::vector<Access>& accesses) {
  const auto* const begin = static_cast<std::byte*>(to);
  const bool is_quiet = Streams::instance().is_quiet({begin, bytes, AccessKind::write});
  const auto run = [=] {
    const auto* const byte = static_cast<const unsigned char*>(to);
    if (is_quiet && !std::all_of(byte, byte + bytes, [](unsigned char b) { return b == kNoise; }))
      host_changed(what, "filled it");
    std::memcpy(to, from, bytes);
    return 0;
  };
  if (is_quiet) std::memset(to, kNoise, bytes);
  return Streams::instance().submit(stream, what, accesses, run);
}

// For tests alone: the project's own pageable bytes go through pinned memory. The runtime says that such a copy "might
// be synchronous"; here its source is read now and the copy runs late, and a destination is waited for.
Code copy_from_pageable(void* to, const void* from, uint64_t bytes, const std::string& what,
                        const std::shared_ptr<Stream>& stream, const std::vector<Access>& accesses) {
  const auto* const begin = static_cast<const std::byte*>(from);
  return Streams::instance().submit(stream, what, accesses, [to, kept = std::vector<std::byte>(begin, begin + bytes)] {
    std::memcpy(to, kept.data(), kept.size());
    return 0;
  });
}
Code copy_to_pageable(void* to, const void* from, uint64_t bytes, const std::string& what,
                      const std::shared_ptr<Stream>& stream, const std::vector<Access>& accesses) {
  const Code code = Streams::instance().submit(stream, what, accesses, [=] {
    std::memcpy(to, from, bytes);
    return 0;
  });
  return code ? code : Streams::instance().finish(stream);
}

}  // namespace

Code launch_kernel(StreamHandle stream, const char* name, Grid grid, int threads, int shared_bytes,
                   const std::vector<Access>& accesses, std::function<void()> body) {
  State& s = state();
  LaunchShape shape;
  {
    std::unique_lock lock(s.mutex);
    if (s.lost) return s.lost;
    ++s.launches;
    if (comes_due(s.faults.launch)) {
      const Code code = s.faults.launch_code;
      lock.unlock();
      return fail(code);
    }
    if (!s.card.has_kernel_image) return s.last = kNoKernelImage;
    if (grid.x < 1 || grid.y < 1 || grid.z < 1 || grid.y > 65535 || grid.z > 65535 || threads < 1 || threads > 1024)
      return s.last = kInvalidConfiguration;
    if (shared_bytes < 0 || static_cast<uint64_t>(shared_bytes) > s.card.info.shared_bytes)
      return s.last = kInvalidValue;
    shape = {"", grid.x, grid.y, grid.z, threads, shared_bytes, architecture_of(s.card, s.current), s.order};
  }
  if (threads % kLanes)
    throw Violation(Fault::divergence, std::string("Kernel ") + name + " was launched with blocks of " +
                                           std::to_string(threads) + " threads, not a multiple of 32.");
  const auto found = Streams::instance().find(stream);
  if (!found) return refuse(kInvalidHandle);
  return Streams::instance().submit(found, std::string("kernel ") + name, accesses,
                                    [shape, kernel = std::string(name), body = std::move(body)]() mutable {
                                      if (const Code code = execution_fault()) return code;
                                      shape.name = kernel.c_str();
                                      run_grid(
                                          shape, [](void* data) { (*static_cast<std::function<void()>*>(data))(); },
                                          &body);
                                      return 0;
                                    });
}

}  // namespace emulator

using emulator::AccessKind;
using emulator::DeviceMemory;
using emulator::Event;
using emulator::Streams;

Code pinned_allocate(void** out, uint64_t bytes) {
  if (const Code code = emulator::lost()) return code;
  *out = std::aligned_alloc(4096, (std::max<uint64_t>(bytes, 1) + 4095) / 4096 * 4096);
  if (!*out) return emulator::kOutOfMemory;
  emulator::pinned().add(*out, std::max<uint64_t>(bytes, 1));
  return 0;
}
Code pinned_free(void* data) {
  if (!data) return 0;
  const uint64_t bytes = emulator::pinned().bytes_of(data);
  if (!bytes) return emulator::kInvalidValue;
  Streams::instance().release(static_cast<std::byte*>(data), bytes, "pinned memory");
  emulator::pinned().remove(data);
  std::free(data);
  return emulator::lost();
}

Code stream_create(StreamHandle* out) {
  if (const Code code = emulator::lost()) return code;
  *out = Streams::instance().create();
  return 0;
}
Code stream_destroy(StreamHandle stream) {
  const auto found = stream ? Streams::instance().find(stream) : nullptr;
  if (!found) return emulator::kInvalidHandle;
  Streams::instance().destroy(found);
  return emulator::lost();
}
Code stream_synchronize(StreamHandle stream) {
  const auto found = Streams::instance().find(stream);
  return found ? emulator::wait_for(found) : emulator::kInvalidHandle;
}
Code stream_wait(StreamHandle stream, EventHandle event) {
  const auto found = Streams::instance().find(stream);
  if (!found || !event) return emulator::kInvalidHandle;
  if (const Code code = emulator::lost()) return code;
  const auto& record = static_cast<Event*>(event)->record;
  return record ? Streams::instance().wait(found, record) : 0;
}

Code event_create(EventHandle* out) {
  if (const Code code = emulator::lost()) return code;
  *out = new Event;
  return 0;
}
Code event_destroy(EventHandle event) {
  delete static_cast<Event*>(event);
  return emulator::lost();
}
Code event_record(EventHandle event, StreamHandle stream) {
  const auto found = Streams::instance().find(stream);
  if (!found || !event) return emulator::kInvalidHandle;
  if (const Code code = emulator::lost()) return code;
  return Streams::instance().record(found, static_cast<Event*>(event)->record);
}
Code event_synchronize(EventHandle event) {
  if (!event) return emulator::kInvalidHandle;
  const auto record = static_cast<Event*>(event)->record;
  return record ? emulator::wait_for(record) : emulator::lost();
}
Code event_elapsed(float& milliseconds, EventHandle begin, EventHandle end) {
  if (!begin || !end) return emulator::kInvalidHandle;
  const auto first = static_cast<Event*>(begin)->record, second = static_cast<Event*>(end)->record;
  if (!first || !second) return emulator::kInvalidHandle;
  if (!first->is_over || !second->is_over) return emulator::kNotReady;
  milliseconds = std::chrono::duration<float, std::milli>(second->time - first->time).count();
  return emulator::lost();
}

Code copy_async(void* to, const void* from, uint64_t bytes, CopyKind kind, StreamHandle stream) {
  if (const Code code = emulator::lost()) return code;
  const auto found = Streams::instance().find(stream);
  if (!found) return emulator::refuse(emulator::kInvalidHandle);
  if (!bytes) return 0;
  const DeviceMemory& memory = DeviceMemory::instance();
  const bool to_device = kind != CopyKind::to_host, from_device = kind != CopyKind::to_device;
  if ((to_device && !memory.contains(to, bytes)) || (from_device && !memory.contains(from, bytes)) ||
      (!to_device && memory.is_device_address(to)) || (!from_device && memory.is_device_address(from)))
    return emulator::refuse(emulator::kInvalidValue);
  std::vector<emulator::Access> accesses;
  const bool is_pinned = kind != CopyKind::on_device && emulator::pinned().contains(to_device ? from : to, bytes);
  if (from_device || is_pinned) accesses.push_back({static_cast<const std::byte*>(from), bytes, AccessKind::read});
  if (to_device || is_pinned) accesses.push_back({static_cast<std::byte*>(to), bytes, AccessKind::write});
  const std::string text = "a copy of " + emulator::bytes_text(bytes);
  if (to_device && from_device)
    return Streams::instance().submit(found, text + " within the card", accesses, [=] {
      std::memmove(to, from, bytes);
      return 0;
    });
  if (to_device)
    return (is_pinned ? emulator::copy_from_pinned : emulator::copy_from_pageable)(
        to, from, bytes, text + " to the card", found, accesses);
  return (is_pinned ? emulator::copy_to_pinned : emulator::copy_to_pageable)(to, from, bytes, text + " from the card",
                                                                             found, accesses);
}
Code fill_async(void* to, int byte, uint64_t bytes, StreamHandle stream) {
  if (const Code code = emulator::lost()) return code;
  const auto found = Streams::instance().find(stream);
  if (!found) return emulator::refuse(emulator::kInvalidHandle);
  if (!bytes) return 0;
  if (!DeviceMemory::instance().contains(to, bytes)) return emulator::refuse(emulator::kInvalidValue);
  return Streams::instance().submit(found, "a fill of " + emulator::bytes_text(bytes),
                                    {{static_cast<std::byte*>(to), bytes, AccessKind::write}}, [=] {
                                      std::memset(to, byte, bytes);
                                      return 0;
                                    });
}

void take_part(const void* data, uint64_t bytes) {
  DeviceMemory::instance().take_part(static_cast<const std::byte*>(data), bytes);
}
void give_part(const void* data) { DeviceMemory::instance().give_part(static_cast<const std::byte*>(data)); }

}  // namespace rushes::cuda
