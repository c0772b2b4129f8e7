// What the dense attention kernels of the cuda backend are given. Included by .cu files only.
#pragma once
#include <cstdint>

#include "cuda/attention_choice.h"
#include "cuda/host.h"

namespace rushes::cuda {

/// One call; everything lies in device memory. Elements of q, k and v are bf16 bits or f32 as the kernel says.
struct DenseCall {
  const void *q, *k, *v;  // [queries or keys, heads * head_size]
  void* out;              // [queries, heads * head_size], f32 or bf16
  const float* bias;      // [heads, queries + keys - 1] or null
  int64_t stride;         // elements from row to row: heads * head_size
  int heads, queries, keys, head_size;
  float factor;   // of a score: scale * log2(e), so that the softmax is made of powers of two
  bool out_bf16;  // else f32
};

/// attention_wide_cuda.cu: bf16, head sizes above 128.
void launch_wide_attention(StreamHandle stream, const AttentionChoice& choice, const DenseCall& call);
/// attention_f32_cuda.cu
void launch_f32_attention(StreamHandle stream, const AttentionChoice& choice, const DenseCall& call);

}  // namespace rushes::cuda
