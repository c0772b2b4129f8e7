// How a tensor core adds: the products of a block of depth and the sum so far are cut off at a place below the largest
// of them, added without rounding, and the result is cut off to its format (Fasi et al. 2021, "Numerical behavior of
// NVIDIA tensor cores"; Khattak and Mikaitis 2025, "Accurate Models of NVIDIA Tensor Cores"; SageAttention2, arXiv
// 2411.10958).
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>

namespace rushes::cuda::emulator {

/// Depth of a block, and bits kept below the first one of its largest number.
struct TensorCoreBlock {
  int terms, bits;
};
/// mma.sync of bf16 and f16 as on Ampere, whose blocks are the shortest; wgmma; e4m3 of Ada and Hopper.
inline constexpr TensorCoreBlock kWarpBlock = {8, 24}, kGroupBlock = {16, 25}, kE4m3Block = {16, 13};

/// sums[0 .. 8) += a[0 .. kBlock.terms) times the rows of b, which lie `stride` apart. Within TensorCoreRounding; not
/// inlined, since the compiler knows no rounding.
template <TensorCoreBlock kBlock>
[[gnu::noinline]] void add_block(const float* a, const float* b, int stride, float* sums) {
  constexpr int kTerms = kBlock.terms, kColumns = 8;
  float terms[kTerms + 1][kColumns];
  uint32_t largest[kColumns] = {};
  for (int column = 0; column < kColumns; ++column) terms[kTerms][column] = sums[column];
  for (int k = 0; k < kTerms; ++k)
    for (int column = 0; column < kColumns; ++column) terms[k][column] = a[k] * b[k * stride + column];
  for (const auto& row : terms)
    for (int column = 0; column < kColumns; ++column)
      largest[column] = std::max(largest[column], std::bit_cast<uint32_t>(row[column]) & 0x7fffffffu);
  int32_t totals[kColumns] = {};
  float to_units[kColumns], units[kColumns];
  bool is_ordinary = true;
  for (int column = 0; column < kColumns; ++column) {
    const uint32_t exponent = largest[column] ? largest[column] >> 23 : 127u;
    is_ordinary = is_ordinary && exponent > kBlock.bits && exponent < 255;
    to_units[column] = std::bit_cast<float>((254u + kBlock.bits - exponent) << 23);
    units[column] = std::bit_cast<float>((exponent - kBlock.bits) << 23);
  }
  if (!is_ordinary) {  // infinities, NaN, and what is nearly nothing
    for (int k = 0; k < kTerms; ++k)
      for (int column = 0; column < kColumns; ++column) sums[column] += terms[k][column];
    return;
  }
  for (const auto& row : terms)
    for (int column = 0; column < kColumns; ++column)
      totals[column] += static_cast<int32_t>(row[column] * to_units[column]);
  for (int column = 0; column < kColumns; ++column) sums[column] = static_cast<float>(totals[column]) * units[column];
}

}  // namespace rushes::cuda::emulator
