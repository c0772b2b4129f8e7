// Every attention kernel against the reference on small odd cases: the self-test's and the tests' entries.
#include <string>

#include "ops/attention/attention_kernels.h"
#include "runtime/random.h"

namespace rushes {
namespace attention {
namespace {

struct DenseCase {
  int64_t heads, head_size, queries, keys;
  bool bias;
};
constexpr DenseCase kDenseCases[] = {{2, 128, 131, 131, false}, {1, 128, 70, 512, false}, {3, 64, 37, 37, true},
                                     {2, 16, 5, 1, false},      {1, 200, 65, 321, true},  {1, 384, 40, 90, false}};

struct SparseCase {
  int64_t heads, head_size, length;
  double top_k;
};
constexpr SparseCase kSparseCases[] = {{1, 128, 325, 0.34}, {2, 128, 180, 1.0}, {3, 64, 130, 0.1}, {1, 72, 1, 0.5}};

// f32: rounding of sums of a few hundred products. bf16: inputs are exact, weights and results are rounded to 8 bits.
// sagesla: a value on the edge of the quantizer's rounding may fall to either side.
double tolerance(DType type, bool sage) { return type == DType::bf16 ? 1e-2 : sage ? 1e-4 : 1e-5; }

Context make_context(Backend backend, int threads) {
  Context context;
  context.backend = backend;
  context.threads = threads;
  return context;
}

double dense_error(const DenseCase& c, DType type, DenseFunction run, int threads) {
  const Context context = make_context(Backend::cpu, threads);
  const Tensor q = check::random_tensor(context, {c.queries, c.heads * c.head_size}, 1, 1.5f, type);
  const Tensor k = check::random_tensor(context, {c.keys, c.heads * c.head_size}, 2, 1.5f, type);
  const Tensor v = check::random_tensor(context, {c.keys, c.heads * c.head_size}, 3, 1.0f, type);
  const Tensor bias = check::random_tensor(context, {c.heads, c.queries + c.keys - 1}, 4, 2.0f);
  Tensor out = context.allocate(DType::f32, q.shape()), expected = context.allocate(DType::f32, q.shape());
  const auto problem = [&](Tensor& to) {
    return DenseProblem{q, k, v, c.heads, c.head_size, c.queries, c.keys, 0.1f, c.bias ? &bias : nullptr, to};
  };
  run(context, problem(out));
  dense_reference(context, problem(expected));
  return check::relative_error(out, expected);
}

double sparse_error(const SparseCase& c, AttentionType kind, DType type, SparseFunction run, int threads) {
  const Context context = make_context(Backend::cpu, threads);
  const Shape shape{c.length, c.heads * c.head_size};
  const Tensor q = check::random_tensor(context, shape, 5, 1.5f, type),
               k = check::random_tensor(context, shape, 6, 1.5f, type);
  const Tensor v = check::random_tensor(context, shape, 7, 1.0f, type);
  const Tensor weight = check::random_tensor(context, {c.head_size, c.head_size}, 8, 0.2f);
  const Tensor bias = check::random_tensor(context, {c.head_size}, 9, 0.1f);
  const SparseAttention settings{kind, c.top_k, &weight, &bias};
  const SparseAttentionParts parts;
  Tensor out = context.allocate(DType::f32, shape), expected = context.allocate(DType::f32, shape);
  run(context, {q, k, v, c.heads, c.head_size, c.length, settings, out, parts});
  sparse_reference(context, {q, k, v, c.heads, c.head_size, c.length, settings, expected, parts});
  return check::relative_error(out, expected);
}

}  // namespace
}  // namespace attention

using namespace attention;

void append_attention_checks(const CpuFeatures& features, std::vector<KernelCheck>& checks) {
  const auto checked = [&features](const KernelInfo& info) {
    return info.backend == Backend::cpu && features.supports(info.isa);
  };
  for (const DType type : {DType::f32, DType::bf16}) {
    for (const auto& kernel : dense_kernels(type))
      for (const DenseCase& c : kDenseCases) {
        if (!checked(kernel.info)) continue;
        const std::string text = "heads " + std::to_string(c.heads) + " size " + std::to_string(c.head_size) +
                                 " queries " + std::to_string(c.queries) + " keys " + std::to_string(c.keys) +
                                 (c.bias ? " bias" : "");
        checks.push_back({kernel.info, text, tolerance(type, false),
                          [c, type, run = kernel.run](int threads) { return dense_error(c, type, run, threads); }});
      }
    for (const AttentionType kind : {AttentionType::sla, AttentionType::sagesla})
      for (const auto& kernel : sparse_kernels(type, kind))
        for (const SparseCase& c : kSparseCases) {
          if (!checked(kernel.info)) continue;
          const std::string text = "heads " + std::to_string(c.heads) + " size " + std::to_string(c.head_size) +
                                   " length " + std::to_string(c.length) + " top-k " +
                                   std::to_string(c.top_k).substr(0, 4);
          checks.push_back(
              {kernel.info, text, tolerance(type, kind == AttentionType::sagesla),
               [c, kind, type, run = kernel.run](int threads) { return sparse_error(c, kind, type, run, threads); }});
        }
  }
}

}  // namespace rushes
