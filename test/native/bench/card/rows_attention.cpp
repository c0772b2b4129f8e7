// Attention at Wan 1.3B's shapes: dense over the clip and over the text, SLA and SageSLA at top-k 0.1, and how much the
// sparse forms gain.
#include <cmath>

#include "bench/card/card_bench.h"
#include "ops/attention/attention.h"
#include "ops/attention/attention_kernels.h"
#include "runtime/random.h"

namespace rushes::card {
namespace {

constexpr int64_t kHeadSize = 128;
constexpr double kTopK = 0.1;
// SLA and SageSLA at top-k 0.1 against dense attention, at 32,760 tokens: what is asked of CPUs too (docs/SPEED.md).
constexpr double kTimesFaster = 6;

struct Operands {
  Tensor q, k, v;
  Operands(const Context& plain, int64_t queries, int64_t keys, int64_t width)
      : q(filled(plain, {queries, width}, 1, 2.0f, DType::bf16)),
        k(filled(plain, {keys, width}, 2, 2.0f, DType::bf16)),
        v(filled(plain, {keys, width}, 3, 2.0f, DType::bf16)) {}
  Operands on(const Context& context) const {
    Operands moved = *this;
    moved.q = to_device(context, q), moved.k = to_device(context, k), moved.v = to_device(context, v);
    return moved;
  }
  double bytes() const { return static_cast<double>(2 * q.bytes() + k.bytes() + v.bytes()); }
};

double dense_row(CardBench& bench, const std::string& operation, int64_t queries, int64_t keys, int64_t heads) {
  const std::string shape =
      std::to_string(queries) + (keys == queries ? "" : " to " + std::to_string(keys)) + "x" + std::to_string(heads);
  if (!bench.wanted(operation, shape)) return 0;
  const Context context = bench.context(), plain = bench.reference_context();
  const Operands host(plain, queries, keys, heads * kHeadSize), there = host.on(context);
  Tensor out = context.allocate(DType::bf16, there.q.shape());
  const float scale = 1.0f / std::sqrt(static_cast<float>(kHeadSize));
  Row row{.operation = operation, .shape = shape};
  row.kernel = choose_kernel(attention::dense_kernels(DType::bf16), context).info.name;
  row.needs.bf16_ops = 4.0 * static_cast<double>(queries) * static_cast<double>(keys * heads * kHeadSize);
  row.needs.bytes = host.bytes();
  row.tolerance = 1e-2;  // bf16 probabilities and values, rounded again on the way out
  row.run = [&] { dense_attention(context, there.q, there.k, there.v, heads, scale, nullptr, out); };
  row.error = [&] {  // the last queries against all keys
    dense_attention(context, there.q, there.k, there.v, heads, scale, nullptr, out);
    const int64_t first = queries - std::min<int64_t>(queries, 5);
    Tensor wanted = plain.allocate(DType::f32, {queries - first, out.size(1)});
    dense_attention(plain, host.q.rows(first, queries), host.k, host.v, heads, scale, nullptr, wanted);
    return check::relative_error(out.rows(first, queries), wanted);
  };
  return bench.measure(std::move(row)).seconds;
}

/// Seconds of SLA or SageSLA on `tokens` tokens; its result is compared on the first tokens as a clip of their own.
double sparse_row(CardBench& bench, AttentionType type, int64_t tokens, int64_t heads) {
  const std::string operation = type == AttentionType::sla ? "sla attention 0.1" : "sagesla attention 0.1";
  const std::string shape = std::to_string(tokens) + "x" + std::to_string(heads);
  if (!bench.wanted(operation, shape)) return 0;
  const Context context = bench.context(), plain = bench.reference_context();
  const Operands host(plain, tokens, tokens, heads * kHeadSize), there = host.on(context);
  const Tensor weight = filled(plain, {kHeadSize, kHeadSize}, 4, 0.1f, DType::f32),
               bias = filled(plain, {kHeadSize}, 5, 0.1f, DType::f32);
  const Tensor device_weight = to_device(context, weight), device_bias = to_device(context, bias);
  Tensor out = context.allocate(DType::bf16, there.q.shape());

  Row row{.operation = operation, .shape = shape};
  row.kernel = choose_kernel(attention::sparse_kernels(DType::bf16, type), context).info.name;
  const double blocks = std::max(1.0, std::floor(kTopK * std::ceil(static_cast<double>(tokens) / 64)));
  const double width = static_cast<double>(heads * kHeadSize), rows = static_cast<double>(tokens);
  const double scores = 2 * rows * blocks * 64 * width, linear = 3 * 2 * rows * kHeadSize * width;
  (type == AttentionType::sagesla ? row.needs.int8_ops : row.needs.bf16_ops) += scores;
  row.needs.bf16_ops += scores + linear;
  row.needs.bytes = host.bytes();
  row.tolerance = 2e-2;
  row.run = [&] {
    sparse_attention(context, there.q, there.k, there.v, heads, {type, kTopK, &device_weight, &device_bias}, out);
  };
  row.error = [&] {
    const int64_t few = std::min<int64_t>(tokens, 600);
    Tensor got = context.allocate(DType::f32, {few, out.size(1)}), wanted = plain.allocate(DType::f32, got.shape());
    sparse_attention(context, there.q.rows(0, few), there.k.rows(0, few), there.v.rows(0, few), heads,
                     {type, kTopK, &device_weight, &device_bias}, got);
    sparse_attention(plain, host.q.rows(0, few), host.k.rows(0, few), host.v.rows(0, few), heads,
                     {type, kTopK, &weight, &bias}, wanted);
    return check::relative_error(got, wanted);
  };
  return bench.measure(std::move(row)).seconds;
}

}  // namespace

void attention_rows(CardBench& bench) {
  const int64_t heads = bench.options().tiny ? 1 : 12;
  for (const int64_t tokens : bench.token_counts()) {
    const double dense = dense_row(bench, "dense attention", tokens, tokens, heads);
    dense_row(bench, "attention to the text", tokens, bench.options().tiny ? 33 : 512, heads);
    for (const AttentionType type : {AttentionType::sla, AttentionType::sagesla}) {
      const double sparse = sparse_row(bench, type, tokens, heads);
      if (dense > 0 && sparse > 0)
        bench.claim({(type == AttentionType::sla ? "SLA" : "SageSLA") + std::string(" at top-k 0.1 against dense, ") +
                         std::to_string(tokens) + " tokens",
                     "times faster", dense / sparse, tokens > 20000 ? bench.asked(kTimesFaster) : 0});
    }
  }
}

}  // namespace rushes::card
