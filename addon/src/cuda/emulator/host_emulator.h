// The pretended card behind host.h, as tests set it up: what it is, and when it fails.
#pragma once
#include <cstdint>
#include <vector>

#include "cuda/emulator/block.h"
#include "cuda/host.h"

namespace rushes::cuda::emulator {

/// Numbers of cudaError_t that tests use.
enum ErrorNumber : Code {
  kOutOfMemory = 2,
  kInsufficientDriver = 35,
  kNoDevice = 100,
  kNoKernelImage = 209,
  kUncorrectableEcc = 214,
  kIllegalAddress = 700,
  kLaunchFailure = 719,
};

/// What device_count and device_info say. `devices` 0 with a driver: a driver without a card. A kernel runs on the
/// device that set_device() chose last.
struct Card {
  int driver_version = 13000;  // 0: no driver
  int devices = 6;
  DeviceInfo info{.name = "Emulated card",
                  .architecture = 90,
                  .multiprocessors = 4,
                  .shared_bytes = 227 << 10,
                  .total_bytes = uint64_t{8} << 30,
                  .emulated = true};
  /// Of the devices after the first, which are like it in everything else.
  std::vector<int> further_architectures = {80, 86, 89, 100, 120};
  bool has_kernel_image = true;
};

/// Counted from set_faults on, from 1; 0: never.
struct Faults {
  int allocation = 0;  // this device_allocate is out of memory
  int launch = 0;      // this launch returns launch_code
  Code launch_code = kLaunchFailure;
  int synchronize = 0;  // this wait for a stream or an event returns synchronize_code
  Code synchronize_code = kIllegalAddress;
  /// After the launch or wait that failed every call fails with the same code, as after a broken context.
  bool lost = false;
};

/// Its memory is free: what was taken before lies elsewhere.
void set_card(const Card& card);
void set_faults(const Faults& faults);
void set_block_order(BlockOrder order);
/// The card as it is at the start, without faults. Allocations stay, and do not count against it.
void reset();

struct Counts {
  uint64_t allocations = 0, live_allocations = 0, allocated_bytes = 0, launches = 0;
};
Counts counts();

/// Throws Violation for an address that a card could not read.
void require_device_address(const char* kernel, const void* address);
/// Runs a launch, or says why it cannot be started. Throws Violation.
Code launch_kernel(const char* name, Grid grid, int threads, int shared_bytes, void (*body)(void*), void* data);

/// Lets this thread of the computer touch device memory while it lives: a test's look at what a kernel left.
class DeviceAccess {
 public:
  DeviceAccess();
  ~DeviceAccess();
  DeviceAccess(const DeviceAccess&) = delete;
  DeviceAccess& operator=(const DeviceAccess&) = delete;
};

}  // namespace rushes::cuda::emulator
