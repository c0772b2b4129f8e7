// The call and the table of the noise operation.
#pragma once
#include <cstdint>
#include <vector>

#include "runtime/kernel.h"

namespace rushes {

struct NoiseCall {
  uint64_t seed = 0;
  uint32_t draw = 0;
  float* out = nullptr;
  int64_t count = 0;
  int threads = 1;
  Device* device = nullptr;  // of a cuda kernel
};
using NoiseFunction = void (*)(const NoiseCall& call);

const std::vector<Kernel<NoiseFunction>>& noise_kernels();

}  // namespace rushes
