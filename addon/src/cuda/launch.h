// Starting a kernel: the same call under nvcc and on the emulator. Included by .cu files only.
#pragma once
#include "cuda/device.h"
#include "cuda/launch_errors.h"

namespace rushes::cuda {

/// Starts `kernel` on `grid` blocks of `threads` threads with `shared_bytes` of shared memory each, in the order of the
/// stream (Device::stream), and returns at once. `name` says in errors what failed. Throws what require() makes of the
/// code when it cannot be started; what goes wrong while it runs is thrown by the next Device call that waits.
template <class... Parameters, class... Arguments>
void launch(StreamHandle stream, const char* name, void (*kernel)(Parameters...), Grid grid, int threads,
            int shared_bytes, Arguments... arguments);

/// A call as its kernel is given it: addresses of the host's memory stay there, also where no kernel would look at
/// them.
template <class Call>
Call without_device(Call call) {
  call.device = nullptr;
  return call;
}

}  // namespace rushes::cuda

#if defined(RUSHES_CUDA_EMULATOR)
#include "cuda/emulator/launch_emulator.h"
#else
#include "cuda/launch_cuda.h"
#endif
