// Counter-based normal noise: the same seed gives the same numbers on every backend and thread count.
#pragma once
#include <cstdint>
#include <span>

namespace rushes {

/// Standard normal float32. Element e is lane e % 4 of Philox 4x32-10 (Salmon et al. 2011) at counter
/// (e/4 low, e/4 high, draw, 0) with key (seed low, seed high); lanes 0,1 and 2,3 are Box-Muller pairs in float64.
void philox_normal(uint64_t seed, uint32_t draw, std::span<float> out);

}  // namespace rushes
