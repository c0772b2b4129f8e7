// Which key blocks each query block of SLA keeps. Shared by the reference and the cpu kernels, always in f32 and in the
// order of summation stated here, so that every kernel and every machine keeps the same blocks for the same input.
#pragma once
#include <cstdint>

namespace rushes::attention {

/// max(1, int(top_k * ceil(length / 64))), at most the number of key blocks.
int64_t kept_blocks(double top_k, int64_t length);

/// sum[c] = x[0, c] + x[1, c] + ... in f32, row by row. x has `stride` floats a row.
void sum_rows(const float* x, int64_t stride, int64_t rows, int64_t columns, float* sum);

/// mean[c] = (sums[0, c] + sums[1, c] + ...) / length: the block sums of sum_rows, added in f64 in ascending order and
/// rounded once. sums [blocks, columns].
void mean_of_blocks(const float* sums, int64_t blocks, int64_t columns, int64_t length, float* mean);

/// Block means of the smoothed keys, turned for block_scores: pooled[c, b] = sums[b, c] / count(b) - mean[c], where
/// count is the block's true length.
void pool_keys(const float* sums, const float* mean, int64_t blocks, int64_t columns, int64_t length, float* pooled);

/// scores[b] = query[0] * pooled[0, b] + query[1] * pooled[1, b] + ... in f32, product and sum rounded one after the
/// other. query is the query block's mean [columns].
void block_scores(const float* query, const float* pooled, int64_t blocks, int64_t columns, float* scores);

/// The `kept` best blocks, ascending, in chosen[0..kept). Of equal scores the lower block wins; NaN counts as the
/// lowest. chosen has room for all blocks; scores are overwritten.
void choose_blocks(float* scores, int64_t blocks, int64_t kept, int32_t* chosen);

}  // namespace rushes::attention
