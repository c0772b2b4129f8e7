#include "cuda/emulator/memory_faults.h"

#include <signal.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "cuda/emulator/device_memory.h"

namespace rushes::cuda::emulator {
namespace {

constexpr std::array<int, 4> kSignals = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
constexpr size_t kSignalStackBytes = 64 << 10;

struct Installed {
  std::mutex mutex;
  int users = 0;
  std::array<struct sigaction, kSignals.size()> previous{};
};
Installed& installed() {
  static Installed installed;
  return installed;
}

// Runs on the signal stack of the thread whose kernel was refused, and leaves it for the scheduler's.
void handle(int signal, siginfo_t* info, void*) {
  Thread* const thread = current;
  if (!thread) {  // not a kernel: as if there were no handler of ours, at the next try
    for (size_t i = 0; i < kSignals.size(); ++i)
      if (kSignals[i] == signal) sigaction(signal, &installed().previous[i], nullptr);
    return;
  }
  thread->block->refusal = {signal, info->si_addr, info->si_code == SI_KERNEL, thread};
  current = nullptr;
  switch_fiber(thread->fiber, thread->block->scheduler);
}

}  // namespace

FaultHandlers::FaultHandlers() {
  Installed& state = installed();
  std::lock_guard lock(state.mutex);
  if (state.users++) return;
  struct sigaction action = {};
  action.sa_sigaction = handle;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;  // the handler never returns to unblock its signal
  for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &action, &state.previous[i]);
}

FaultHandlers::~FaultHandlers() {
  Installed& state = installed();
  std::lock_guard lock(state.mutex);
  if (--state.users) return;
  for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &state.previous[i], nullptr);
}

SignalStack::SignalStack() : stack_(std::malloc(kSignalStackBytes)) {
  stack_t own = {}, previous = {};
  own.ss_sp = stack_;
  own.ss_size = kSignalStackBytes;
  sigaltstack(&own, &previous);
  previous_stack_ = previous.ss_sp;
  previous_bytes_ = previous.ss_size;
  previous_flags_ = previous.ss_flags;
}

SignalStack::~SignalStack() {
  stack_t previous = {};
  previous.ss_sp = previous_stack_;
  previous.ss_size = previous_bytes_;
  previous.ss_flags = previous_flags_;
  sigaltstack(&previous, nullptr);
  std::free(stack_);
}

void throw_refusal(const Thread& thread, const Refusal& refusal) {
  const auto* const address = static_cast<const std::byte*>(refusal.address);
  const DeviceMemory& memory = DeviceMemory::instance();
  char text[32];
  std::snprintf(text, sizeof text, "%p", refusal.address);
  if (refusal.signal == SIGFPE) violation(thread, Fault::undefined, "divides an integer by zero");
  if (refusal.signal == SIGILL)
    violation(thread, Fault::undefined,
              "moves more bytes at once than their address allows, or indexes an array of registers beyond its end");
  if (refusal.is_alignment)
    violation(thread, Fault::alignment, "moves 16 bytes of global memory at once that do not lie on 16");
  if (memory.is_device_address(address))
    violation(thread, Fault::address, "touches global memory that is not there: " + memory.describe(address));
  if (address < thread.fiber.stack && address >= thread.fiber.stack - 4096)
    violation(thread, Fault::address,
              "has used up its stack of " + std::to_string(thread.fiber.stack_bytes) + " bytes");
  violation(thread, Fault::address, std::string("touches address ") + text + ", which is not device memory");
}

}  // namespace rushes::cuda::emulator
