// Attention at Wan 1.3B's shapes: dense, SLA and SageSLA at top-k 0.1, and how much the sparse forms gain.
#include "ops/attention/attention.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "engine/bench/measure.h"
#include "ops/attention/attention_kernels.h"
#include "ops/attention/block_selection.h"
#include "runtime/random.h"

namespace rushes {
namespace {

constexpr int64_t kHeadSize = 128;
// SLA and SageSLA at top-k 0.1 against dense attention, at 32,760 tokens.
constexpr double kTimesFaster = 6;

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

// What SLA does beside its sparse part, in processor time because it is a small difference. The chosen blocks' cost
// grows with top-k: the line through two values of it gives theirs, and what is left at top-k 0. From that goes the
// packing of k and v, which is the sparse part's too: what dense attention of a single query takes. Left are K's mean,
// pooling, block scores, top-k and the linear branch, with the loading of q and the writing of the result. SageSLA does
// the same beside its own sparse part, to which its quantizing belongs.
void bench_share_beside_blocks(Bench& bench, const Context& context, AttentionInputs& inputs, int64_t tokens) {
  constexpr double kFew = 0.025, kMany = 0.1;
  const auto kept = [&](double top_k) { return static_cast<double>(attention::kept_blocks(top_k, tokens)); };
  if (kept(kFew) == kept(kMany)) return;
  Tensor one_row = context.allocate(DType::bf16, {1, inputs.q.size(1)});
  double few = 1e30, sla = 1e30, sagesla = 1e30, packing = 1e30;
  const auto shorten = [](double& best, const std::function<void()>& run) {
    best = std::min(best, times_of(run).processor);
  };
  for (int count = 0; count < 4; ++count) {  // in turn, so that all meet the same neighbours
    shorten(few, [&] { inputs.run(context, AttentionType::sla, kFew, tokens, tokens, inputs.out); });
    shorten(sla, [&] { inputs.run(context, AttentionType::sla, kMany, tokens, tokens, inputs.out); });
    shorten(sagesla, [&] { inputs.run(context, AttentionType::sagesla, kMany, tokens, tokens, inputs.out); });
    shorten(packing, [&] { inputs.run(context, AttentionType::original, 1, 1, tokens, one_row); });
  }
  const double blocks = (sla - few) * kept(kMany) / (kept(kMany) - kept(kFew)), beside = sla - blocks - packing;
  for (const auto& [name, seconds] : {std::pair{"sla", sla}, std::pair{"sagesla", sagesla}})
    bench.claim({std::string(name) + " attention 0.1 at " + std::to_string(tokens) +
                     " tokens: linear branch, smoothing, pooling and top-k",
                 "% of the sparse part", 100 * beside / (seconds - beside), 0, tokens > 20000 ? bench.asked(10) : 0,
                 false});
}

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
    BenchResult results[3];
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
      if (i == 0) c.asked = bench.asked(0.55, 0.35);
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
      results[i] = bench.measure(std::move(c));
    }
    const std::string at = " at " + std::to_string(tokens) + " tokens";
    for (int i = 1; i < 3; ++i)
      if (results[0].seconds > 0 && results[i].seconds > 0)
        bench.claim({kForms[i].operation + (" against dense attention" + at), "times faster",
                     results[0].seconds / results[i].seconds,
                     results[0].processor_seconds / results[i].processor_seconds,
                     tokens > 20000 ? bench.asked(kTimesFaster) : 0});
    if (results[1].seconds > 0 || results[2].seconds > 0) bench_share_beside_blocks(bench, context, *inputs, tokens);
  }
}

}  // namespace rushes
