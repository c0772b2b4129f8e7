// The calls and tables of the patch operations.
#pragma once
#include <vector>

#include "ops/patches/patches.h"

namespace rushes {

/// Every cell moves once, to or from the tokens.
struct PatchCall {
  float* latents = nullptr;  // [channels, cells of grid]
  void* tokens = nullptr;    // [grid.count(), 4 channels]
  bool tokens_bf16 = false;  // f32 else; patches_of only
  int64_t channels = 0;
  TokenGrid grid;
  int threads = 1;
  Device* device = nullptr;  // of a cuda kernel
};
using PatchFunction = void (*)(const PatchCall& call);

const std::vector<Kernel<PatchFunction>>& patches_of_kernels();
const std::vector<Kernel<PatchFunction>>& latents_of_kernels();

}  // namespace rushes
