// Attention: every kernel of the tables against the reference, what must hold whatever the kernel (SLA at top-k 1.0,
// order of keys, thread counts, plans), the block selection by itself, and misuse.
#include "ops/attention/attention.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "ops/attention/attention_kernels.h"
#include "ops/attention/block_selection.h"
#include "runtime/random.h"
#include "runtime/status.h"

using namespace rushes;

namespace {

Context context_on(Backend backend, int threads = 2) {
  Context context;
  context.backend = backend;
  context.threads = threads;
  return context;
}

/// Contexts on the cpu backend, one for each set of block operations this machine can run.
std::vector<Context> cpu_contexts(int threads) {
  std::vector<Context> contexts;
  for (const Isa isa : {Isa::portable, Isa::avx2, Isa::avx512, Isa::avx512_vnni, Isa::avx512_bf16, Isa::amx}) {
    if (!CpuFeatures::host().supports(isa)) continue;
    contexts.push_back(context_on(Backend::cpu, threads));
    contexts.back().features = CpuFeatures::host().limited_to(isa);
  }
  return contexts;
}

/// Seeded q, k, v and a projection, and SLA settings that point at them.
struct Inputs {
  Inputs(int64_t length, int64_t heads, int64_t head_size, DType type = DType::f32)
      : heads(heads),
        q(check::random_tensor(Context{}, {length, heads * head_size}, 11, 1.5f, type)),
        k(check::random_tensor(Context{}, {length, heads * head_size}, 12, 1.5f, type)),
        v(check::random_tensor(Context{}, {length, heads * head_size}, 13, 1.0f, type)),
        weight(check::random_tensor(Context{}, {head_size, head_size}, 14, 0.2f)),
        bias(check::random_tensor(Context{}, {head_size}, 15, 0.1f)) {}
  SparseAttention settings(AttentionType type, double top_k) const { return {type, top_k, &weight, &bias}; }
  float scale() const { return 1.0f / std::sqrt(static_cast<float>(q.size(1) / heads)); }

  int64_t heads;
  Tensor q, k, v, weight, bias;
};

bool same_bytes(const Tensor& a, const Tensor& b) {
  return a.bytes() == b.bytes() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

}  // namespace

TEST_CASE("every attention kernel that this machine can run agrees with the reference") {
  std::vector<KernelCheck> checks;
  append_attention_checks(CpuFeatures::host(), checks);
  REQUIRE(!checks.empty());
  for (const auto& check : checks)
    for (const int threads : {1, 3}) {
      INFO(check.info.name << ": " << check.case_text);
      CHECK(check.relative_error(threads) <= check.tolerance);
    }
}

TEST_CASE("attention follows a relative bias computed by hand") {
  for (const Backend backend : {Backend::reference, Backend::cpu}) {
    const Context context = context_on(backend);
    Tensor q = context.allocate(DType::f32, {2, 16}), k = context.allocate(DType::f32, {3, 16}),
           v = context.allocate(DType::f32, {3, 16}), bias = context.allocate(DType::f32, {1, 4}),
           out = context.allocate(DType::f32, {2, 16});
    std::fill_n(q.data<float>(), 32, 0.0f);
    std::fill_n(k.data<float>(), 48, 1.0f);
    for (int i = 0; i < 48; ++i) v.data<float>()[i] = static_cast<float>(i / 16);
    // Query i and key j meet at index j - i + 1: query 0 sees weights 2, 4, 8 and query 1 sees 1, 2, 4.
    for (int i = 0; i < 4; ++i) bias.data<float>()[i] = std::log(static_cast<float>(1 << i));
    dense_attention(context, q, k, v, 1, 1.0f, &bias, out);
    CHECK(out.data<float>()[0] == doctest::Approx((4.0 + 2 * 8) / 14));
    CHECK(out.data<float>()[16] == doctest::Approx((2.0 + 2 * 4) / 7));
  }
}

TEST_CASE("SLA at top-k 1.0 equals dense attention plus its linear branch") {
  const Inputs in(205, 2, 64);
  std::vector<Context> contexts = cpu_contexts(2);
  contexts.push_back(context_on(Backend::reference));
  for (const Context& context : contexts) {
    Tensor dense = context.allocate(DType::f32, in.q.shape()), out = context.allocate(DType::f32, in.q.shape()),
           linear = context.allocate(DType::f32, in.q.shape()), sparse = context.allocate(DType::f32, in.q.shape());
    dense_attention(context, in.q, in.k, in.v, in.heads, in.scale(), nullptr, dense);
    sparse_attention(context, in.q, in.k, in.v, in.heads, in.settings(AttentionType::sla, 1.0), out,
                     {&sparse, &linear});
    CHECK(check::relative_error(sparse, dense) < 1e-6);
    for (int64_t i = 0; i < dense.count(); ++i) dense.data<float>()[i] += linear.data<float>()[i];
    CHECK(check::relative_error(out, dense) < 2e-6);
    Tensor alone = context.allocate(DType::f32, in.q.shape());
    sparse_attention(context, in.q, in.k, in.v, in.heads, in.settings(AttentionType::sla, 1.0), alone);
    CHECK(same_bytes(alone, out));
  }
}

TEST_CASE("the order of the keys does not matter to dense attention") {
  const Inputs in(333, 1, 128);
  const int64_t length = in.q.size(0), size = 128;
  const Context context = context_on(Backend::cpu);
  Tensor k = context.allocate(DType::f32, in.k.shape()), v = context.allocate(DType::f32, in.v.shape());
  for (int64_t i = 0; i < length; ++i) {
    const int64_t from = (i * 100 + 7) % length;  // 100 and 333 share no factor
    std::copy_n(in.k.data<float>() + from * size, size, k.data<float>() + i * size);
    std::copy_n(in.v.data<float>() + from * size, size, v.data<float>() + i * size);
  }
  Tensor out = context.allocate(DType::f32, in.q.shape()), permuted = context.allocate(DType::f32, in.q.shape());
  dense_attention(context, in.q, in.k, in.v, 1, in.scale(), nullptr, out);
  dense_attention(context, in.q, k, v, 1, in.scale(), nullptr, permuted);
  CHECK(check::relative_error(permuted, out) < 2e-6);
}

TEST_CASE("large and far apart scores neither overflow nor vanish") {
  Inputs in(150, 1, 64);
  for (int64_t i = 0; i < in.q.count(); ++i) in.q.data<float>()[i] *= 1000.0f;
  for (const Context& context : cpu_contexts(2)) {
    Tensor out = context.allocate(DType::f32, in.q.shape()), expected = context.allocate(DType::f32, in.q.shape());
    dense_attention(context, in.q, in.k, in.v, 1, in.scale(), nullptr, out);
    dense_attention(context_on(Backend::reference), in.q, in.k, in.v, 1, in.scale(), nullptr, expected);
    CHECK(check::relative_error(out, expected) < 1e-3);  // scores of 10,000 carry f32 errors of 1e-3 into the exponent
  }
}

TEST_CASE("the exponential of each set of block operations is within 1e-6") {
  std::vector<attention::BlockMath> all = {attention::kBlockMathPortable};
#if defined(__x86_64__)
  const CpuFeatures& host = CpuFeatures::host();
  if (host.avx2) all.push_back(attention::kBlockMathAvx2);
  if (host.avx512) all.push_back(attention::kBlockMathAvx512);
#endif
  for (const auto& math : all) {
    constexpr int64_t kCount = 64 * 64;
    std::vector<float> scores(kCount), weights(kCount);
    for (int64_t i = 0; i < kCount; ++i) scores[i] = -static_cast<float>(i) * 0.0303f;  // down to 2^-124
    scores[kCount - 1] = -1e30f;
    scores[kCount - 2] = -INFINITY;
    float top = -INFINITY, sum = 0, factor = 1;
    math.softmax_step(scores.data(), kCount, 1, kCount, 1.0f, &top, &sum, &factor, weights.data(), kCount * 4);
    double total = 0, worst = 0;
    for (int64_t i = 0; i < kCount - 2; ++i) {
      const double exact = std::exp2(static_cast<double>(scores[i]));
      total += exact;
      worst = std::max(worst, std::abs(weights[i] / exact - 1));
    }
    CHECK(worst < 1e-6);
    CHECK(weights[kCount - 1] == 0.0f);
    CHECK(weights[kCount - 2] == 0.0f);
    CHECK(top == 0.0f);
    CHECK(factor == 0.0f);
    CHECK(sum == doctest::Approx(total).epsilon(1e-6));
  }
}

TEST_CASE("attention gives the same bits for any number of threads") {
  for (const DType type : {DType::f32, DType::bf16}) {
    const Inputs in(389, 3, 64, type);
    std::vector<Tensor> expected;
    for (const int threads : {1, 2, 3}) {
      size_t at = 0;
      for (const Context& context : cpu_contexts(threads))
        for (const AttentionType kind : {AttentionType::original, AttentionType::sla, AttentionType::sagesla}) {
          Tensor out = context.allocate(type, in.q.shape());
          if (kind == AttentionType::original)
            dense_attention(context, in.q, in.k, in.v, 3, in.scale(), nullptr, out);
          else
            sparse_attention(context, in.q, in.k, in.v, 3, in.settings(kind, 0.3), out);
          if (threads == 1)
            expected.push_back(out);
          else
            CHECK(same_bytes(out, expected[at++]));
        }
    }
  }
}

TEST_CASE("the result does not depend on how many heads are packed at once") {
  // One thread packs few heads at once, 24 threads pack all of them.
  const Inputs in(700, 5, 64);
  Tensor few = Context{}.allocate(DType::f32, in.q.shape()), all = Context{}.allocate(DType::f32, in.q.shape());
  sparse_attention(context_on(Backend::cpu, 1), in.q, in.k, in.v, 5, in.settings(AttentionType::sagesla, 0.3), few);
  sparse_attention(context_on(Backend::cpu, 24), in.q, in.k, in.v, 5, in.settings(AttentionType::sagesla, 0.3), all);
  CHECK(same_bytes(few, all));
}

TEST_CASE("counted work follows top-k") {
  const Inputs in(1280, 2, 128);  // 20 key blocks
  const auto count = [&in](AttentionType type, double top_k) {
    WorkCount work;
    Context context = context_on(Backend::cpu);
    context.work = &work;
    context.dry_run = true;
    Tensor out = context.allocate(DType::f32, in.q.shape());
    if (type == AttentionType::original)
      dense_attention(context, in.q, in.k, in.v, 2, 0.1f, nullptr, out);
    else
      sparse_attention(context, in.q, in.k, in.v, 2, in.settings(type, top_k), out);
    return work;
  };
  const double dense = count(AttentionType::original, 1).f32_ops;
  CHECK(dense == 4.0 * 1280 * 1280 * 128 * 2);
  const double tenth = count(AttentionType::sla, 0.1).f32_ops, fifth = count(AttentionType::sla, 0.2).f32_ops;
  CHECK(fifth - tenth == doctest::Approx(dense / 10));
  CHECK(count(AttentionType::sla, 1.0).f32_ops - fifth == doctest::Approx(dense * 0.8));
  const WorkCount sage = count(AttentionType::sagesla, 0.1);
  CHECK(sage.int8_ops == doctest::Approx(dense / 20));
  CHECK(sage.int8_ops + sage.f32_ops == doctest::Approx(tenth));
}

TEST_CASE("a plan allocates what the run allocates") {
  const Inputs in(450, 3, 64);
  for (const Backend backend : {Backend::reference, Backend::cpu})
    for (const AttentionType kind : {AttentionType::original, AttentionType::sla, AttentionType::sagesla}) {
      uint64_t peaks[2];
      for (const bool dry_run : {false, true}) {
        MemoryCounter memory;
        Context context = context_on(backend);
        context.memory = &memory;
        context.dry_run = dry_run;
        Tensor out = context.allocate(DType::f32, in.q.shape());
        if (kind == AttentionType::original)
          dense_attention(context, in.q, in.k, in.v, 3, 0.1f, nullptr, out);
        else
          sparse_attention(context, in.q, in.k, in.v, 3, in.settings(kind, 0.2), out);
        peaks[dry_run] = memory.peak();
      }
      CHECK(peaks[0] == peaks[1]);
      CHECK(peaks[0] > 0);
    }
}

TEST_CASE("attention stops when the job is cancelled") {
  const Inputs in(300, 2, 64);
  const std::atomic<bool> cancelled = true;
  for (const Backend backend : {Backend::reference, Backend::cpu}) {
    Context context = context_on(backend);
    context.cancelled = &cancelled;
    Tensor out = context.allocate(DType::f32, in.q.shape());
    CHECK_THROWS_AS(dense_attention(context, in.q, in.k, in.v, 2, 0.1f, nullptr, out), Cancelled);
    CHECK_THROWS_AS(sparse_attention(context, in.q, in.k, in.v, 2, in.settings(AttentionType::sla, 0.2), out),
                    Cancelled);
  }
}

TEST_CASE("NaN in the input ends in a result that is not finite") {
  for (const Backend backend : {Backend::reference, Backend::cpu})
    for (const AttentionType kind : {AttentionType::original, AttentionType::sla, AttentionType::sagesla})
      for (const float poison : {NAN, INFINITY}) {
        Inputs in(300, 1, 64);
        in.k.data<float>()[70 * 64 + 5] = poison;
        const Context context = context_on(backend);
        Tensor out = context.allocate(DType::f32, in.q.shape());
        if (kind == AttentionType::original)
          dense_attention(context, in.q, in.k, in.v, 1, 0.1f, nullptr, out);
        else
          sparse_attention(context, in.q, in.k, in.v, 1, in.settings(kind, 0.3), out);
        const float* x = out.data<float>();
        CHECK(!std::all_of(x, x + out.count(), [](float value) { return std::isfinite(value); }));
      }
}

TEST_CASE("top-k counts blocks by truncation and keeps at least one") {
  using attention::kept_blocks;
  CHECK(kept_blocks(0.1, 32760) == 51);
  CHECK(kept_blocks(0.1, 75600) == 118);
  CHECK(kept_blocks(0.15, 32760) == 76);
  CHECK(kept_blocks(0.15, 75600) == 177);
  CHECK(kept_blocks(0.1, 576) == 1);
  CHECK(kept_blocks(0.01, 1) == 1);
  CHECK(kept_blocks(1.0, 325) == 6);
}

TEST_CASE("of equal scores the lower block is kept, and the choice is ascending") {
  float scores[] = {1, 3, 2, 3, NAN, 3, 2};
  int32_t chosen[7];
  attention::choose_blocks(scores, 7, 2, chosen);
  CHECK(std::vector(chosen, chosen + 2) == std::vector{1, 3});
  attention::choose_blocks(scores, 7, 4, chosen);
  CHECK(std::vector(chosen, chosen + 4) == std::vector{1, 2, 3, 5});
  attention::choose_blocks(scores, 7, 7, chosen);
  CHECK(std::vector(chosen, chosen + 7) == std::vector{0, 1, 2, 3, 4, 5, 6});
  float unknown[] = {NAN, NAN, NAN};
  attention::choose_blocks(unknown, 3, 2, chosen);
  CHECK(std::vector(chosen, chosen + 2) == std::vector{0, 1});
}

TEST_CASE("the kept blocks are those of a selection in f64") {
  const int64_t length = 1000, size = 64, blocks = 16;
  const Inputs in(length, 1, size);
  const float *q = in.q.data<float>(), *k = in.k.data<float>();
  std::vector<double> mean(size), exact(blocks);
  for (int64_t i = 0; i < length * size; ++i) mean[i % size] += k[i] / static_cast<double>(length);
  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t begin = b * 64, end = std::min(length, begin + 64);
    for (int64_t d = 0; d < size; ++d) {
      double query = 0, key = 0;
      for (int64_t i = 0; i < 128; ++i) query += q[i * size + d] / 128.0;
      for (int64_t j = begin; j < end; ++j) key += (k[j * size + d] - mean[d]) / static_cast<double>(end - begin);
      exact[b] += query * key;
    }
  }
  std::vector<float> sums(blocks * size), average(size), pooled(blocks * size), query(size), scores(blocks);
  for (int64_t b = 0; b < blocks; ++b)
    attention::sum_rows(k + b * 64 * size, size, std::min<int64_t>(64, length - b * 64), size, sums.data() + b * size);
  attention::mean_of_blocks(sums.data(), blocks, size, length, average.data());
  attention::pool_keys(sums.data(), average.data(), blocks, size, length, pooled.data());
  attention::sum_rows(q, size, 128, size, query.data());
  for (float& x : query) x /= 128.0f;
  attention::block_scores(query.data(), pooled.data(), blocks, size, scores.data());
  for (int64_t b = 0; b < blocks; ++b) CHECK(scores[b] == doctest::Approx(exact[b]).epsilon(1e-4));
}

TEST_CASE("attention refuses tensors that do not fit together") {
  const Inputs in(64, 2, 64);
  const Context context = context_on(Backend::cpu);
  Tensor out = context.allocate(DType::f32, in.q.shape());
  const auto code = [](auto&& call) -> std::string {
    try {
      call();
    } catch (const Error& error) {
      return error.code();
    }
    return "";
  };
  const auto dense = [&](const Tensor& q, const Tensor& k, int64_t heads, const Tensor* bias, Tensor& to) {
    return code([&] { dense_attention(context, q, k, k, heads, 0.1f, bias, to); });
  };
  CHECK(dense(in.q, in.k, 2, nullptr, out) == "");
  CHECK(dense(in.q, in.k, 3, nullptr, out) == "engine.internal");
  CHECK(dense(in.q, in.k, 16, nullptr, out) == "engine.internal");  // a head of 8 channels
  CHECK(dense(in.q, in.k.reshaped({128, 64}), 2, nullptr, out) == "engine.internal");
  CHECK(dense(in.q, in.k, 2, &in.bias, out) == "engine.internal");
  Tensor half = context.allocate(DType::bf16, in.q.shape());
  CHECK(dense(in.q, in.k, 2, nullptr, half) == "engine.internal");
  const auto sparse = [&](SparseAttention settings) {
    return code([&] { sparse_attention(context, in.q, in.k, in.v, 2, settings, out); });
  };
  CHECK(sparse(in.settings(AttentionType::sla, 0.5)) == "");
  CHECK(sparse(in.settings(AttentionType::sla, 0.0)) == "settings.invalid");
  CHECK(sparse(in.settings(AttentionType::sla, 1.5)) == "settings.invalid");
  CHECK(sparse(in.settings(AttentionType::sla, NAN)) == "settings.invalid");
  CHECK(sparse(in.settings(AttentionType::original, 0.5)) == "engine.internal");
  CHECK(sparse({AttentionType::sla, 0.5, nullptr, nullptr}) == "engine.internal");
}
