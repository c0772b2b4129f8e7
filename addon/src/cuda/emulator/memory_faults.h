// What the processor refuses while a kernel runs (an address that is not there, a trap) ends that kernel with a
// Violation instead of the program.
#pragma once
#include <string>

#include "cuda/emulator/block.h"

namespace rushes::cuda::emulator {

/// While one lives, signals of running kernels go to their scheduler, with Block::refusal set; others go where they
/// went.
class FaultHandlers {
 public:
  FaultHandlers();
  ~FaultHandlers();
  FaultHandlers(const FaultHandlers&) = delete;
  FaultHandlers& operator=(const FaultHandlers&) = delete;
};

/// A stack for signals of this thread of the computer, for kernels that used up theirs.
class SignalStack {
 public:
  SignalStack();
  ~SignalStack();
  SignalStack(const SignalStack&) = delete;
  SignalStack& operator=(const SignalStack&) = delete;

 private:
  void* stack_;
  void* previous_stack_;
  size_t previous_bytes_;
  int previous_flags_;
};

/// Throws the Violation for what the thread did.
[[noreturn]] void throw_refusal(const Thread& thread, const Refusal& refusal);

}  // namespace rushes::cuda::emulator
