// An accelerator as the engine sees it: memory of its own and transfers, in the order they are asked for. Nothing here
// knows CUDA; src/cuda implements it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace rushes {

/// What decides which kernels an accelerator can run, and how its memory is planned. Plain data, so that a plan can be
/// made for a card that is not there.
struct DeviceInfo {
  std::string name;      // "NVIDIA GeForce RTX 4070"
  int architecture = 0;  // compute capability: 80, 86, 89, 90, 100, 120
  int multiprocessors = 0;
  uint64_t shared_bytes = 0;  // of one block, opt-in maximum
  uint64_t total_bytes = 0;   // of memory
  bool emulated = false;      // the tests' card, which no job takes by itself
};

/// One accelerator in use. All work of one device is done in the order it was given (one stream); a call returns before
/// its work is done unless it says otherwise. Used by one thread at a time. Errors carry the codes gpu.* and
/// memory.exhausted; after gpu.lost nothing but destruction is allowed.
class Device {
 public:
  virtual ~Device() = default;
  virtual const DeviceInfo& info() const = 0;
  /// What kernels are started on, as cuda/host.h's StreamHandle, by the calling thread; null where none can be (a
  /// device that is only planned).
  virtual void* stream() const = 0;
  /// Bytes that allocate() could still give.
  virtual uint64_t free_bytes() const = 0;
  /// 256-byte aligned, not initialised. Throws memory.exhausted (needed, free).
  virtual std::byte* allocate(uint64_t bytes) = 0;
  /// May be given out again at once: later work waits for earlier work.
  virtual void release(std::byte* data, uint64_t bytes) noexcept = 0;
  /// `from` is pageable host memory and may be changed as soon as this returns.
  virtual void upload(void* to, const void* from, uint64_t bytes) = 0;
  /// Returns when the bytes are there, and so all earlier work is done. Throws what went wrong in it.
  virtual void download(void* to, const void* from, uint64_t bytes) = 0;
  virtual void copy(void* to, const void* from, uint64_t bytes) = 0;
  virtual void zero(void* to, uint64_t bytes) = 0;

  /// Host memory that begin_upload() can read; throws memory.exhausted. It need not be given back after gpu.lost.
  virtual std::byte* allocate_pinned(uint64_t bytes) = 0;
  virtual void release_pinned(std::byte* data, uint64_t bytes) noexcept = 0;
  /// Starts a copy from pinned memory beside the work that is asked for from now on, after all that was asked for
  /// before, and returns at once. Until finish_upload() nothing may touch the bytes on either side. There are two
  /// lanes, 0 and 1, each for one copy under way.
  virtual void begin_upload(int lane, void* to, const void* pinned, uint64_t bytes) = 0;
  /// Work that is asked for from now on waits for the lane's copy.
  virtual void finish_upload(int lane) = 0;

  /// Waits for all work; throws what went wrong in it.
  virtual void synchronize() = 0;
};

}  // namespace rushes
