// How soon a large operation is left once its job is cancelled: engine.md allows 200 ms.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <thread>

#include "ops/attention/attention.h"
#include "ops/convolution/convolution.h"
#include "ops/linear/linear.h"
#include "runtime/processor_time.h"

using namespace rushes;

namespace {

constexpr int kThreads = 2;
// Of the time of one thread. Neighbours stretch what they share caches with: of so many attempts the best counts.
constexpr double kMostSeconds = 0.2;
constexpr int kAttempts = 6;

Context context_of(const std::atomic<bool>* cancelled = nullptr) {
  Context context;
  context.backend = Backend::cpu;
  context.threads = kThreads;
  context.compute = CpuFeatures::host().avx512_bf16 ? DType::bf16 : DType::f32;
  context.cancelled = cancelled;
  return context;
}

// What is multiplied takes no other time for being zero.
Tensor zeros(DType type, const Shape& shape) {
  Tensor tensor = Context().allocate(type, shape);
  std::memset(tensor.raw(), 0, tensor.bytes());
  return tensor;
}

TensorView view_of(const Tensor& tensor) { return {"large", tensor.type(), tensor.shape(), tensor.raw()}; }

// `run` must take far longer than the sleep before the request, on any machine.
void check_left_soon(const std::function<void(const Context&)>& run) {
  double late = 1e30;
  for (int attempt = 0; attempt < kAttempts && late > kMostSeconds; ++attempt) {
    std::atomic<bool> cancelled{false};
    double asked = 0;
    std::thread other([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      asked = process_processor_seconds();
      cancelled = true;
    });
    bool left = false;
    try {
      run(context_of(&cancelled));
    } catch (const Cancelled&) {
      left = true;
    }
    const double ended = process_processor_seconds();
    other.join();
    REQUIRE(left);
    late = std::min(late, (ended - asked) / kThreads);
  }
  MESSAGE("left after " << late << " s");
  CHECK(late <= kMostSeconds);
}

}  // namespace

TEST_CASE("a large product is left soon after cancellation") {
  const Tensor weight = zeros(DType::bf16, {8192, 4096}), x = zeros(DType::bf16, {60000, 4096});
  Tensor out = zeros(DType::bf16, {60000, 8192});
  for (const LinearFormat format : {LinearFormat::int8_tiles, LinearFormat::f32}) {
    CAPTURE(static_cast<int>(format));
    const auto layer = prepare_linear(context_of(), {"large", view_of(weight), {}, {}}, format);
    check_left_soon([&](const Context& context) { linear(context, x, *layer, out); });
  }
}

TEST_CASE("large attention is left soon after cancellation") {
  constexpr int64_t kTokens = 20000, kHeads = 12, kHeadSize = 128;
  const DType type = context_of().compute;
  const Tensor q = zeros(type, {kTokens, kHeads * kHeadSize}), k = zeros(type, {kTokens, kHeads * kHeadSize}),
               v = zeros(type, {kTokens, kHeads * kHeadSize});
  const Tensor weight = zeros(DType::f32, {kHeadSize, kHeadSize}), bias = zeros(DType::f32, {kHeadSize});
  Tensor out = zeros(type, {kTokens, kHeads * kHeadSize});
  check_left_soon([&](const Context& context) { dense_attention(context, q, k, v, kHeads, 0.1f, nullptr, out); });
  for (const AttentionType kind : {AttentionType::sla, AttentionType::sagesla}) {
    CAPTURE(static_cast<int>(kind));
    const SparseAttention settings{kind, 0.5, &weight, &bias};
    check_left_soon([&](const Context& context) { sparse_attention(context, q, k, v, kHeads, settings, out); });
  }
}

TEST_CASE("a large convolution is left soon after cancellation") {
  const Tensor weight = zeros(DType::bf16, {96, 96, 3, 3, 3});
  const auto layer = prepare_convolution(context_of(), view_of(weight), nullptr);
  const Tensor x = zeros(context_of().compute, {6, 480, 832, 96});
  Tensor out = zeros(context_of().compute, {4, 480, 832, 96});
  const ConvolutionShape same = {.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1};
  check_left_soon([&](const Context& context) { convolution(context, x, *layer, same, nullptr, out); });
}
