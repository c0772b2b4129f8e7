// What the kernels of sparse attention share: rows of bf16 or f32 in global memory as floats, places in swizzled shared
// tiles, reductions over a warp.
#pragma once
#include "cuda/device.h"

namespace rushes::attention {

constexpr int kBlockKeys = 64, kBlockQueries = 128;  // kPanelKeys and kQueryRows
constexpr float kLog2E = 1.4426950408889634f;
constexpr uint32_t kMinusInfinityBits = 0xff800000u;

/// Eight consecutive elements of a row (16-byte aligned) as floats; Element is uint16_t (bf16) or float.
RUSHES_DEVICE void load_eight(const uint16_t* from, float (&out)[8]) {
  const cuda::Words4 words = *reinterpret_cast<const cuda::Words4*>(from);
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    out[2 * i] = cuda::bf16_low(words.word[i]);
    out[2 * i + 1] = cuda::bf16_high(words.word[i]);
  }
}
RUSHES_DEVICE void load_eight(const float* from, float (&out)[8]) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const cuda::Words4 words = reinterpret_cast<const cuda::Words4*>(from)[half];
#pragma unroll
    for (int i = 0; i < 4; ++i) out[4 * half + i] = cuda::bits_float(words.word[i]);
  }
}
RUSHES_DEVICE float load_one(const uint16_t* from) { return cuda::from_bf16(*from); }
RUSHES_DEVICE float load_one(const float* from) { return *from; }
RUSHES_DEVICE float load_one(const int8_t* from) { return static_cast<float>(*from); }

/// The place of 16-byte chunk `chunk` of row `row` in a shared tile whose rows take kRowBytes (64, 128, 256), in chunks
/// from its start: eight rows' equal chunks lie in eight different groups of banks, so that load_matrix has no
/// conflicts.
template <int kRowBytes>
RUSHES_DEVICE int tile_chunk(int row, int chunk) {
  static_assert(kRowBytes == 64 || kRowBytes == 128 || kRowBytes == 256);
  const int turn = kRowBytes == 64 ? (row >> 1) & 3 : row & 7;
  return row * (kRowBytes / 16) + (chunk ^ turn);
}

RUSHES_DEVICE float larger(float a, float b) { return a > b ? a : b; }
RUSHES_DEVICE int smaller(int a, int b) { return a < b ? a : b; }

RUSHES_DEVICE float warp_sum(float value) {
#pragma unroll
  for (int mask = 16; mask > 0; mask >>= 1) value = cuda::add(value, cuda::shuffle_xor(value, mask));
  return value;
}
RUSHES_DEVICE float warp_largest(float value) {
#pragma unroll
  for (int mask = 16; mask > 0; mask >>= 1) value = larger(value, cuda::shuffle_xor(value, mask));
  return value;
}

}  // namespace rushes::attention
