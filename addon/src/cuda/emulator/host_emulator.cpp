// host.h answered by the CPU: work is done when it is asked for, so streams and events only keep order and time.
#include "cuda/emulator/host_emulator.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <utility>

#include "cuda/emulator/block.h"
#include "cuda/emulator/device_memory.h"

namespace rushes::cuda {
namespace emulator {
namespace {

struct State {
  std::mutex mutex;
  Card card;
  int current = 0;  // of the devices
  Faults faults;
  BlockOrder order = BlockOrder::forward;
  Code lost = 0, last = 0;
  uint64_t allocations = 0, launches = 0;
  uint64_t elsewhere = 0;  // bytes taken before the card was set
};
State& state() {
  static State& state = *new State;  // like the memory, until the very end
  return state;
}

int architecture_of(const Card& card, int ordinal) {
  const auto further = static_cast<size_t>(ordinal) - 1;
  return ordinal > 0 && further < card.further_architectures.size() ? card.further_architectures[further]
                                                                    : card.info.architecture;
}

uint64_t free_bytes_of(const State& s) {
  const uint64_t taken = DeviceMemory::instance().allocated_bytes();
  const uint64_t used = taken - std::min(taken, s.elsewhere);
  return s.card.info.total_bytes - std::min(s.card.info.total_bytes, used);
}

// Counts the event down; true when it is the one that fails.
bool comes_due(int& left) { return left > 0 && --left == 0; }

Code fail(State& s, Code code) {
  if (s.faults.lost) s.lost = code;
  return s.last = code;
}

struct Event {
  std::chrono::steady_clock::time_point time;
  bool is_recorded = false;
};

Code wait() {
  State& s = state();
  std::lock_guard lock(s.mutex);
  if (s.lost) return s.lost;
  return comes_due(s.faults.synchronize) ? fail(s, s.faults.synchronize_code) : 0;
}

constexpr Code kInvalidValue = 1, kInvalidDevice = 101, kInvalidConfiguration = 9, kInvalidHandle = 400;

}  // namespace

void set_card(const Card& card) {
  std::lock_guard lock(state().mutex);
  state().card = card;
  state().current = 0;
  state().elsewhere = DeviceMemory::instance().allocated_bytes();
}
void set_faults(const Faults& faults) {
  std::lock_guard lock(state().mutex);
  state().faults = faults;
  state().lost = state().last = 0;
}
void set_block_order(BlockOrder order) {
  std::lock_guard lock(state().mutex);
  state().order = order;
}
void reset() {
  set_card({});
  set_faults({});
  set_block_order(BlockOrder::forward);
}
Counts counts() {
  std::lock_guard lock(state().mutex);
  const DeviceMemory& memory = DeviceMemory::instance();
  return {state().allocations, memory.live(), memory.allocated_bytes(), state().launches};
}

DeviceAccess::DeviceAccess() { DeviceMemory::instance().open(); }
DeviceAccess::~DeviceAccess() { DeviceMemory::instance().close(); }

void require_device_address(const char* kernel, const void* address) {
  if (address && !DeviceMemory::instance().is_device_address(address))
    throw Violation(Fault::address, std::string("Kernel ") + kernel + " was given an address that is not the card's.");
}

Code launch_kernel(const char* name, Grid grid, int threads, int shared_bytes, void (*body)(void*), void* data) {
  State& s = state();
  LaunchShape shape;
  {
    std::lock_guard lock(s.mutex);
    if (s.lost) return s.lost;
    ++s.launches;
    if (comes_due(s.faults.launch)) return fail(s, s.faults.launch_code);
    if (!s.card.has_kernel_image) return s.last = kNoKernelImage;
    if (grid.x < 1 || grid.y < 1 || grid.z < 1 || grid.y > 65535 || grid.z > 65535 || threads < 1 || threads > 1024)
      return s.last = kInvalidConfiguration;
    if (shared_bytes < 0 || static_cast<uint64_t>(shared_bytes) > s.card.info.shared_bytes)
      return s.last = kInvalidValue;
    shape = {name, grid.x, grid.y, grid.z, threads, shared_bytes, architecture_of(s.card, s.current), s.order};
  }
  if (threads % kLanes)
    throw Violation(Fault::divergence, std::string("Kernel ") + name + " was launched with blocks of " +
                                           std::to_string(threads) + " threads, not a multiple of 32.");
  const DeviceAccess access;
  run_grid(shape, body, data);
  return 0;
}

}  // namespace emulator

using emulator::DeviceMemory;
using emulator::state;

std::string code_text(Code code) {
  switch (code) {
    case 0:
      return "cudaSuccess: no error";
    case emulator::kInvalidValue:
      return "cudaErrorInvalidValue: invalid argument";
    case emulator::kOutOfMemory:
      return "cudaErrorMemoryAllocation: out of memory";
    case emulator::kInvalidConfiguration:
      return "cudaErrorInvalidConfiguration: invalid configuration argument";
    case emulator::kInsufficientDriver:
      return "cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version";
    case emulator::kNoDevice:
      return "cudaErrorNoDevice: no CUDA-capable device is detected";
    case emulator::kInvalidDevice:
      return "cudaErrorInvalidDevice: invalid device ordinal";
    case emulator::kNoKernelImage:
      return "cudaErrorNoKernelImageForDevice: no kernel image is available for execution on the device";
    case emulator::kUncorrectableEcc:
      return "cudaErrorECCUncorrectable: uncorrectable ECC error encountered";
    case emulator::kInvalidHandle:
      return "cudaErrorInvalidResourceHandle: invalid resource handle";
    case emulator::kIllegalAddress:
      return "cudaErrorIllegalAddress: an illegal memory access was encountered";
    case emulator::kLaunchFailure:
      return "cudaErrorLaunchFailure: unspecified launch failure";
    default:
      return "cudaError " + std::to_string(code);
  }
}

Code device_count(int& count) {
  std::lock_guard lock(state().mutex);
  const emulator::Card& card = state().card;
  count = 0;
  if (card.driver_version < 13000) return emulator::kInsufficientDriver;
  if (!card.devices) return emulator::kNoDevice;
  count = card.devices;
  return 0;
}
Code device_info(int ordinal, DeviceInfo& info) {
  std::lock_guard lock(state().mutex);
  if (ordinal < 0 || ordinal >= state().card.devices) return emulator::kInvalidDevice;
  info = state().card.info;
  info.architecture = emulator::architecture_of(state().card, ordinal);
  return 0;
}
Code driver_version(int& version) {
  std::lock_guard lock(state().mutex);
  version = state().card.driver_version;
  return 0;
}
Code set_device(int ordinal) {
  int count = 0;
  if (const Code code = device_count(count)) return code;
  if (state().lost) return state().lost;
  if (ordinal < 0 || ordinal >= count) return emulator::kInvalidDevice;
  std::lock_guard lock(state().mutex);
  state().current = ordinal;
  return 0;
}
Code device_reset(int) {
  std::lock_guard lock(state().mutex);
  state().lost = state().last = 0;
  return 0;
}
Code memory_info(uint64_t& free_bytes, uint64_t& total_bytes) {
  std::lock_guard lock(state().mutex);
  total_bytes = state().card.info.total_bytes;
  free_bytes = emulator::free_bytes_of(state());
  return state().lost;
}

Code device_allocate(void** out, uint64_t bytes) {
  emulator::State& s = state();
  *out = nullptr;
  std::lock_guard lock(s.mutex);
  if (s.lost) return s.lost;
  ++s.allocations;
  const bool is_refused = emulator::comes_due(s.faults.allocation);
  if (is_refused || bytes > emulator::free_bytes_of(s)) return s.last = emulator::kOutOfMemory;
  *out = DeviceMemory::instance().allocate(bytes);
  return *out ? 0 : s.last = emulator::kOutOfMemory;
}
Code device_free(void* data) {
  if (!data) return 0;
  const bool is_freed = DeviceMemory::instance().free(static_cast<std::byte*>(data));
  return is_freed ? state().lost : emulator::kInvalidValue;
}
Code pinned_allocate(void** out, uint64_t bytes) {
  if (state().lost) return state().lost;
  *out = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  return *out ? 0 : emulator::kOutOfMemory;
}
Code pinned_free(void* data) {
  std::free(data);
  return state().lost;
}

Code stream_create(StreamHandle* out) {
  if (state().lost) return state().lost;
  *out = new char;
  return 0;
}
Code stream_destroy(StreamHandle stream) {
  delete static_cast<char*>(stream);
  return state().lost;
}
Code stream_synchronize(StreamHandle) { return emulator::wait(); }
Code stream_wait(StreamHandle, EventHandle event) {
  if (!event) return emulator::kInvalidHandle;
  return state().lost;
}
Code event_create(EventHandle* out) {
  if (state().lost) return state().lost;
  *out = new emulator::Event;
  return 0;
}
Code event_destroy(EventHandle event) {
  delete static_cast<emulator::Event*>(event);
  return state().lost;
}
Code event_record(EventHandle event, StreamHandle) {
  if (!event) return emulator::kInvalidHandle;
  *static_cast<emulator::Event*>(event) = {std::chrono::steady_clock::now(), true};
  return state().lost;
}
Code event_synchronize(EventHandle event) { return event ? emulator::wait() : emulator::kInvalidHandle; }
Code event_elapsed(float& milliseconds, EventHandle begin, EventHandle end) {
  const auto *first = static_cast<emulator::Event*>(begin), *second = static_cast<emulator::Event*>(end);
  if (!first || !second || !first->is_recorded || !second->is_recorded) return emulator::kInvalidHandle;
  milliseconds = std::chrono::duration<float, std::milli>(second->time - first->time).count();
  return state().lost;
}

Code copy_async(void* to, const void* from, uint64_t bytes, CopyKind kind, StreamHandle) {
  if (state().lost) return state().lost;
  if (!bytes) return 0;
  const DeviceMemory& memory = DeviceMemory::instance();
  const bool to_device = kind != CopyKind::to_host, from_device = kind != CopyKind::to_device;
  if ((to_device && !memory.contains(to, bytes)) || (from_device && !memory.contains(from, bytes)) ||
      (!to_device && memory.is_device_address(to)) || (!from_device && memory.is_device_address(from)))
    return state().last = emulator::kInvalidValue;
  const emulator::DeviceAccess access;
  std::memmove(to, from, bytes);
  return 0;
}
Code fill_async(void* to, int byte, uint64_t bytes, StreamHandle) {
  if (state().lost) return state().lost;
  if (!bytes) return 0;
  if (!DeviceMemory::instance().contains(to, bytes)) return state().last = emulator::kInvalidValue;
  const emulator::DeviceAccess access;
  std::memset(to, byte, bytes);
  return 0;
}
Code last_error() {
  std::lock_guard lock(state().mutex);
  return state().lost ? state().lost : std::exchange(state().last, 0);
}

}  // namespace rushes::cuda
