// One block of a launch on the emulator: its threads, its warps, its shared memory, and what each thread is waiting
// for. The functions that kernels call are in device_emulator.h; they reach the running thread through `current`.
#pragma once
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "cuda/emulator/fiber.h"
#include "cuda/emulator/shared_bytes.h"
#include "runtime/status.h"

namespace rushes::cuda::emulator {

constexpr int kLanes = 32;
constexpr uint32_t kAllLanes = 0xffffffffu;

/// In which order the blocks of a launch run. Results must not depend on it.
enum class BlockOrder { forward, reverse, shuffled };

/// A launch as every block sees it.
struct LaunchShape {
  const char* name = "";
  int grid_x = 1, grid_y = 1, grid_z = 1;
  int threads = 32;
  int shared_bytes = 0;
  int architecture = 90;
  BlockOrder order = BlockOrder::forward;
};

struct Thread;
struct Warp;
struct Block;
struct PendingProducts;

/// What all lanes of a warp do together. The last lane to arrive runs `action` for all of them: `arguments[lane]` is
/// what that lane brought, on its own stack.
struct WarpFunction {
  const char* name;
  void (*action)(Warp& warp, void* const (&arguments)[kLanes]);
};

/// A thread of the block. One cache line is all that most functions touch.
struct alignas(64) Thread {
  int index = 0, lane = 0;
  Warp* warp = nullptr;
  Block* block = nullptr;
  uint32_t stamp = 0;  // see shared_bytes.h
  int line = 0;        // of the kernel's file, where it last asked the emulator for something
  const char* file = "";
  Fiber fiber;

  /// 16 bytes on their way to shared memory.
  struct PendingCopy {
    int offset;
    uint32_t group;
    alignas(16) unsigned char data[16];
  };
  std::vector<PendingCopy> copies;
  size_t copies_arrived = 0;        // at the front of `copies`
  uint32_t copy_group = 0;          // the one being filled
  uint16_t fences = 0, fenced = 0;  // fence_shared_for_wgmma: calls, and calls before the latest barrier
};

struct Warp {
  Block* block = nullptr;
  Thread* threads = nullptr;  // of its 32 lanes
  int index = 0;
  uint32_t ready = 0;        // lanes that can run
  uint32_t at_barrier = 0;   // lanes that wait for the block
  uint32_t finished = 0;     // lanes that left the kernel
  uint32_t at_function = 0;  // lanes that wait for the others of the warp
  const WarpFunction* function = nullptr;
  void* arguments[kLanes] = {};
  uint32_t warp_epoch = 0;
  std::shared_ptr<PendingProducts> products;  // see wgmma.h
};

/// What the processor would not do for a thread; see memory_faults.h.
struct Refusal {
  int signal = 0;  // 0: nothing was refused
  void* address = nullptr;
  bool is_alignment = false;
  Thread* thread = nullptr;
};

struct Block {
  const LaunchShape* shape = nullptr;
  int x = 0, y = 0, z = 0;
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  SharedBytes shared;
  Fiber scheduler;
  void (*body)(void*) = nullptr;
  void* body_data = nullptr;
  std::exception_ptr error;
  Refusal refusal;
  uint32_t epoch = 1;
};

/// The thread of the block that runs on this thread of the computer; null outside of kernels.
inline thread_local constinit Thread* current __attribute__((tls_model("initial-exec"))) = nullptr;

/// What a kernel did that a GPU would answer with a wrong number, a hang or an error.
enum class Fault {
  bounds,         // outside of a window, or a window outside of the launch's shared bytes
  alignment,      // 16 bytes that do not lie on 16
  uninitialised,  // shared memory that nobody wrote
  race,           // two threads, one of them writing, no barrier in between
  in_flight,      // a copy or a product that was not waited for
  barrier,        // threads of a block wait at different barriers, or some have left
  divergence,     // a function of the whole warp without the whole warp
  address,        // global memory that is not there
  undefined,      // what C++ and CUDA leave undefined
  architecture,   // an instruction that the pretended card does not have
  order,          // work of two streams, or of one and the host, that do not wait for each other
  fence,          // wgmma reads what ordinary stores wrote, without a fence
};

/// Thrown by a launch, with the kernel, block and thread in its sentence.
class Violation : public Error {
 public:
  Violation(Fault fault, std::string sentence)
      : Error("gpu.failed", std::move(sentence),
              "This is a mistake in the kernel or in who starts it; see docs/CUDA.md."),
        fault(fault) {}
  Fault fault;
};

/// Throws the Violation: "kernel NAME, block (x, y, z), thread i, after file:line: what".
[[noreturn]] void violation(const Thread& thread, Fault fault, const std::string& what);

/// Waits until all 32 lanes have called it with the same function.
void warp_together(const WarpFunction& function, void* arguments);
/// Within the action of a warp function: what the lanes did before is in order with what they do after.
void order_warp(Warp& warp);
/// Waits until all threads of the block have called it.
void block_together();

extern const WarpFunction kSyncWarp, kBallot;
/// What a lane brings to kBallot, and what it gets.
struct Ballot {
  bool predicate;
  uint32_t result;
};

/// Runs a launch: every block once, on the threads of the computer. Throws what the first failing block threw.
void run_grid(const LaunchShape& shape, void (*body)(void*), void* data);

}  // namespace rushes::cuda::emulator
