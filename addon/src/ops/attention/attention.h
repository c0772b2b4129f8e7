// Attention: dense (flash-style, never an L x L matrix), and TurboDiffusion's sparse-linear attention (SLA, SageSLA).
#pragma once
#include "runtime/context.h"
#include "runtime/kernel.h"

namespace rushes {

enum class AttentionType { original, sla, sagesla };

/// out = softmax(scale * q k^T + bias) v for each head. q [Lq, heads * D], k and v [Lk, heads * D] f32 or bf16, all of
/// one type; out [Lq, heads * D] of that type or f32. D is 16..512, a multiple of 8 (Wan 128, umT5 64, VAE 64..384).
/// `relative_bias`, when given, is f32 [heads, Lq + Lk - 1]: the value for (query i, key j) is at index j - i + Lq - 1.
/// f32 input is computed in f32; bf16 input with bf16 products and f32 sums and softmax.
void dense_attention(const Context& context, const Tensor& q, const Tensor& k, const Tensor& v, int64_t heads,
                     float scale, const Tensor* relative_bias, Tensor& out);

/// Settings and weights of one SLA call.
struct SparseAttention {
  AttentionType type = AttentionType::sla;    // sla or sagesla
  double top_k = 0.1;                         // (0, 1]; blocks kept: max(1, int(top_k * ceil(L/64)))
  const Tensor* projection_weight = nullptr;  // proj_l, f32 [D, D]
  const Tensor* projection_bias = nullptr;    // f32 [D]
};

/// Intermediate results for tests; any may be null.
struct SparseAttentionParts {
  Tensor* sparse = nullptr;  // f32 [L, heads * D]
  Tensor* linear = nullptr;  // f32 [L, heads * D], after proj_l
  Tensor* chosen = nullptr;  // i32 [heads, query blocks, kept]: the key blocks of each query block, ascending
};

/// out = sparse + proj_l(linear) (thu-ml/TurboDiffusion:turbodiffusion/SLA/core.py). q, k after norm and RoPE.
/// Block selection: query blocks of 128, key blocks of 64, k smoothed by its mean, pooling and scores in f32.
/// Sparse: exact softmax over the chosen blocks, scale 1/sqrt(D); sagesla: int8 q (128 rows) and smoothed k (64 rows),
/// scale = max|x|/127 + 1e-7, q = trunc(x/scale + 0.5 sign x). Linear: phi = softmax over D, all keys,
/// phi(q) S / (1e-5 + phi(q) z), S and z in f32. Cost follows top_k.
void sparse_attention(const Context& context, const Tensor& q, const Tensor& k, const Tensor& v, int64_t heads,
                      const SparseAttention& settings, Tensor& out, const SparseAttentionParts& parts = {});

void append_attention_checks(const CpuFeatures& features, std::vector<KernelCheck>& checks);

}  // namespace rushes
