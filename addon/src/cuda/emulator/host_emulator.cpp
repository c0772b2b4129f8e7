// host.h answered by the CPU, its card and memory; what goes through streams is in host_streams.cpp.
#include "cuda/emulator/host_emulator.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "cuda/emulator/approximate.h"
#include "cuda/emulator/card_state.h"
#include "cuda/emulator/device_memory.h"
#include "cuda/emulator/streams.h"

namespace rushes::cuda {
namespace emulator {

State& state() {
  static State& state = *new State;  // like the memory, until the very end
  return state;
}

int architecture_of(const Card& card, int ordinal) {
  const auto further = static_cast<size_t>(ordinal) - 1;
  return ordinal > 0 && further < card.further_architectures.size() ? card.further_architectures[further]
                                                                    : card.info.architecture;
}

namespace {
uint64_t free_bytes_of(const State& s) {
  const uint64_t taken = DeviceMemory::instance().allocated_bytes();
  const uint64_t used = taken - std::min(taken, s.elsewhere);
  return s.card.info.total_bytes - std::min(s.card.info.total_bytes, used);
}

}  // namespace

bool comes_due(int& left) { return left > 0 && --left == 0; }

Code fail(Code code) {
  {
    std::lock_guard lock(state().mutex);
    state().last = code;
    if (!state().faults.lost) return code;
    state().lost = code;
  }
  Streams::instance().drop();
  return code;
}

Code lost() {
  std::lock_guard lock(state().mutex);
  return state().lost;
}

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
void set_stream_order(StreamOrder order, uint32_t seed) { Streams::instance().set_order(order, seed); }
void reset() {
  Streams::instance().finish_all();
  set_card({});
  set_faults({});
  set_block_order(BlockOrder::forward);
  Streams::instance().reset_order();
  arithmetic = Arithmetic::as_on_a_card;
}
Counts counts() {
  const DeviceMemory& memory = DeviceMemory::instance();
  const uint64_t violations = Streams::instance().violations();
  std::lock_guard lock(state().mutex);
  return {state().allocations, memory.live(), memory.allocated_bytes(), state().launches, violations};
}

DeviceAccess::DeviceAccess() {
  Streams::instance().finish_all();
  DeviceMemory::instance().open();
}
DeviceAccess::~DeviceAccess() { DeviceMemory::instance().close(); }

}  // namespace emulator

using emulator::DeviceMemory;
using emulator::state;
using emulator::Streams;

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
    case emulator::kNotReady:
      return "cudaErrorNotReady: device not ready";
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
  if (const Code code = emulator::lost()) return code;
  if (ordinal < 0 || ordinal >= count) return emulator::kInvalidDevice;
  std::lock_guard lock(state().mutex);
  state().current = ordinal;
  return 0;
}
// What a kernel did leaves the process without a card for good ("the process must be terminated and relaunched",
// driver_types.h); of failing memory the same header does not say so.
Code device_reset(int) {
  Streams::instance().drop();
  std::lock_guard lock(state().mutex);
  if (state().lost && state().lost != emulator::kUncorrectableEcc) return state().lost;
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
  if (const uint64_t bytes = DeviceMemory::instance().bytes_of(data))
    Streams::instance().release(static_cast<std::byte*>(data), bytes, "device memory");
  const bool is_freed = DeviceMemory::instance().free(static_cast<std::byte*>(data));
  return is_freed ? emulator::lost() : emulator::kInvalidValue;
}
Code last_error() {
  std::lock_guard lock(state().mutex);
  return state().lost ? state().lost : std::exchange(state().last, 0);
}

}  // namespace rushes::cuda
