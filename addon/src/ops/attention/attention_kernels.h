// What the kernels of attention are given, and the tables they are listed in. Not for models: they use attention.h.
#pragma once
#include <vector>

#include "ops/attention/attention.h"
#include "ops/attention/block_math.h"

namespace rushes::attention {

/// A checked call of dense_attention.
struct DenseProblem {
  const Tensor &q, &k, &v;
  int64_t heads, head_size, queries, keys;
  float scale;
  const Tensor* relative_bias;
  Tensor& out;
};

/// A checked call of sparse_attention.
struct SparseProblem {
  const Tensor &q, &k, &v;
  int64_t heads, head_size, length;
  const SparseAttention& settings;
  Tensor& out;
  const SparseAttentionParts& parts;
};

/// Kernels allocate their scratch from the context, then return when it is a dry run.
using DenseFunction = void (*)(const Context&, const DenseProblem&);
using SparseFunction = void (*)(const Context&, const SparseProblem&);

/// All kernels for input of this type, from the plainest to the most special.
const std::vector<Kernel<DenseFunction>>& dense_kernels(DType input);
const std::vector<Kernel<SparseFunction>>& sparse_kernels(DType input, AttentionType type);

void dense_reference(const Context& context, const DenseProblem& problem);
void sparse_reference(const Context& context, const SparseProblem& problem);

/// The block operations one cpu kernel is made of.
struct CpuMath {
  const BlockMath& packed;  // scores, values and the keys' side of the linear branch
  const BlockMath& f32;     // the queries' side of the linear branch; the same for f32 kernels
  const Int8Math& int8;     // scores of sagesla
};
void dense_cpu(const Context& context, const DenseProblem& problem, const CpuMath& math);
void sparse_cpu(const Context& context, const SparseProblem& problem, const CpuMath& math);

}  // namespace rushes::attention
