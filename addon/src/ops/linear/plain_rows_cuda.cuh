// Reading rows of f32 or bf16 as floats, of any length and alignment.
#pragma once
#include "cuda/device.h"
#include "ops/linear/product_cuda.h"

namespace rushes::cuda {

/// Elements of rows that lie `stride` elements apart; `in_fours`: every row begins at a multiple of four elements'
/// bytes.
struct PlainRows {
  const void* from;
  int64_t stride;
  int depth;
  bool is_bf16, in_fours, round;

  RUSHES_DEVICE float rounded(float value) const { return round ? from_bf16(to_bf16(value)) : value; }
  RUSHES_DEVICE float one(int64_t row, int k) const {
    const int64_t at = row * stride + k;
    return is_bf16 ? from_bf16(static_cast<const uint16_t*>(from)[at]) : rounded(static_cast<const float*>(from)[at]);
  }
  /// Elements k .. k + 3, k a multiple of 4; zeros beyond the depth.
  RUSHES_DEVICE void four(int64_t row, int k, float (&to)[4]) const {
    const int64_t at = row * stride + k;
    if (in_fours && k + 4 <= depth) {
      if (is_bf16) {
        const Words2 pairs = *reinterpret_cast<const Words2*>(static_cast<const uint16_t*>(from) + at);
        to[0] = bf16_low(pairs.word[0]);
        to[1] = bf16_high(pairs.word[0]);
        to[2] = bf16_low(pairs.word[1]);
        to[3] = bf16_high(pairs.word[1]);
      } else {
        const Words4 words = *reinterpret_cast<const Words4*>(static_cast<const float*>(from) + at);
#pragma unroll
        for (int i = 0; i < 4; ++i) to[i] = rounded(bits_float(words.word[i]));
      }
      return;
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) to[i] = k + i < depth ? one(row, k + i) : 0.0f;
  }
};

RUSHES_DEVICE PlainRows plain_x(const PlainOperands& o) {
  return {o.x, o.x_stride, o.depth, o.x_is_bf16 != 0, o.x_in_fours != 0, o.round_x != 0};
}
RUSHES_DEVICE PlainRows plain_weights(const PlainOperands& o) {
  return {o.weights, o.weight_stride, o.depth, o.weight_is_bf16 != 0, o.weight_in_fours != 0, false};
}

}  // namespace rushes::cuda
