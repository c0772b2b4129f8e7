// Threads of a block as fibers of one thread of the computer: a stack each, and a switch between two of them that costs
// a few nanoseconds. Which fiber runs when is decided in block.cpp.
#pragma once
#include <cstddef>
#include <vector>

#if !(defined(__x86_64__) && defined(__linux__))
#include <ucontext.h>
#define RUSHES_FIBER_UCONTEXT
#endif

namespace rushes::cuda::emulator {

/// Where a fiber stopped. The fiber of the scheduler itself has no stack of its own.
struct Fiber {
#if defined(RUSHES_FIBER_UCONTEXT)
  ucontext_t context;
#else
  void* stack_pointer = nullptr;
#endif
  std::byte* stack = nullptr;  // lowest byte
  size_t stack_bytes = 0;
};

/// Leaves `from` and goes on with `to`; returns when something switches back to `from`.
void switch_fiber(Fiber& from, Fiber& to);

/// The scheduler's fiber: the thread of the computer itself, with its own stack.
void use_own_stack(Fiber& fiber);
/// The first thing that an entry calls.
void arrive_on_fiber();

/// Makes the next switch to `fiber` call `entry`, which must never return. What ran on its stack before is forgotten
/// without destructors.
void start_fiber(Fiber& fiber, void (*entry)());

/// Stacks of one thread of the computer, kept for its next blocks. Below each lies a page that may not be touched.
class FiberStacks {
 public:
  FiberStacks() = default;
  ~FiberStacks();
  FiberStacks(const FiberStacks&) = delete;
  FiberStacks& operator=(const FiberStacks&) = delete;
  /// Gives the fiber the stack of this number (0, 1, ...).
  void assign(Fiber& fiber, size_t number);

 private:
  std::vector<std::byte*> mappings_;
};

}  // namespace rushes::cuda::emulator
