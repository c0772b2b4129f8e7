// Attention at Wan 1.3B's shapes: dense, SLA and SageSLA at top-k 0.1, and how much the sparse forms gain.
#include "ops/attention/attention.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>

#include "engine/bench/measure.h"
#include "ops/attention/attention_kernels.h"
#include "runtime/random.h"

namespace rushes {
namespace {

constexpr int64_t kHeadSize = 128;

/// Normal values, drawn once for a short block and repeated with a changing factor: drawing millions takes longer than
/// what is measured, and equal rows would make every score equal.
Tensor repeated_values(const Context& context, int64_t rows, int64_t columns, uint64_t seed, DType type) {
  constexpr int64_t kBlock = 509;
  const Tensor block = check::random_tensor(context, {kBlock, columns}, seed, 1.5f);
  Tensor out = context.allocate(type, {rows, columns});
  for (int64_t r = 0; r < rows; ++r) {
    const float factor = 0.5f + static_cast<float>(r % 83) / 83.0f;
    for (int64_t c = 0; c < columns; ++c) {
      const float value = factor * block.data<float>()[r % kBlock * columns + c];
      if (type == DType::bf16)
        out.data<bf16>()[r * columns + c] = bf16(value);
      else
        out.data<float>()[r * columns + c] = value;
    }
  }
  return out;
}

struct AttentionInputs {
  AttentionInputs(const Context& context, int64_t tokens, int64_t heads)
      : heads(heads),
        q(repeated_values(context, tokens, heads * kHeadSize, 1, DType::bf16)),
        k(repeated_values(context, tokens, heads * kHeadSize, 2, DType::bf16)),
        v(repeated_values(context, tokens, heads * kHeadSize, 3, DType::bf16)),
        weight(check::random_tensor(context, {kHeadSize, kHeadSize}, 4, 0.1f)),
        bias(check::random_tensor(context, {kHeadSize}, 5, 0.1f)),
        out(context.allocate(DType::bf16, q.shape())) {}

  void run(const Context& context, AttentionType type, double top_k, int64_t queries, int64_t keys, Tensor& to) const {
    const Tensor few = q.rows(0, queries), some_k = k.rows(0, keys), some_v = v.rows(0, keys);
    const float scale = 1.0f / std::sqrt(static_cast<float>(kHeadSize));
    if (type == AttentionType::original)
      dense_attention(context, few, some_k, some_v, heads, scale, nullptr, to);
    else
      sparse_attention(context, few, some_k, some_v, heads, {type, top_k, &weight, &bias}, to);
  }

  int64_t heads;
  Tensor q, k, v, weight, bias, out;
};

}  // namespace

void bench_attention(Bench& bench) {
  const Context context = bench.context(DType::bf16), reference = bench.reference_context(DType::bf16);
  for (const int64_t tokens : bench.token_counts()) {
    // Heads are independent and, at this length, taken one after the other: two stand for the twelve.
    const int64_t heads = tokens > 20000 ? 2 : 12;
    const std::string shape = std::to_string(tokens) + "x" + std::to_string(heads) + "x" + std::to_string(kHeadSize);
    constexpr struct {
      AttentionType type;
      const char* operation;
    } kForms[] = {{AttentionType::original, "dense attention"},
                  {AttentionType::sla, "sla attention 0.1"},
                  {AttentionType::sagesla, "sagesla attention 0.1"}};
    const bool any = std::any_of(std::begin(kForms), std::end(kForms),
                                 [&](const auto& form) { return bench.wanted(form.operation, shape); });
    if (!any) continue;
    const auto inputs = std::make_shared<AttentionInputs>(context, tokens, heads);
    double seconds[3] = {};
    for (int i = 0; i < 3; ++i) {
      const auto [type, operation] = kForms[i];
      if (!bench.wanted(operation, shape)) continue;
      BenchCase c;
      c.operation = operation;
      c.shape = shape;
      c.kernel = i == 0 ? choose_kernel(attention::dense_kernels(DType::bf16), context).info.name
                        : choose_kernel(attention::sparse_kernels(DType::bf16, type), context).info.name;
      c.ceiling = CeilingKind::bf16;
      WorkCount work;
      Context counting = context;
      counting.dry_run = true;
      counting.work = &work;
      inputs->run(counting, type, 0.1, tokens, tokens, inputs->out);
      c.work = work.int8_ops + work.bf16_ops + work.f32_ops;
      c.tolerance = 2e-2;
      // Dense: a few queries against all keys. Sparse: the first tokens as a sequence of their own.
      c.error = [=, type = type] {
        const int64_t queries = std::min<int64_t>(tokens, i == 0 ? 8 : 600), keys = i == 0 ? tokens : queries;
        Tensor ours = context.allocate(DType::f32, {queries, inputs->q.size(1)}),
               expected = context.allocate(DType::f32, ours.shape());
        inputs->run(context, type, 0.1, queries, keys, ours);
        inputs->run(reference, type, 0.1, queries, keys, expected);
        return check::relative_error(ours, expected);
      };
      c.run = [=, type = type] { inputs->run(context, type, 0.1, tokens, tokens, inputs->out); };
      seconds[i] = bench.measure(std::move(c)).seconds;
    }
    for (int i = 1; i < 3; ++i)
      if (seconds[0] > 0 && seconds[i] > 0) {
        char line[128];
        std::snprintf(line, sizeof line, "%s is %.1f times faster than dense attention at %lld tokens",
                      kForms[i].operation, seconds[0] / seconds[i], static_cast<long long>(tokens));
        bench.note(line);
      }
  }
}

}  // namespace rushes
