// T5's relative position buckets and the attention bias they select.
#pragma once
#include "runtime/context.h"
#include "runtime/tensor.h"

namespace rushes {

/// The bucket of a key at distance `offset` = key - query: half of them for keys after the query; small distances have
/// their own, larger ones share buckets of logarithmic width up to 128 (Raffel et al. 2020;
/// Wan-Video/Wan2.1:wan/modules/t5.py).
int64_t relative_position_bucket(int64_t offset, int64_t buckets);

/// out[h, offset + length - 1] = table[bucket(offset), h] for offset in -(length-1) .. length-1, as dense_attention
/// takes it. table f32 [buckets, heads], out f32 [heads, 2 * length - 1].
void relative_position_bias(const Context& context, const Tensor& table, int64_t length, Tensor& out);

}  // namespace rushes
