// Dense attention on the cuda backend: which tiles are chosen for which card, and what must hold besides agreement with
// the reference, which the kernel checks show.
#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

#include "cuda/attention_choice.h"
#include "ops/attention/attention_kernels.h"
#include "ops/check_context.h"
#include "runtime/random.h"
#include "runtime/status.h"

using namespace rushes;
using cuda::AttentionKernel;

namespace {

constexpr int kArchitectures[] = {80, 86, 87, 89, 90, 100, 103, 120, 121};

DeviceInfo card(int architecture) {
  DeviceInfo info;
  info.architecture = architecture;
  info.multiprocessors = architecture == 80 ? 108 : 128;
  info.shared_bytes = static_cast<uint64_t>(cuda::block_shared_limit(architecture));
  return info;
}

/// Kernels of the cuda backend that this build and machine can run, with a context for each.
std::vector<std::pair<Kernel<attention::DenseFunction>, Context>> cuda_kernels(DType type) {
  std::vector<std::pair<Kernel<attention::DenseFunction>, Context>> found;
  for (const auto& kernel : attention::dense_kernels(type))
    if (kernel.info.backend == Backend::cuda && check::can_check(kernel.info, CpuFeatures::host()))
      found.emplace_back(kernel, check::context_for(kernel.info, 1, type));
  if (found.empty()) MESSAGE("skipped: no GPU");
  return found;
}

}  // namespace

TEST_CASE("attention's tiles fit the shared memory of every card, whatever the shape") {
  for (const int architecture : kArchitectures)
    for (const DType type : {DType::bf16, DType::f32})
      for (int64_t size = 8; size <= 512; size += 8)
        for (const int64_t queries : {1, 64, 512, 7800, 32760})
          for (const bool bias : {false, true}) {
            const auto choice = cuda::choose_attention({type, 12, size, queries, queries, bias}, card(architecture));
            CAPTURE(architecture);
            CAPTURE(size);
            CAPTURE(queries);
            CHECK(choice.shared_bytes <= cuda::block_shared_limit(architecture));
            CHECK(choice.padded_head >= size);
            CHECK(choice.key_rows == 64);
            CHECK(choice.warps * 32 <= 256);
          }
}

TEST_CASE("attention's tiles follow card and shape") {
  const cuda::AttentionShape dit{DType::bf16, 12, 128, 32760, 32760, false};
  CHECK(cuda::choose_attention(dit, card(80)).shared_bytes == 64 << 10);  // two blocks in 164 KB
  CHECK(cuda::choose_attention(dit, card(90)).shared_bytes == 96 << 10);  // two in 228 KB
  CHECK(cuda::choose_attention(dit, card(89)).warps == 8);
  CHECK(cuda::choose_attention(dit, card(103)) == cuda::choose_attention(dit, card(100)));
  CHECK(cuda::choose_attention(dit, card(121)) == cuda::choose_attention(dit, card(120)));
  CHECK(cuda::choose_attention(dit, card(90)).query_rows == 128);
  // 20 x 12 blocks of 128 rows would leave part of 128 multiprocessors with one block.
  CHECK(cuda::choose_attention({DType::bf16, 12, 128, 2560, 2560, false}, card(90)).query_rows == 64);
  CHECK(cuda::choose_attention({DType::bf16, 12, 128, 2816, 2816, false}, card(90)).query_rows == 128);
  CHECK(cuda::choose_attention({DType::bf16, 64, 64, 512, 512, true}, card(90)).query_rows == 64);
  CHECK(cuda::choose_attention({DType::bf16, 1, 384, 6240, 6240, false}, card(86)).kernel == AttentionKernel::wide);
  CHECK(cuda::choose_attention({DType::f32, 1, 384, 6240, 6240, false}, card(86)).kernel == AttentionKernel::f32);
  CHECK_THROWS_AS(cuda::choose_attention({DType::bf16, 1, 520, 8, 8, false}, card(90)), Error);
  CHECK_THROWS_AS(cuda::choose_attention({DType::bf16, 1, 12, 8, 8, false}, card(90)), Error);
}

TEST_CASE("attention on a card writes bf16 exactly as its f32 result rounds") {
  struct Case {
    int64_t heads, size, queries, keys;
  };
  for (const Case& c : {Case{2, 128, 135, 70}, Case{3, 64, 33, 129}, Case{1, 40, 17, 5}, Case{1, 264, 70, 65}})
    for (const auto& [kernel, context] : cuda_kernels(DType::bf16)) {
      const int64_t width = c.heads * c.size;
      const Tensor q = check::random_tensor(context, {c.queries, width}, 21, 1.5f, DType::bf16),
                   k = check::random_tensor(context, {c.keys, width}, 22, 1.5f, DType::bf16),
                   v = check::random_tensor(context, {c.keys, width}, 23, 1.0f, DType::bf16);
      Tensor full = context.allocate(DType::f32, q.shape()), rounded = context.allocate(DType::bf16, q.shape());
      kernel.run(context, {q, k, v, c.heads, c.size, c.queries, c.keys, 0.1f, nullptr, full});
      kernel.run(context, {q, k, v, c.heads, c.size, c.queries, c.keys, 0.1f, nullptr, rounded});
      const Tensor on_host = to_host(context, full), as_bf16 = to_host(context, rounded);
      int64_t different = 0;
      for (int64_t i = 0; i < on_host.count(); ++i)
        different += as_bf16.data<bf16>()[i].bits != bf16(on_host.data<float>()[i]).bits;
      CAPTURE(kernel.info.name);
      CAPTURE(c.size);
      CHECK(different == 0);
    }
}

TEST_CASE("attention on a card keeps scores apart that are far apart, and shows what is not a number") {
  for (const DType type : {DType::bf16, DType::f32})
    for (const auto& [kernel, context] : cuda_kernels(type))
      for (const int64_t size : {64, 192}) {
        const Context host = context.on_host();
        const int64_t length = 150;
        Tensor q = check::random_tensor(host, {length, size}, 31, 1500.0f, type),
               k = check::random_tensor(host, {length, size}, 32, 1.5f, type),
               v = check::random_tensor(host, {length, size}, 33, 1.0f, type);
        Tensor expected = host.allocate(DType::f32, q.shape());
        attention::dense_reference(host, {q, k, v, 1, size, length, length, 0.1f, nullptr, expected});
        const auto on_card = [&] {
          const Tensor card_q = to_device(context, q), card_k = to_device(context, k), card_v = to_device(context, v);
          Tensor out = context.allocate(DType::f32, q.shape());
          kernel.run(context, {card_q, card_k, card_v, 1, size, length, length, 0.1f, nullptr, out});
          return to_host(context, out);
        };
        CAPTURE(kernel.info.name);
        CAPTURE(size);
        CHECK(check::relative_error(on_card(), expected) < (type == DType::bf16 ? 1e-2 : 1e-3));
        // A value that is not finite reaches its own row, or its column of all rows, and nothing else.
        if (type == DType::f32)
          q.data<float>()[70 * size] = NAN;
        else
          q.data<bf16>()[70 * size] = bf16(NAN);
        const Tensor spoiled = on_card();
        for (int64_t row = 0; row < length; ++row)
          CHECK(std::isnan(spoiled.data<float>()[row * size + 3]) == (row == 70));
      }
}
