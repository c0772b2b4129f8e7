// host.h answered by cudart, which is linked statically and looks for the driver itself when it is first called: where
// there is none, the first call says so and nothing else happens.
#include <cuda_runtime.h>

#include "cuda/error_numbers.h"
#include "cuda/host.h"

namespace rushes::cuda {
namespace {

Code code_of(cudaError_t error) { return static_cast<Code>(error); }
cudaStream_t stream_of(StreamHandle stream) { return static_cast<cudaStream_t>(stream); }
cudaEvent_t event_of(EventHandle event) { return static_cast<cudaEvent_t>(event); }

#define RUSHES_SAME(name, cuda) static_assert(static_cast<int>(ErrorNumber::name) == static_cast<int>(cudaError##cuda))
RUSHES_SAME(memory_allocation, MemoryAllocation);
RUSHES_SAME(stub_library, StubLibrary);
RUSHES_SAME(insufficient_driver, InsufficientDriver);
RUSHES_SAME(call_requires_newer_driver, CallRequiresNewerDriver);
RUSHES_SAME(invalid_device_function, InvalidDeviceFunction);
RUSHES_SAME(no_device, NoDevice);
RUSHES_SAME(invalid_kernel_image, InvalidKernelImage);
RUSHES_SAME(device_uninitialized, DeviceUninitialized);
RUSHES_SAME(no_kernel_image_for_device, NoKernelImageForDevice);
RUSHES_SAME(ecc_uncorrectable, ECCUncorrectable);
RUSHES_SAME(invalid_ptx, InvalidPtx);
RUSHES_SAME(nvlink_uncorrectable, NvlinkUncorrectable);
RUSHES_SAME(jit_compiler_not_found, JitCompilerNotFound);
RUSHES_SAME(unsupported_ptx_version, UnsupportedPtxVersion);
RUSHES_SAME(jit_compilation_disabled, JitCompilationDisabled);
RUSHES_SAME(contained, Contained);
RUSHES_SAME(illegal_address, IllegalAddress);
RUSHES_SAME(launch_timeout, LaunchTimeout);
RUSHES_SAME(context_is_destroyed, ContextIsDestroyed);
RUSHES_SAME(device_assert, Assert);
RUSHES_SAME(hardware_stack_error, HardwareStackError);
RUSHES_SAME(illegal_instruction, IllegalInstruction);
RUSHES_SAME(misaligned_address, MisalignedAddress);
RUSHES_SAME(invalid_address_space, InvalidAddressSpace);
RUSHES_SAME(invalid_pc, InvalidPc);
RUSHES_SAME(launch_failure, LaunchFailure);
RUSHES_SAME(tensor_memory_leak, TensorMemoryLeak);
RUSHES_SAME(system_not_ready, SystemNotReady);
RUSHES_SAME(system_driver_mismatch, SystemDriverMismatch);
RUSHES_SAME(compat_not_supported_on_device, CompatNotSupportedOnDevice);
#undef RUSHES_SAME

// A failed question is no error of later work.
Code asked(cudaError_t error) {
  if (error != cudaSuccess) cudaGetLastError();
  return code_of(error);
}

}  // namespace

std::string code_text(Code code) {
  const auto error = static_cast<cudaError_t>(code);
  return std::string(cudaGetErrorName(error)) + ": " + cudaGetErrorString(error);
}

Code device_count(int& count) {
  count = 0;
  return asked(cudaGetDeviceCount(&count));
}

Code device_info(int ordinal, DeviceInfo& info) {
  cudaDeviceProp properties;
  if (const Code code = asked(cudaGetDeviceProperties(&properties, ordinal))) return code;
  info.name = properties.name;
  info.architecture = properties.major * 10 + properties.minor;
  info.multiprocessors = properties.multiProcessorCount;
  info.shared_bytes = properties.sharedMemPerBlockOptin;
  info.total_bytes = properties.totalGlobalMem;
  return 0;
}

Code driver_version(int& version) {
  version = 0;
  return asked(cudaDriverGetVersion(&version));
}

Code set_device(int ordinal) { return code_of(cudaSetDevice(ordinal)); }

Code device_reset(int ordinal) {
  cudaSetDevice(ordinal);
  const cudaError_t error = cudaDeviceReset();
  cudaGetLastError();
  return code_of(error);
}

Code memory_info(uint64_t& free_bytes, uint64_t& total_bytes) {
  size_t free = 0, total = 0;
  const Code code = code_of(cudaMemGetInfo(&free, &total));
  free_bytes = free;
  total_bytes = total;
  return code;
}

Code device_allocate(void** out, uint64_t bytes) { return code_of(cudaMalloc(out, bytes)); }
Code device_free(void* data) { return code_of(cudaFree(data)); }
Code pinned_allocate(void** out, uint64_t bytes) { return code_of(cudaHostAlloc(out, bytes, cudaHostAllocPortable)); }
Code pinned_free(void* data) { return code_of(cudaFreeHost(data)); }
void take_part(const void*, uint64_t) {}
void give_part(const void*) {}

Code stream_create(StreamHandle* out) {
  cudaStream_t stream = nullptr;
  const Code code = code_of(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  *out = stream;
  return code;
}
Code stream_destroy(StreamHandle stream) { return code_of(cudaStreamDestroy(stream_of(stream))); }
Code stream_synchronize(StreamHandle stream) { return code_of(cudaStreamSynchronize(stream_of(stream))); }
Code stream_wait(StreamHandle stream, EventHandle event) {
  return code_of(cudaStreamWaitEvent(stream_of(stream), event_of(event), 0));
}

Code event_create(EventHandle* out) {
  cudaEvent_t event = nullptr;
  const Code code = code_of(cudaEventCreate(&event));
  *out = event;
  return code;
}
Code event_destroy(EventHandle event) { return code_of(cudaEventDestroy(event_of(event))); }
Code event_record(EventHandle event, StreamHandle stream) {
  return code_of(cudaEventRecord(event_of(event), stream_of(stream)));
}
Code event_synchronize(EventHandle event) { return code_of(cudaEventSynchronize(event_of(event))); }
Code event_elapsed(float& milliseconds, EventHandle begin, EventHandle end) {
  return code_of(cudaEventElapsedTime(&milliseconds, event_of(begin), event_of(end)));
}

Code copy_async(void* to, const void* from, uint64_t bytes, CopyKind kind, StreamHandle stream) {
  constexpr cudaMemcpyKind kinds[] = {cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice};
  return code_of(cudaMemcpyAsync(to, from, bytes, kinds[static_cast<int>(kind)], stream_of(stream)));
}
Code fill_async(void* to, int byte, uint64_t bytes, StreamHandle stream) {
  return code_of(cudaMemsetAsync(to, byte, bytes, stream_of(stream)));
}
Code last_error() { return code_of(cudaGetLastError()); }

}  // namespace rushes::cuda
