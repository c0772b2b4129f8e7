// The public door of attention: shape checks, work count and the choice of a kernel.
#include "ops/attention/attention.h"

#include <algorithm>
#include <cmath>

#include "ops/attention/attention_kernels.h"
#include "ops/attention/block_selection.h"

namespace rushes {
namespace attention {
namespace {

void require(bool holds, const std::string& what) {
  if (!holds) throw Error("engine.internal", "Attention was called with tensors that do not fit together.", {}, what);
}

void check_tensors(const Tensor& q, const Tensor& k, const Tensor& v, int64_t heads, const Tensor& out) {
  const std::string shapes = "q " + shape_text(q.shape()) + " k " + shape_text(k.shape()) + " v " +
                             shape_text(v.shape()) + " out " + shape_text(out.shape()) + " heads " +
                             std::to_string(heads);
  require(q.rank() == 2 && k.rank() == 2 && k.shape() == v.shape() && q.shape() == out.shape() &&
              q.size(1) == k.size(1) && q.size(0) > 0 && k.size(0) > 0 && heads > 0 && q.size(1) % heads == 0,
          shapes);
  const int64_t head_size = q.size(1) / heads;
  require(head_size >= 16 && head_size <= kLargestHead && head_size % 8 == 0, shapes);
  require((q.type() == DType::f32 || q.type() == DType::bf16) && k.type() == q.type() && v.type() == q.type() &&
              (out.type() == q.type() || out.type() == DType::f32),
          "q " + std::string(dtype_name(q.type())) + " k " + std::string(dtype_name(k.type())) + " v " +
              std::string(dtype_name(v.type())) + " out " + std::string(dtype_name(out.type())));
}

double& product_count(WorkCount& work, DType type) { return type == DType::bf16 ? work.bf16_ops : work.f32_ops; }

void count_sparse(WorkCount& work, const SparseProblem& problem) {
  const auto length = static_cast<double>(problem.length), size = static_cast<double>(problem.head_size),
             heads = static_cast<double>(problem.heads);
  const double kept =
      static_cast<double>(std::min(problem.length, kept_blocks(problem.settings.top_k, problem.length) * kPanelKeys));
  const double one_product = 2 * heads * length * kept * size, features = 2 * heads * length * size * size;
  const double blocks = std::ceil(length / kPanelKeys), query_blocks = std::ceil(length / kQueryRows);
  const bool sage = problem.settings.type == AttentionType::sagesla;
  (sage ? work.int8_ops : product_count(work, problem.q.type())) += one_product;
  product_count(work, problem.q.type()) += one_product + features;
  work.f32_ops += features + 2 * heads * size * size * size + 2 * heads * blocks * query_blocks * size;
  const bool bf16 = problem.q.type() == DType::bf16;
  work.of(sage   ? (bf16 ? Effort::sagesla_bf16 : Effort::sagesla_f32)
          : bf16 ? Effort::sla_bf16
                 : Effort::sla_f32) += 2 * one_product;
  work.of(bf16 ? Effort::branch_bf16 : Effort::branch_f32) += heads * length * size;
  // q is read once; k for its mean and for packing; v for packing; out is written.
  work.bytes +=
      static_cast<double>(problem.q.bytes() + 2 * problem.k.bytes() + problem.v.bytes() + problem.out.bytes());
}

}  // namespace
}  // namespace attention

using namespace attention;

void dense_attention(const Context& context, const Tensor& q, const Tensor& k, const Tensor& v, int64_t heads,
                     float scale, const Tensor* relative_bias, Tensor& out) {
  check_tensors(q, k, v, heads, out);
  require(scale > 0, "scale must be positive");
  const DenseProblem problem{q, k, v, heads, q.size(1) / heads, q.size(0), k.size(0), scale, relative_bias, out};
  if (relative_bias)
    require(relative_bias->type() == DType::f32 &&
                relative_bias->shape() == Shape{heads, problem.queries + problem.keys - 1},
            "relative bias " + shape_text(relative_bias->shape()));
  if (context.work) {
    const auto operations = [&](int64_t keys) {
      return 4 * static_cast<double>(problem.queries) * static_cast<double>(keys) * static_cast<double>(q.size(1));
    };
    product_count(*context.work, q.type()) += operations(problem.keys);
    context.work->of(q.type() == DType::bf16 ? Effort::dense_bf16 : Effort::dense_f32) +=
        operations((problem.keys + kPanelKeys - 1) / kPanelKeys * kPanelKeys);
    context.work->bytes += static_cast<double>(q.bytes() + k.bytes() + v.bytes() + out.bytes());
  }
  choose_kernel(dense_kernels(q.type()), context).run(context, problem);
}

void sparse_attention(const Context& context, const Tensor& q, const Tensor& k, const Tensor& v, int64_t heads,
                      const SparseAttention& settings, Tensor& out, const SparseAttentionParts& parts) {
  check_tensors(q, k, v, heads, out);
  const SparseProblem problem{q, k, v, heads, q.size(1) / heads, q.size(0), settings, out, parts};
  require(k.shape() == q.shape(), "sparse attention needs as many keys as queries");
  require(settings.type != AttentionType::original, "the type must be sla or sagesla");
  if (!(settings.top_k > 0 && settings.top_k <= 1))
    throw Error("settings.invalid", "SLA Top-K must be above 0 and at most 1.", "Choose a value such as 0.10.");
  const Shape square{problem.head_size, problem.head_size}, vector{problem.head_size};
  require(settings.projection_weight && settings.projection_weight->type() == DType::f32 &&
              settings.projection_weight->shape() == square && settings.projection_bias &&
              settings.projection_bias->type() == DType::f32 && settings.projection_bias->shape() == vector,
          "proj_l must be f32 [head size, head size] with a bias");
  for (const Tensor* part : {parts.sparse, parts.linear})
    require(!part || (part->type() == DType::f32 && part->shape() == q.shape()), "parts must be f32 and shaped as q");
  if (parts.chosen) {
    const int64_t query_blocks = (problem.length + kQueryRows - 1) / kQueryRows;
    require(parts.chosen->type() == DType::i32 &&
                parts.chosen->shape() == Shape{heads, query_blocks, kept_blocks(settings.top_k, problem.length)},
            "chosen must be i32 [heads, query blocks, kept]");
  }
  if (context.work) count_sparse(*context.work, problem);
  choose_kernel(sparse_kernels(q.type(), settings.type), context).run(context, problem);
}

}  // namespace rushes
