// Philox 4x32-10 and Box-Muller.
#include "samplers/noise.h"

#include <array>
#include <cmath>
#include <numbers>

namespace rushes {
namespace {

// Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011).
std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53} * counter[0], product1 = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key0, static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key1, static_cast<uint32_t>(product0)};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

}  // namespace

void philox_normal(uint64_t seed, uint32_t draw, std::span<float> out) {
  constexpr double kRange = 4294967296.0;
  const auto key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  for (size_t begin = 0; begin < out.size(); begin += 4) {
    const uint64_t group = begin / 4;
    const auto word = philox({static_cast<uint32_t>(group), static_cast<uint32_t>(group >> 32), draw, 0}, key0, key1);
    float lanes[4];
    for (int pair = 0; pair < 4; pair += 2) {
      // (u + 1) / 2^32 lies in (0, 1]: the logarithm is finite.
      const double radius = std::sqrt(-2.0 * std::log((word[pair] + 1.0) / kRange));
      const double angle = 2.0 * std::numbers::pi * word[pair + 1] / kRange;
      lanes[pair] = static_cast<float>(radius * std::cos(angle));
      lanes[pair + 1] = static_cast<float>(radius * std::sin(angle));
    }
    for (size_t lane = 0; lane < 4 && begin + lane < out.size(); ++lane) out[begin + lane] = lanes[lane];
  }
}

}  // namespace rushes
