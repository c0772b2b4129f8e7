// The contexts in which kernel checks run an entry: with exactly its instructions, or on a card that can run it.
#pragma once
#include "runtime/kernel.h"

namespace rushes::check {

/// True when the entry can be checked here: this CPU has its instructions, or a card (or the emulator's) can run it.
bool can_check(const KernelInfo& info, const CpuFeatures& features);

/// A context in which the operation's table yields exactly this kernel or a plainer one. For an entry of Backend::cuda
/// the context's device is the first card that can run it, opened once per process: inputs go there by to_device
/// (runtime/transfer.h), and check::relative_error reads results where they lie. Throws gpu.unavailable when there is
/// none.
Context context_for(const KernelInfo& info, int threads, DType compute = DType::f32);

}  // namespace rushes::check
