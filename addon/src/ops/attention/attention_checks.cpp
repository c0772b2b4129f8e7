// Every attention kernel against the reference on small odd cases: the self-test's and the tests' entries.
#include <string>

#include "ops/attention/attention_kernels.h"
#include "ops/check_context.h"
#include "runtime/random.h"

namespace rushes {
namespace attention {
namespace {

struct DenseCase {
  int64_t heads, head_size, queries, keys;
  bool bias;
};
constexpr DenseCase kDenseCases[] = {{2, 128, 131, 131, false}, {1, 128, 70, 512, false}, {3, 64, 37, 37, true},
                                     {2, 16, 5, 1, false},      {1, 200, 65, 321, true},  {1, 384, 40, 90, false},
                                     {2, 64, 140, 193, false},  {1, 72, 129, 65, true},   {1, 512, 3, 127, false}};

struct SparseCase {
  int64_t heads, head_size, length;
  double top_k;
};
constexpr SparseCase kSparseCases[] = {{1, 128, 325, 0.34}, {2, 128, 180, 1.0}, {3, 64, 130, 0.1}, {1, 72, 1, 0.5}};

// f32: rounding of sums of a few hundred products. bf16: inputs are exact, weights and results are rounded to 8 bits.
// sagesla: a value on the edge of the quantizer's rounding may fall to either side.
double tolerance(DType type, bool sage) { return type == DType::bf16 ? 1e-2 : sage ? 1e-4 : 1e-5; }

// e4m3 keeps 4 bits: the error of a rounding is uniform in +-2^-4 of the power of two below, 2^-4 / sqrt(3), on values
// whose mantissas, uniform in [1, 2), have a mean square of 7/3: 2.36% root mean square. Weights and values are rounded
// independently, so that a sum of independent values, like these checks', is off by sqrt(2) times that, 3.34%; what
// else bf16 allows comes on top as squares do: 3.5%.
constexpr double kE4m3Tolerance = 3.5e-2;

double sparse_tolerance(const KernelInfo& info, DType type, AttentionType kind) {
  const bool e4m3 = info.name.find("e4m3_v") != std::string_view::npos;
  return e4m3 ? kE4m3Tolerance : tolerance(type, kind == AttentionType::sagesla);
}

double dense_error(const DenseCase& c, DType type, const Kernel<DenseFunction>& kernel, int threads) {
  const Context context = check::context_for(kernel.info, threads, type), host = context.on_host();
  const Tensor q = check::random_tensor(host, {c.queries, c.heads * c.head_size}, 1, 1.5f, type);
  const Tensor k = check::random_tensor(host, {c.keys, c.heads * c.head_size}, 2, 1.5f, type);
  const Tensor v = check::random_tensor(host, {c.keys, c.heads * c.head_size}, 3, 1.0f, type);
  const Tensor bias = check::random_tensor(host, {c.heads, c.queries + c.keys - 1}, 4, 2.0f);
  Tensor out = context.allocate(DType::f32, q.shape()), expected = host.allocate(DType::f32, q.shape());
  const auto run = [&](const Context& on, DenseFunction function, Tensor& to) {
    const Tensor on_q = to_device(on, q), on_k = to_device(on, k), on_v = to_device(on, v),
                 on_bias = to_device(on, bias);
    function(on, {on_q, on_k, on_v, c.heads, c.head_size, c.queries, c.keys, 0.1f, c.bias ? &on_bias : nullptr, to});
  };
  run(context, kernel.run, out);
  run(host, dense_reference, expected);
  return check::relative_error(out, expected);
}

double sparse_error(const SparseCase& c, AttentionType kind, DType type, const Kernel<SparseFunction>& kernel,
                    int threads) {
  const Context context = check::context_for(kernel.info, threads, type), host = context.on_host();
  const Shape shape{c.length, c.heads * c.head_size};
  const Tensor q = check::random_tensor(host, shape, 5, 1.5f, type),
               k = check::random_tensor(host, shape, 6, 1.5f, type);
  const Tensor v = check::random_tensor(host, shape, 7, 1.0f, type);
  const Tensor weight = check::random_tensor(host, {c.head_size, c.head_size}, 8, 0.2f);
  const Tensor bias = check::random_tensor(host, {c.head_size}, 9, 0.1f);
  Tensor out = context.allocate(DType::f32, shape), expected = host.allocate(DType::f32, shape);
  const auto run = [&](const Context& on, SparseFunction function, Tensor& to) {
    const Tensor on_q = to_device(on, q), on_k = to_device(on, k), on_v = to_device(on, v);
    const Tensor on_weight = to_device(on, weight), on_bias = to_device(on, bias);
    const SparseAttention settings{kind, c.top_k, &on_weight, &on_bias};
    const SparseAttentionParts parts;
    function(on, {on_q, on_k, on_v, c.heads, c.head_size, c.length, settings, to, parts});
  };
  run(context, kernel.run, out);
  run(host, sparse_reference, expected);
  return check::relative_error(out, expected);
}

}  // namespace
}  // namespace attention

using namespace attention;

void append_attention_checks(const CpuFeatures& features, std::vector<KernelCheck>& checks) {
  const auto checked = [&features](const KernelInfo& info) {
    return info.backend != Backend::reference && check::can_check(info, features);
  };
  for (const DType type : {DType::f32, DType::bf16}) {
    for (const auto& kernel : dense_kernels(type))
      for (const DenseCase& c : kDenseCases) {
        if (!checked(kernel.info)) continue;
        const std::string text = "heads " + std::to_string(c.heads) + " size " + std::to_string(c.head_size) +
                                 " queries " + std::to_string(c.queries) + " keys " + std::to_string(c.keys) +
                                 (c.bias ? " bias" : "");
        checks.push_back({kernel.info, text, tolerance(type, false),
                          [c, type, &kernel](int threads) { return dense_error(c, type, kernel, threads); }});
      }
    for (const AttentionType kind : {AttentionType::sla, AttentionType::sagesla})
      for (const auto& kernel : sparse_kernels(type, kind))
        for (const SparseCase& c : kSparseCases) {
          if (!checked(kernel.info)) continue;
          const std::string text = "heads " + std::to_string(c.heads) + " size " + std::to_string(c.head_size) +
                                   " length " + std::to_string(c.length) + " top-k " +
                                   std::to_string(c.top_k).substr(0, 4);
          checks.push_back(
              {kernel.info, text, sparse_tolerance(kernel.info, type, kind),
               [c, kind, type, &kernel](int threads) { return sparse_error(c, kind, type, kernel, threads); }});
        }
  }
}

}  // namespace rushes
