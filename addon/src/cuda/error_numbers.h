// The codes of the CUDA runtime that the engine tells apart, by number: host_errors.cpp knows no CUDA header.
// host_cuda.cu compares every one of them with cudaError_t when it is compiled, so that a wrong number does not build.
#pragma once
#include "cuda/host.h"

namespace rushes::cuda {

struct ErrorNumber {
  enum : Code {
    memory_allocation = 2,
    stub_library = 34,
    insufficient_driver = 35,
    call_requires_newer_driver = 36,
    invalid_device_function = 98,
    no_device = 100,
    invalid_kernel_image = 200,
    device_uninitialized = 201,
    no_kernel_image_for_device = 209,
    ecc_uncorrectable = 214,
    invalid_ptx = 218,
    nvlink_uncorrectable = 220,
    jit_compiler_not_found = 221,
    unsupported_ptx_version = 222,
    jit_compilation_disabled = 223,
    contained = 226,
    illegal_address = 700,
    launch_timeout = 702,
    context_is_destroyed = 709,
    device_assert = 710,
    hardware_stack_error = 714,
    illegal_instruction = 715,
    misaligned_address = 716,
    invalid_address_space = 717,
    invalid_pc = 718,
    launch_failure = 719,
    tensor_memory_leak = 721,
    system_not_ready = 802,
    system_driver_mismatch = 803,
    compat_not_supported_on_device = 804,
  };
};

}  // namespace rushes::cuda
