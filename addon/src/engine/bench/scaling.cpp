// How much faster the operations and a whole step become with all threads than with one.
#include <algorithm>

#include "engine/bench/measure.h"
#include "engine/bench/random_model.h"
#include "models/wan_dit/wan_dit_tensors.h"
#include "ops/attention/attention.h"
#include "ops/convolution/convolution.h"
#include "runtime/random.h"

namespace rushes {
namespace {

// Percent of what so many threads should gain.
constexpr double kEfficiency = 90;
constexpr int kRuns = 3;

// `run` with one thread and with all, in turn, so that both meet the same neighbours; the shortest of each.
void compare(Bench& bench, const std::string& what, const std::function<void(const Context&)>& run) {
  const Context all = bench.context(DType::bf16);
  if (all.threads < 2) return;
  Context one = all;
  one.threads = 1;
  RunTimes alone{1e30, 1e30}, together = alone;
  run(all);
  for (int count = 0; count < kRuns; ++count)
    for (const bool single : {true, false}) {
      const RunTimes times = times_of([&] { run(single ? one : all); });
      RunTimes& best = single ? alone : together;
      best = {std::min(best.wall, times.wall), std::min(best.processor, times.processor)};
    }
  bench.claim({what + ", 1 -> " + std::to_string(all.threads) + " threads", "% of so many times as fast",
               100 * alone.wall / (together.wall * all.threads), 100 * alone.processor / together.processor,
               bench.asked(kEfficiency)});
}

bool wanted(const Bench& bench, const std::string& what) { return bench.wanted("threads of", what); }

void compare_linear(Bench& bench, int64_t tokens) {
  if (!wanted(bench, "int8 linear")) return;
  const Context context = bench.context(DType::bf16);
  const Tensor weight = check::random_tensor(context, {1536, 1536}, 1, 0.05f);
  const LinearSource source{"scaling", {"weight", weight.type(), weight.shape(), weight.raw()}, {}, {}};
  const auto layer = prepare_linear(context, source, LinearFormat::int8_tiles);
  const Tensor x = check::random_tensor(context, {tokens, 1536}, 2);
  Tensor out = context.allocate(DType::bf16, {tokens, 1536});
  compare(bench, "threads of int8 linear " + std::to_string(tokens) + "x1536x1536",
          [&](const Context& with) { linear(with, x, *layer, out); });
}

void compare_attention(Bench& bench, int64_t tokens) {
  if (!wanted(bench, "attention")) return;
  constexpr int64_t kHeads = 4, kHeadSize = 128;
  const Context context = bench.context(DType::bf16);
  const Tensor x = check::random_tensor(context, {tokens, kHeads * kHeadSize}, 1);
  Tensor q = context.allocate(DType::bf16, x.shape()), out = context.allocate(DType::bf16, x.shape());
  std::transform(x.data<float>(), x.data<float>() + x.count(), q.data<bf16>(), [](float value) { return bf16(value); });
  const Tensor weight = check::random_tensor(context, {kHeadSize, kHeadSize}, 2, 0.1f),
               bias = check::random_tensor(context, {kHeadSize}, 3);
  const std::string shape = std::to_string(tokens) + "x" + std::to_string(kHeads) + "x" + std::to_string(kHeadSize);
  compare(bench, "threads of dense attention " + shape,
          [&](const Context& with) { dense_attention(with, q, q, q, kHeads, 0.09f, nullptr, out); });
  compare(bench, "threads of sagesla attention 0.1 " + shape, [&](const Context& with) {
    sparse_attention(with, q, q, q, kHeads, {AttentionType::sagesla, 0.1, &weight, &bias}, out);
  });
}

void compare_convolution(Bench& bench, int64_t height, int64_t width) {
  if (!wanted(bench, "convolution")) return;
  constexpr int64_t kChannels = 96;
  const Context context = bench.context(DType::bf16);
  const Tensor weight = check::random_tensor(context, {kChannels, kChannels, 3, 3, 3}, 1, 0.05f);
  const auto layer = prepare_convolution(context, {"scaling", weight.type(), weight.shape(), weight.raw()}, nullptr);
  Tensor x = context.allocate(DType::bf16, {3, height, width, kChannels});
  std::fill_n(x.data<bf16>(), x.count(), bf16(0.5f));
  Tensor out = context.allocate(DType::bf16, {1, height, width, kChannels});
  compare(bench, "threads of bf16 convolution 3x3x3 96-96 " + std::to_string(width) + "x" + std::to_string(height),
          [&](const Context& with) {
            convolution(with, x, *layer, {.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1}, nullptr, out);
          });
}

void compare_step(Bench& bench, int64_t rows, int64_t columns) {
  if (!wanted(bench, "transformer step")) return;
  const RandomCheckpoint file(wan_dit_tensors(wan_dit_1_3b(1)), true);
  const Context context = bench.context(DType::bf16);
  const auto model = WanDit::load(context, Checkpoint::open(file.path()), LinearFormat::int8_tiles);
  const Tensor latents = check::random_tensor(context, {16, 5, 2 * rows, 2 * columns}, 1);
  const DitText text = model->embed_text(context, check::random_tensor(context, {512, 4096}, 2, 0.1f));
  compare(bench, "threads of transformer step " + std::to_string(5 * rows * columns) + " tokens, int8, SageSLA 0.1",
          [&](const Context& with) {
            model->velocity(with, latents, 988, text, {AttentionType::sagesla, 0.1});
          });
}

}  // namespace

void bench_scaling(Bench& bench) {
  const bool quick = bench.options().quick;
  compare_linear(bench, quick ? 780 : 7800);
  compare_attention(bench, quick ? 780 : 7800);
  compare_convolution(bench, quick ? 120 : 480, quick ? 208 : 832);
  compare_step(bench, quick ? 12 : 30, quick ? 13 : 52);
}

}  // namespace rushes
