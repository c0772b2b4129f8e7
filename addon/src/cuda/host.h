// What the host side of the cuda backend asks of the system: the few calls of the CUDA runtime it needs, as functions
// that return a code. host_cuda.cu answers with cudart, emulator/host_emulator.cpp with the CPU; nothing else knows
// which.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/device.h"

namespace rushes::cuda {

/// Zero is success; otherwise the number of a cudaError_t.
using Code = int;
using StreamHandle = void*;
using EventHandle = void*;

/// "cudaErrorMemoryAllocation: out of memory"
std::string code_text(Code code);

/// Devices the driver offers, or why there is none. Never throws, loads nothing when no driver is there.
Code device_count(int& count);
Code device_info(int ordinal, DeviceInfo& info);
Code driver_version(int& version);  // 13000 = 13.0; 0: no driver
Code set_device(int ordinal);
/// Ends everything of this process on the card, also after an error that made its context unusable.
Code device_reset(int ordinal);
Code memory_info(uint64_t& free_bytes, uint64_t& total_bytes);

Code device_allocate(void** out, uint64_t bytes);
Code device_free(void* data);
Code pinned_allocate(void** out, uint64_t bytes);
Code pinned_free(void* data);

/// Says that these bytes of an allocation are one thing from now on, and that they no longer are: for the emulator,
/// which checks who uses what at the same time. Nothing on a card.
void take_part(const void* data, uint64_t bytes);
void give_part(const void* data);

Code stream_create(StreamHandle* out);
Code stream_destroy(StreamHandle stream);
Code stream_synchronize(StreamHandle stream);
Code stream_wait(StreamHandle stream, EventHandle event);
Code event_create(EventHandle* out);
Code event_destroy(EventHandle event);
Code event_record(EventHandle event, StreamHandle stream);
Code event_synchronize(EventHandle event);
/// Milliseconds between two recorded and finished events.
Code event_elapsed(float& milliseconds, EventHandle begin, EventHandle end);

enum class CopyKind { to_device, to_host, on_device };
Code copy_async(void* to, const void* from, uint64_t bytes, CopyKind kind, StreamHandle stream);
Code fill_async(void* to, int byte, uint64_t bytes, StreamHandle stream);
/// The first error of asynchronous work since the last call, taken away if it can be.
Code last_error();

struct Grid {
  int x = 1, y = 1, z = 1;
};
}  // namespace rushes::cuda
