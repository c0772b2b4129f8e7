// Counter-based normal noise: the same seed gives the same bits on every backend, compiler and thread count.
#pragma once
#include <cstdint>

#include "runtime/context.h"
#include "runtime/kernel.h"

namespace rushes {

/// Standard normal float32. Element e is lane e % 4 of Philox 4x32-10 (Salmon, Moraes, Dror and Shaw 2011, "Parallel
/// random numbers: as easy as 1, 2, 3") at counter (e/4 low, e/4 high, draw, 0) with key (seed low, seed high); lanes
/// 0, 1 and 2, 3 are Box-Muller pairs computed in float64 and rounded once. `out` f32 of any shape, on the context's
/// device.
void normal_noise(const Context& context, uint64_t seed, uint32_t draw, Tensor& out);

void append_noise_checks(const CpuFeatures& features, std::vector<KernelCheck>& checks);

}  // namespace rushes
