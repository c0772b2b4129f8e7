// The stages of sparse attention on the GPU, as the .cu files that hold their kernels offer them to
// attention_sparse_cuda.cu. Arrays lie in device memory; P is the padded head size.
#pragma once
#include <cstdint>

#include "cuda/host.h"
#include "ops/attention/attention_sparse_choice.h"

namespace rushes::attention {

/// Sizes of one call.
struct SparseSizes {
  int length, heads, head_size, padded;
  int key_blocks, query_blocks, kept;
  int chunk_blocks, chunks;
  int stride;  // elements from one token to the next: heads * head_size
};

/// The scratch of one call; what a form does not need is null.
struct SparseScratch {
  float* block_sums;    // [heads, key blocks, head size]: sums of the keys of a block, in ascending order
  float* partial;       // [heads, chunks, P, P]: phi(k)^T v of a chunk
  float* partial_sum;   // [heads, chunks, P]: phi(k) summed over a chunk
  float* value_range;   // [heads, chunks, 2, P]: least and largest value of a chunk
  float* mean;          // [heads, head size] of the keys
  float* feature_sum;   // [heads, P]: z
  float* value_shift;   // [heads, P]: values are stored as (v - shift) / scale
  float* value_scale;   // [heads, P]
  void* state;          // [heads, P, P]: S W^T, bf16 for tensor cores, else f32
  int32_t* chosen;      // [heads, query blocks, kept], ascending
  int8_t* keys;         // [heads, key blocks, 64, P] int8
  float* key_scales;    // [heads, key blocks]
  void* values;         // int8_f16: f16 [heads, key blocks, 64, P]; int8_e4m3: e4m3 [heads, key blocks, P, 64]
  int8_t* queries;      // [heads, query blocks, 128, P] int8; fma only
  float* query_scales;  // [heads, query blocks]; fma only
  float* key_rows;      // [heads, length, 2]: phi(k) = exp2(k log2 e - first) * second; fma only
  float* query_rows;    // the same with second divided by 1e-5 + phi(q) z; fma only
};

/// Where attention's result goes; the parts may be null.
struct SparseOutput {
  void* out;
  bool bf16;
  float *sparse, *linear;
  const float* bias;  // of proj_l [head size]
};

/// The largest magnitude that values are scaled to: e4m3 holds 448; f16 values stay where all of their bits count.
inline constexpr float kE4m3Limit = 448.0f, kF16Limit = 1024.0f;

// attention_sparse_selection_cuda.cu
/// mean, feature_sum and, when value_limit is not 0, value_shift and value_scale.
void finish_key_sums(cuda::StreamHandle stream, const SparseSizes& sizes, const SparseScratch& scratch,
                     float value_limit);
/// chosen, from q (bf16 or f32), block_sums and mean: pooling, scores and top-k, in f32 and in block_selection.h's
/// order.
void choose_key_blocks(cuda::StreamHandle stream, const SparseSizes& sizes, const SparseScratch& scratch, const void* q,
                       bool bf16, int tile);

// attention_sparse_branch_cuda.cu
/// block_sums, partial, partial_sum and, when value_range is not null, that, in one pass over bf16 k and v.
void sum_keys(cuda::StreamHandle stream, const SparseSizes& sizes, const SparseScratch& scratch, const void* k,
              const void* v);
/// state = (sum of partial) weight^T; weight f32 [head size, head size].
void fold_projection(cuda::StreamHandle stream, const SparseSizes& sizes, const SparseScratch& scratch,
                     const float* weight, bool bf16);

// attention_sparse_quantize_cuda.cu
/// keys and key_scales from k minus its mean; queries and query_scales from q when those are not null.
void quantize_blocks(cuda::StreamHandle stream, const SparseSizes& sizes, const SparseScratch& scratch, const void* q,
                     const void* k, bool bf16);
/// values from bf16 v.
void convert_values(cuda::StreamHandle stream, const SparseSizes& sizes, const SparseScratch& scratch, const void* v,
                    bool e4m3);

// attention_sparse_bf16_cuda.cu, attention_sparse_int8_cuda.cu
/// The chosen blocks on tensor cores, with the linear branch added: bf16, or int8 scores with f16 or e4m3 values.
/// `scale` is that of q k^T.
void attend_chosen_bf16(cuda::StreamHandle stream, const SparseSizes& sizes, const SparseScratch& scratch,
                        const SparseCudaChoice& choice, const void* q, const void* k, const void* v, float scale,
                        const SparseOutput& output);
void attend_chosen_int8(cuda::StreamHandle stream, const SparseSizes& sizes, const SparseScratch& scratch,
                        const SparseCudaChoice& choice, const void* q, float scale, const SparseOutput& output);

// attention_sparse_fma_cuda.cu
/// key_rows (of k) or query_rows (of q).
void feature_rows(cuda::StreamHandle stream, const SparseSizes& sizes, const SparseScratch& scratch, const void* x,
                  bool bf16, bool queries);
/// What sum_keys does, for any head size and type, from key_rows.
void sum_keys_fma(cuda::StreamHandle stream, const SparseSizes& sizes, const SparseScratch& scratch, const void* k,
                  const void* v, bool bf16);
/// What attend_chosen does; int8 scores when scratch.keys is not null.
void attend_chosen_fma(cuda::StreamHandle stream, const SparseSizes& sizes, const SparseScratch& scratch, const void* q,
                       const void* k, const void* v, bool bf16, float scale, const SparseOutput& output);

}  // namespace rushes::attention
