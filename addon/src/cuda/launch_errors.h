// What a code of host.h means: shared by kernels' launching code (launch.h) and by the device (cuda_device.cpp).
#pragma once
#include "cuda/host.h"

namespace rushes::cuda {

/// Throws the Error of a code that is not zero: memory.exhausted, gpu.lost (the context is gone: ECC, illegal address,
/// reset), gpu.no_kernel (no image for this card), gpu.driver (too old, not there), gpu.failed (anything else). `doing`
/// completes "The graphics card failed while ...".
void require(Code code, const char* doing);

/// True when the code means that the card's context is gone and nothing can be done in it any more.
bool is_lost(Code code);

}  // namespace rushes::cuda
