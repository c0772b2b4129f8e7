// The pretended card behind host.h, as tests set it up: what it is, and when it fails.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "cuda/emulator/access_history.h"
#include "cuda/emulator/block.h"
#include "cuda/error_numbers.h"
#include "cuda/host.h"

namespace rushes::cuda::emulator {

/// Codes that tests use.
constexpr Code kOutOfMemory = ErrorNumber::memory_allocation, kInsufficientDriver = ErrorNumber::insufficient_driver,
               kNoDevice = ErrorNumber::no_device, kNoKernelImage = ErrorNumber::no_kernel_image_for_device,
               kUncorrectableEcc = ErrorNumber::ecc_uncorrectable, kIllegalAddress = ErrorNumber::illegal_address,
               kLaunchFailure = ErrorNumber::launch_failure;

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

/// When work is done that may be done: all are lawful, and results must not depend on it.
enum class StreamOrder {
  earliest,      // when it is asked for
  latest,        // when somebody waits for it, and no more than is waited for
  others_first,  // as latest, but after all that other streams can do
  shuffled,      // as latest, but streams take turns by chance, of which the seed is given
};

/// Counted from set_faults on, from 1; 0: never.
struct Faults {
  int allocation = 0;  // this device_allocate is out of memory
  int launch = 0;      // this launch returns launch_code
  Code launch_code = kLaunchFailure;
  int synchronize = 0;  // this wait for a stream or an event returns synchronize_code
  Code synchronize_code = kIllegalAddress;
  int execution = 0;  // this kernel fails while it runs: whoever waits for it is told, and the card is lost
  Code execution_code = kIllegalAddress;
  /// After the launch or wait that failed every call fails with the same code, as after a broken context; after
  /// kUncorrectableEcc until device_reset(), after others for good.
  bool lost = false;
};

/// Its memory is free: what was taken before lies elsewhere.
void set_card(const Card& card);
void set_faults(const Faults& faults);
void set_block_order(BlockOrder order);
/// Of shuffled work the seed. The order at the start is the latest, or what the environment variable
/// RUSHES_EMULATOR_STREAMS names ("earliest", "others_first", "shuffled:7").
void set_stream_order(StreamOrder order, uint32_t seed = 1);
/// The card as it is at the start, without faults, and its work done. Allocations stay, and do not count against it.
void reset();

struct Counts {
  uint64_t allocations = 0, live_allocations = 0, allocated_bytes = 0, launches = 0;
  uint64_t violations = 0;  // thrown by calls of the host, also where nobody looked at them
};
Counts counts();

/// Puts a launch into its stream, or says why it cannot be started. `body` is run by every thread. Throws Violation.
Code launch_kernel(StreamHandle stream, const char* name, Grid grid, int threads, int shared_bytes,
                   const std::vector<Access>& accesses, std::function<void()> body);

/// Lets this thread of the computer touch device memory while it lives, after all work is done: a test's look at what a
/// kernel left.
class DeviceAccess {
 public:
  DeviceAccess();
  ~DeviceAccess();
  DeviceAccess(const DeviceAccess&) = delete;
  DeviceAccess& operator=(const DeviceAccess&) = delete;
};

}  // namespace rushes::cuda::emulator
