// host.h in a build without CUDA: there is no device, and nothing else is ever reached.
#include "cuda/error_numbers.h"

namespace rushes::cuda {
namespace {
constexpr Code kNoDevice = ErrorNumber::no_device;
}

std::string code_text(Code) { return "this build has no CUDA"; }
Code device_count(int& count) {
  count = 0;
  return kNoDevice;
}
Code device_info(int, DeviceInfo&) { return kNoDevice; }
Code driver_version(int& version) {
  version = 0;
  return kNoDevice;
}
Code set_device(int) { return kNoDevice; }
Code device_reset(int) { return kNoDevice; }
Code memory_info(uint64_t&, uint64_t&) { return kNoDevice; }
Code device_allocate(void**, uint64_t) { return kNoDevice; }
Code device_free(void*) { return kNoDevice; }
Code pinned_allocate(void**, uint64_t) { return kNoDevice; }
Code pinned_free(void*) { return kNoDevice; }
void take_part(const void*, uint64_t) {}
void give_part(const void*) {}
Code stream_create(StreamHandle*) { return kNoDevice; }
Code stream_destroy(StreamHandle) { return kNoDevice; }
Code stream_synchronize(StreamHandle) { return kNoDevice; }
Code stream_wait(StreamHandle, EventHandle) { return kNoDevice; }
Code event_create(EventHandle*) { return kNoDevice; }
Code event_destroy(EventHandle) { return kNoDevice; }
Code event_record(EventHandle, StreamHandle) { return kNoDevice; }
Code event_synchronize(EventHandle) { return kNoDevice; }
Code event_elapsed(float&, EventHandle, EventHandle) { return kNoDevice; }
Code copy_async(void*, const void*, uint64_t, CopyKind, StreamHandle) { return kNoDevice; }
Code fill_async(void*, int, uint64_t, StreamHandle) { return kNoDevice; }
Code last_error() { return kNoDevice; }

}  // namespace rushes::cuda
