// Sparse attention on pretended cards: every form and tile against the reference on odd shapes, the choice of key
// blocks to the last one, and what must hold whatever the kernel.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "cuda/cuda_device.h"
#include "cuda/emulator/host_emulator.h"
#include "emulator/pretended_card.h"
#include "ops/attention/attention_kernels.h"
#include "ops/attention/block_selection.h"
#include "runtime/random.h"

namespace rushes {
namespace {

using attention::SparseFunction;

struct Inputs {
  Inputs(int64_t heads, int64_t size, int64_t length, DType type)
      : heads(heads),
        size(size),
        q(check::random_tensor(Context{}, {length, heads * size}, 41, 1.5f, type)),
        k(check::random_tensor(Context{}, {length, heads * size}, 42, 1.5f, type)),
        v(check::random_tensor(Context{}, {length, heads * size}, 43, 1.0f, type)),
        weight(check::random_tensor(Context{}, {size, size}, 44, 0.2f)),
        bias(check::random_tensor(Context{}, {size}, 45, 0.1f)) {}
  int64_t heads, size;
  Tensor q, k, v, weight, bias;
};

struct Result {
  Tensor out, sparse, linear, chosen;
};

/// Everything that a call can give, on the host.
Result run(const Context& context, const Inputs& in, AttentionType type, double top_k, DType out_type = DType::f32,
           bool parts = true) {
  const Tensor q = to_device(context, in.q), k = to_device(context, in.k), v = to_device(context, in.v),
               weight = to_device(context, in.weight), bias = to_device(context, in.bias);
  const int64_t length = in.q.size(0);
  Result result{context.allocate(out_type, in.q.shape()), context.allocate(DType::f32, in.q.shape()),
                context.allocate(DType::f32, in.q.shape()),
                context.allocate(DType::i32, {in.heads, (length + 127) / 128, attention::kept_blocks(top_k, length)})};
  SparseAttentionParts wanted;
  if (parts) wanted = {&result.sparse, &result.linear, &result.chosen};
  sparse_attention(context, q, k, v, in.heads, {type, top_k, &weight, &bias}, result.out, wanted);
  result.out = to_host(context, result.out);
  if (!parts) return result;
  for (Tensor* part : {&result.sparse, &result.linear, &result.chosen}) *part = to_host(context, *part);
  return result;
}

Result run_reference(const Inputs& in, AttentionType type, double top_k) {
  Context context;
  context.backend = Backend::reference;
  context.threads = 2;
  return run(context, in, type, top_k);
}

bool same_bytes(const Tensor& a, const Tensor& b) {
  return a.bytes() == b.bytes() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

/// As the kernel checks allow (attention_checks.cpp says why).
double tolerance(const Context& context, DType type, AttentionType kind) {
  const auto name = choose_kernel(attention::sparse_kernels(type, kind), context).info.name;
  if (name.find("e4m3_v") != std::string_view::npos) return 3.5e-2;
  return type == DType::bf16 ? 1e-2 : kind == AttentionType::sagesla ? 1e-4 : 1e-5;
}

constexpr AttentionType kKinds[] = {AttentionType::sla, AttentionType::sagesla};

}  // namespace

TEST_CASE("sparse attention on every card agrees with the reference, part by part") {
  struct Case {
    int64_t heads, size, length;
    double top_k;
  };
  for (const Case& c : {Case{2, 128, 269, 0.5}, Case{1, 64, 200, 0.6}, Case{3, 40, 97, 1.0}, Case{1, 136, 70, 1.0},
                        Case{1, 16, 193, 0.3}})
    for (const DType type : {DType::f32, DType::bf16})
      for (const AttentionType kind : kKinds) {
        const Inputs in(c.heads, c.size, c.length, type);
        const Result expected = run_reference(in, kind, c.top_k);
        for (const int architecture : {80, 86, 89, 90, 120}) {
          if (type == DType::f32 && architecture != 86) continue;  // one kernel for all
          const PretendedCard card(architecture);
          const Result got = run(card.context(), in, kind, c.top_k);
          const double allowed = tolerance(card.context(), type, kind);
          CAPTURE(architecture);
          CAPTURE(c.size);
          CAPTURE(c.length);
          CAPTURE(static_cast<int>(kind));
          CHECK(check::relative_error(got.out, expected.out) < allowed);
          CHECK(check::relative_error(got.sparse, expected.sparse) < allowed);
          CHECK(check::relative_error(got.linear, expected.linear) < (type == DType::bf16 ? 1e-2 : 1e-5));
          CHECK(same_bytes(got.chosen, expected.chosen));
        }
      }
}

TEST_CASE("a card keeps the very key blocks that the reference keeps") {
  for (const DType type : {DType::f32, DType::bf16})
    for (const int64_t length : {1, 64, 65, 129, 700, 2100})
      for (const double top_k : {0.1, 0.5}) {
        if (length == 2100 && (top_k == 0.5 || type == DType::f32)) continue;  // the longest takes seconds
        const Inputs in(2, 24, length, type);
        const Result expected = run_reference(in, AttentionType::sla, top_k);
        for (const int multiprocessors : {1, 20, 200}) {  // tiles of eight, two and one query blocks
          const PretendedCard card(90, multiprocessors);
          CAPTURE(length);
          CAPTURE(multiprocessors);
          CHECK(same_bytes(run(card.context(), in, AttentionType::sla, top_k).chosen, expected.chosen));
        }
      }
}

TEST_CASE("of equal block scores a card keeps the lower blocks") {
  Inputs in(1, 32, 64 * 9, DType::f32);
  // The keys of four blocks, again and again: every score is there twice or three times.
  for (int64_t i = 4 * 64 * 32; i < in.k.count(); ++i) in.k.data<float>()[i] = in.k.data<float>()[i % (4 * 64 * 32)];
  const PretendedCard card(90);
  for (const double top_k : {0.2, 0.5, 0.7})
    CHECK(same_bytes(run(card.context(), in, AttentionType::sla, top_k).chosen,
                     run_reference(in, AttentionType::sla, top_k).chosen));
  // Scores of 0 and -0, and none at all.
  std::fill_n(in.k.data<float>(), in.k.count(), 1.0f);
  CHECK(same_bytes(run(card.context(), in, AttentionType::sla, 0.5).chosen,
                   run_reference(in, AttentionType::sla, 0.5).chosen));
  in.q.data<float>()[5] = NAN;
  CHECK(same_bytes(run(card.context(), in, AttentionType::sla, 0.5).chosen,
                   run_reference(in, AttentionType::sla, 0.5).chosen));
}

TEST_CASE("sparse attention on a card gives the same bits in whatever order its blocks run") {
  for (const DType type : {DType::f32, DType::bf16})
    for (const AttentionType kind : kKinds)
      for (const int architecture : {89, 90}) {
        const Inputs in(2, 64, 450, type);
        const PretendedCard card(architecture);
        const Result forward = run(card.context(), in, kind, 0.4);
        for (const auto order : {cuda::emulator::BlockOrder::reverse, cuda::emulator::BlockOrder::shuffled}) {
          cuda::emulator::set_block_order(order);
          const Result again = run(card.context(), in, kind, 0.4);
          CHECK(same_bytes(again.out, forward.out));
          CHECK(same_bytes(again.chosen, forward.chosen));
        }
      }
}

TEST_CASE("SLA at top-k 1.0 on a card equals dense attention plus its linear branch") {
  for (const DType type : {DType::f32, DType::bf16})
    for (const int64_t size : {64, 128}) {
      const Inputs in(2, size, 205, type);
      Context host;
      host.backend = Backend::reference;
      Tensor dense = host.allocate(DType::f32, in.q.shape());
      dense_attention(host, in.q, in.k, in.v, 2, 1.0f / std::sqrt(static_cast<float>(size)), nullptr, dense);
      const PretendedCard card(90);
      const Result got = run(card.context(), in, AttentionType::sla, 1.0);
      CHECK(check::relative_error(got.sparse, dense) < (type == DType::bf16 ? 5e-3 : 2e-6));
      for (int64_t i = 0; i < dense.count(); ++i) dense.data<float>()[i] += got.linear.data<float>()[i];
      CHECK(check::relative_error(got.out, dense) < (type == DType::bf16 ? 5e-3 : 2e-6));
    }
}

TEST_CASE("what sparse attention writes on a card does not depend on what else is asked for") {
  for (const AttentionType kind : kKinds)
    for (const int architecture : {80, 89}) {
      const Inputs in(2, 72, 190, DType::bf16);
      const PretendedCard card(architecture);
      const Result with_parts = run(card.context(), in, kind, 0.7);
      CHECK(same_bytes(run(card.context(), in, kind, 0.7, DType::f32, false).out, with_parts.out));
      const Tensor rounded = run(card.context(), in, kind, 0.7, DType::bf16, false).out;
      int64_t different = 0;
      for (int64_t i = 0; i < rounded.count(); ++i)
        different += rounded.data<bf16>()[i].bits != bf16(with_parts.out.data<float>()[i]).bits;
      CHECK(different == 0);
    }
}

TEST_CASE("values that share a large mean lose nothing to e4m3 by it") {
  Inputs in(1, 64, 256, DType::bf16);
  for (int64_t i = 0; i < in.v.count(); ++i) {
    bf16& value = in.v.data<bf16>()[i];
    value = bf16(0.5f * value + 8.0f);
  }
  const PretendedCard card(89);
  const Result got = run(card.context(), in, AttentionType::sagesla, 1.0),
               expected = run_reference(in, AttentionType::sagesla, 1.0);
  // The mean is 16 times what varies: rounded with it, every value would be off by 2.4% of 8.
  CHECK(check::relative_error(got.sparse, expected.sparse) < 2e-3);
}

TEST_CASE("what is not a number reaches the result of sparse attention on a card") {
  for (const DType type : {DType::f32, DType::bf16})
    for (const AttentionType kind : kKinds)
      for (const int architecture : {86, 89})
        for (const int which : {0, 1, 2})
          for (const float poison : {NAN, INFINITY}) {
            Inputs in(1, 64, 140, type);
            Tensor& poisoned = which == 0 ? in.q : which == 1 ? in.k : in.v;
            if (type == DType::f32)
              poisoned.data<float>()[70 * 64 + 5] = poison;
            else
              poisoned.data<bf16>()[70 * 64 + 5] = bf16(poison);
            const PretendedCard card(architecture);
            const Tensor out = run(card.context(), in, kind, 1.0, DType::f32, false).out;
            bool finite = true;
            for (int64_t i = 0; i < out.count(); ++i) finite = finite && std::isfinite(out.data<float>()[i]);
            CAPTURE(which);
            CAPTURE(architecture);
            CHECK(!finite);
          }
}

TEST_CASE("a plan counts the scratch that sparse attention takes on a card") {
  const Inputs in(3, 64, 450, DType::bf16);
  for (const AttentionType kind : kKinds)
    for (const int architecture : {80, 89}) {
      const PretendedCard card(architecture);
      uint64_t peaks[2];
      for (const bool dry_run : {false, true}) {
        MemoryCounter memory;
        Context context = card.context();
        context.device_memory = &memory;
        const Tensor q = to_device(context, in.q), weight = to_device(context, in.weight),
                     bias = to_device(context, in.bias);
        context.dry_run = dry_run;
        Tensor out = context.allocate(DType::bf16, in.q.shape());
        sparse_attention(context, q, q, q, 3, {kind, 0.2, &weight, &bias}, out);
        peaks[dry_run] = memory.peak();
      }
      CHECK(peaks[0] == peaks[1]);
      CHECK(peaks[0] > 0);
    }
}

}  // namespace rushes
