// engine_peer FOLDER [--threads N] [--latent-frames N]: the same products by ggml and by Rushes, in turn, in one run.
// FOLDER holds a prebuilt ggml as shared libraries. A tool for measuring; nothing of the product uses it.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "engine/bench/measure.h"
#include "engine/bench/random_model.h"
#include "models/wan_dit/wan_dit_tensors.h"
#include "ops/attention/attention.h"
#include "peer/ggml_library.h"
#include "runtime/random.h"
#include "runtime/sleeping_team.h"

namespace {

using namespace rushes;
using peer::Ggml;
using peer::GgmlType;

constexpr int64_t kWidth = 1536, kFeedForward = 8960, kHeads = 12, kHeadSize = 128, kText = 512;

struct Options {
  std::string folder;
  int threads = 2;
  int64_t latent_frames = 5;  // of 832x480: 1,560 tokens each
};

std::vector<float> random_values(int64_t count, float scale, uint32_t seed) {
  std::vector<float> out(static_cast<size_t>(count));
  uint32_t state = seed;
  for (float& value : out) {
    state = state * 1664525u + 1013904223u;
    value = scale * (static_cast<float>(state >> 8) * 0x1p-23f - 1.0f);
  }
  return out;
}

Tensor rounded(const Context& context, const std::vector<float>& values, Shape shape) {
  Tensor out = context.allocate(DType::bf16, std::move(shape));
  std::transform(values.begin(), values.end(), out.data<bf16>(), [](float value) { return bf16(value); });
  return out;
}

double distance(std::span<const float> a, const float* b) {
  double difference = 0, length = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * static_cast<double>(a[i] - b[i]);
    length += static_cast<double>(b[i]) * b[i];
  }
  return std::sqrt(difference / length);
}

// Of `runs` runs the shortest, by the clock and by the processor.
RunTimes shortest(int runs, const std::function<void()>& run) {
  RunTimes best{1e30, 1e30};
  for (int count = 0; count < runs; ++count) {
    const RunTimes times = times_of(run);
    best = {std::min(best.wall, times.wall), std::min(best.processor, times.processor)};
  }
  return best;
}

void print(const char* who, const std::string& what, const RunTimes& times, double operations, int threads,
           double error) {
  std::printf("%-7s %-44s %9.1f ms  %8.1f GOPS (%.1f in processor time)", who, what.c_str(), times.wall * 1e3,
              operations / times.wall / 1e9, operations / (times.processor / threads) / 1e9);
  if (error >= 0) std::printf("  differs by %.1e", error);
  std::printf("\n");
  std::fflush(stdout);
}

struct Format {
  const char* name;
  GgmlType type;
  bool repack;
  double seconds = 0, processor = 0;  // of a layer's products
};

/// Compares products and adds up what a layer of the transformer takes.
class Comparison {
 public:
  Comparison(const Options& options, Ggml& library) : options_(options), library_(library) {
    context_.threads = options.threads;
    context_.compute = DType::bf16;
    rows_ = options.latent_frames * 30 * 52;
  }

  void linear_layer(int64_t depth, int64_t outputs, double in_a_layer) {
    const auto weight = random_values(depth * outputs, 0.05f, 1), x = random_values(rows_ * depth, 2, 2);
    const Tensor our_weight = rounded(context_, weight, {outputs, depth}), our_x = rounded(context_, x, {rows_, depth});
    const LinearSource source{"peer", {"weight", DType::bf16, our_weight.shape(), our_weight.raw()}, {}, {}};
    const auto layer = prepare_linear(context_, source, LinearFormat::int8_tiles);
    Tensor out = context_.allocate(DType::bf16, {rows_, outputs});
    linear(context_, our_x, *layer, out);
    std::vector<float> ours(static_cast<size_t>(out.count()));
    for (size_t i = 0; i < ours.size(); ++i) ours[i] = out.data<bf16>()[i];
    const double operations = 2.0 * static_cast<double>(rows_) * static_cast<double>(depth * outputs);
    const std::string shape = std::to_string(rows_) + "x" + std::to_string(depth) + "x" + std::to_string(outputs);
    const RunTimes our_times = shortest(3, [&] { linear(context_, our_x, *layer, out); });
    print("Rushes", "int8 linear " + shape, our_times, operations, options_.threads, -1);
    for (Format& format : formats_) {
      const auto product = library_.linear(format.type, format.repack, weight, x, depth, outputs, rows_);
      product->compute();
      const double error = distance(product->result(), ours.data());
      const RunTimes times = shortest(2, [&] { product->compute(); });
      print("ggml", std::string(format.name) + (product->repacked() ? " repacked " : " ") + shape, times, operations,
            options_.threads, error);
      std::printf("        Rushes is %.1f times faster (%.1f in processor time)\n", times.wall / our_times.wall,
                  times.processor / our_times.processor);
      format.seconds += in_a_layer * times.wall;
      format.processor += in_a_layer * times.processor;
    }
  }

  // ggml's on a part of the queries where all would take minutes: its cost grows with them.
  void attention(int64_t keys, int64_t most_queries, int64_t heads) {
    const int64_t queries = std::min(rows_, most_queries);
    const double scale = 1 / std::sqrt(static_cast<double>(kHeadSize));
    const auto q = random_values(heads * queries * kHeadSize, 2, 3), k = random_values(heads * keys * kHeadSize, 2, 4),
               v = random_values(heads * keys * kHeadSize, 1, 5);
    const auto product = library_.attention(q, k, v, kHeadSize, queries, keys, heads, static_cast<float>(scale));
    product->compute();
    const double error = distance(product->result(), ours(q, k, v, queries, keys, heads, scale).data<float>());
    const RunTimes times = shortest(1, [&] { product->compute(); });
    const double share = static_cast<double>(rows_) * kHeads / static_cast<double>(queries * heads);
    print("ggml",
          "flash attention " + std::to_string(queries) + " of " + std::to_string(keys) + ", " + std::to_string(heads) +
              " heads",
          times, 4.0 * static_cast<double>(queries * keys * heads * kHeadSize), options_.threads, error);
    attention_seconds_ += share * times.wall;
    attention_processor_ += share * times.processor;
  }

  void step() {
    const RandomCheckpoint file(wan_dit_tensors(wan_dit_1_3b(1)), true);
    const auto model = WanDit::load(context_, Checkpoint::open(file.path()), LinearFormat::int8_tiles);
    const Tensor latents = check::random_tensor(context_, {16, options_.latent_frames, 60, 104}, 1);
    const DitText text = model->embed_text(context_, check::random_tensor(context_, {kText, 4096}, 2, 0.1f));
    const RunTimes ours = shortest(2, [&] {
      model->velocity(context_, latents, 988, text, {AttentionType::sagesla, 0.1});
    });
    std::printf(
        "\nA layer of a step at %lld tokens: Rushes, int8 and SageSLA 0.1, everything: %.3f s (%.3f of the "
        "processor a thread)\n",
        static_cast<long long>(rows_), ours.wall, ours.processor / options_.threads);
    for (const Format& format : formats_) {
      const double seconds = format.seconds + attention_seconds_, processor = format.processor + attention_processor_;
      std::printf(
          "ggml, %s, its products and dense flash attention alone, added up: %.3f s, %.1f times as long (%.1f in "
          "processor time)\n",
          format.name, seconds, seconds / ours.wall, processor / ours.processor);
    }
  }

 private:
  // q [heads, queries, size] -> what ggml gives, [queries, heads, size].
  Tensor ours(const std::vector<float>& q, const std::vector<float>& k, const std::vector<float>& v, int64_t queries,
              int64_t keys, int64_t heads, double scale) const {
    const auto rows_of = [&](const std::vector<float>& x, int64_t rows) {
      Tensor out = context_.allocate(DType::bf16, {rows, heads * kHeadSize});
      for (int64_t h = 0; h < heads; ++h)
        for (int64_t r = 0; r < rows; ++r)
          for (int64_t d = 0; d < kHeadSize; ++d)
            out.data<bf16>()[(r * heads + h) * kHeadSize + d] =
                bf16(x[static_cast<size_t>((h * rows + r) * kHeadSize + d)]);
      return out;
    };
    Tensor out = context_.allocate(DType::f32, {queries, heads * kHeadSize});
    const Tensor our_q = rows_of(q, queries), our_k = rows_of(k, keys), our_v = rows_of(v, keys);
    dense_attention(context_, our_q, our_k, our_v, heads, static_cast<float>(scale), nullptr, out);
    Tensor timed = context_.allocate(DType::bf16, out.shape());
    const RunTimes times = shortest(
        2, [&] { dense_attention(context_, our_q, our_k, our_v, heads, static_cast<float>(scale), nullptr, timed); });
    print("Rushes",
          "dense attention " + std::to_string(queries) + " of " + std::to_string(keys) + ", " + std::to_string(heads) +
              " heads",
          times, 4.0 * static_cast<double>(queries * keys * heads * kHeadSize), options_.threads, -1);
    return out;
  }

  const Options& options_;
  Ggml& library_;
  Context context_;
  int64_t rows_ = 0;
  std::vector<Format> formats_ = {{"Q8_0", GgmlType::q8_0, true},
                                  {"F16", GgmlType::f16, false},
                                  {"BF16", GgmlType::bf16, false},
                                  {"Q4_0", GgmlType::q4_0, true}};
  double attention_seconds_ = 0, attention_processor_ = 0;
};

void compare(const Options& options) {
  Ggml library(options.folder, options.threads);
  std::printf("ggml: %s; %d threads\n", library.name().c_str(), options.threads);
  Comparison comparison(options, library);
  const int64_t tokens = options.latent_frames * 30 * 52;
  comparison.linear_layer(kWidth, kWidth, 6);  // q, k, v, o; q and o of the cross attention; the text's are left out
  comparison.linear_layer(kWidth, kFeedForward, 1);
  comparison.linear_layer(kFeedForward, kWidth, 1);
  comparison.attention(tokens, tokens > 20000 ? 2048 : tokens, tokens > 20000 ? 1 : 4);
  comparison.attention(kText, tokens, 4);
  comparison.step();
}

}  // namespace

int main(int argc, char** argv) {
  prefer_sleeping_team(argv);
  Options options;
  options.threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  bool understood = argc > 1;
  if (understood) options.folder = argv[1];
  for (int i = 2; understood && i < argc; i += 2) {
    const std::string flag = argv[i];
    const int value = i + 1 < argc ? std::atoi(argv[i + 1]) : 0;
    if (flag == "--threads" && value > 0)
      options.threads = value;
    else if (flag == "--latent-frames" && value > 0)
      options.latent_frames = value;
    else
      understood = false;
  }
  if (!understood) {
    std::fprintf(stderr, "engine_peer FOLDER [--threads N] [--latent-frames N]\n");
    return 2;
  }
  try {
    compare(options);
    return 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "%s %s %s\n", error.sentence().c_str(), error.advice().c_str(), error.detail().c_str());
    return 1;
  }
}
