// Starting a kernel: the same call under nvcc and on the emulator. Included by .cu files only.
#pragma once
#include "cuda/device.h"
#include "cuda/host.h"

namespace rushes::cuda {

/// Starts `kernel` on `grid` blocks of `threads` threads with `shared_bytes` of shared memory each, in the order of the
/// stream, and returns at once. `name` says in errors what failed. Throws Error gpu.launch (or what code_error makes of
/// the code) when it cannot be started; what goes wrong while it runs is thrown by the next Device call that waits.
template <class... Parameters, class... Arguments>
void launch(StreamHandle stream, const char* name, void (*kernel)(Parameters...), Grid grid, int threads,
            int shared_bytes, Arguments... arguments);

/// Throws the Error of a code that is not zero: memory.exhausted, gpu.lost (the context is gone: ECC, illegal address,
/// reset), gpu.no_kernel (no image for this card), gpu.driver (too old, not there), gpu.failed (anything else). `doing`
/// completes "The GPU failed while ...".
void require(Code code, const char* doing);

}  // namespace rushes::cuda

#if defined(RUSHES_CUDA_EMULATOR)
#include "cuda/emulator/launch_emulator.h"
#else
#include "cuda/launch_cuda.h"
#endif
