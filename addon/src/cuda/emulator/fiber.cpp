#include "cuda/emulator/fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <pthread.h>
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#if !defined(RUSHES_FIBER_UCONTEXT)
// The registers that a function must keep (System V), then the stack. Floating-point modes are the same everywhere.
asm(R"(
.text
.p2align 4
.globl rushes_switch_stack
.hidden rushes_switch_stack
.type rushes_switch_stack, @function
rushes_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size rushes_switch_stack, .-rushes_switch_stack
)");
extern "C" void rushes_switch_stack(void** save, void* to);
#endif

namespace rushes::cuda::emulator {
namespace {

constexpr size_t kPage = 4096;
#if defined(__SANITIZE_ADDRESS__)
constexpr size_t kStackBytes = 256 << 10;
#else
constexpr size_t kStackBytes = 128 << 10;
#endif
// Stacks a power of two apart would share the same few lines of every cache.
constexpr size_t kDistance = kStackBytes + 3 * kPage, kStacksPerMapping = 32;

// A fiber that stopped for good leaves the marks of its frames behind: nothing returned from them.
void forget_frames([[maybe_unused]] std::byte* stack, [[maybe_unused]] size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(stack, bytes);
#endif
}

}  // namespace

void switch_fiber(Fiber& from, Fiber& to) {
#if defined(__SANITIZE_ADDRESS__)
  void* shadow_stack = nullptr;
  __sanitizer_start_switch_fiber(&shadow_stack, to.stack, to.stack_bytes);
#endif
#if defined(RUSHES_FIBER_UCONTEXT)
  swapcontext(&from.context, &to.context);
#else
  rushes_switch_stack(&from.stack_pointer, to.stack_pointer);
#endif
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(shadow_stack, nullptr, nullptr);
#endif
}

// Only AddressSanitizer wants to know about stacks.
void use_own_stack([[maybe_unused]] Fiber& fiber) {
#if defined(__SANITIZE_ADDRESS__)
  pthread_attr_t attributes;
  void* lowest = nullptr;
  pthread_getattr_np(pthread_self(), &attributes);
  pthread_attr_getstack(&attributes, &lowest, &fiber.stack_bytes);
  pthread_attr_destroy(&attributes);
  fiber.stack = static_cast<std::byte*>(lowest);
#endif
}

void arrive_on_fiber() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
}

void start_fiber(Fiber& fiber, void (*entry)()) {
  forget_frames(fiber.stack, fiber.stack_bytes);
#if defined(RUSHES_FIBER_UCONTEXT)
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = fiber.stack;
  fiber.context.uc_stack.ss_size = fiber.stack_bytes;
  fiber.context.uc_link = nullptr;
  makecontext(&fiber.context, entry, 0);
#else
  // What the switch pops: six registers, then `entry` as the place to return to, with an empty caller above it. At
  // entry the stack is 8 bytes off a multiple of 16, as after a call.
  auto top = reinterpret_cast<uintptr_t>(fiber.stack + fiber.stack_bytes) & ~uintptr_t{15};
  auto* words = reinterpret_cast<void**>(top) - 8;
  for (int i = 0; i < 8; ++i) words[i] = nullptr;
  words[6] = reinterpret_cast<void*>(entry);
  fiber.stack_pointer = words;
#endif
}

FiberStacks::~FiberStacks() {
  for (std::byte* mapping : mappings_) {
    forget_frames(mapping, kDistance * kStacksPerMapping);
    munmap(mapping, kDistance * kStacksPerMapping);
  }
}

void FiberStacks::assign(Fiber& fiber, size_t number) {
  while (mappings_.size() * kStacksPerMapping <= number) {
    void* mapping = mmap(nullptr, kDistance * kStacksPerMapping, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED) throw std::bad_alloc();
    mappings_.push_back(static_cast<std::byte*>(mapping));
    for (size_t i = 0; i < kStacksPerMapping; ++i) mprotect(mappings_.back() + i * kDistance, kPage, PROT_NONE);
  }
  fiber.stack = mappings_[number / kStacksPerMapping] + number % kStacksPerMapping * kDistance + kPage;
  // Each begins some lines further down than the one before, for the caches again.
  fiber.stack_bytes = kStackBytes + 2 * kPage - number * 11 % 64 * 64;
}

}  // namespace rushes::cuda::emulator
