// The samplers' noise in host memory: the same seed gives the same numbers on every backend and thread count.
#pragma once
#include <cstdint>
#include <span>

#include "runtime/context.h"

namespace rushes {

/// Standard normal float32 as ops/noise/noise.h defines it, made by this thread.
void philox_normal(uint64_t seed, uint32_t draw, std::span<float> out);
/// The same numbers, made by the context's threads or device. Memory of `out`'s size is taken on a device meanwhile.
void philox_normal(const Context& context, uint64_t seed, uint32_t draw, std::span<float> out);

}  // namespace rushes
