// umT5-XXL's widths with random weights: a prompt of 100 words against its floor, the products at this machine's
// ceilings and one reading of the weights.
#include "engine/bench/measure.h"
#include "engine/bench/random_model.h"
#include "models/umt5/umt5.h"
#include "models/umt5/umt5_tensors.h"
#include "runtime/random.h"

namespace rushes {
namespace {

constexpr int kLayers = 24;
// A prompt of 100 words.
constexpr int kTokens = 130;
// Times the floor, at most.
constexpr double kTimesFloor = 2;

std::vector<int32_t> prompt(int tokens) {
  std::vector<int32_t> ids;
  for (int i = 0; i < tokens; ++i) ids.push_back(2 + i * 97 % 500);
  return ids;
}

void bench_format(Bench& bench, LinearFormat format, const char* name) {
  const bool quick = bench.options().quick;
  const std::string shape = std::to_string(kTokens) + " tokens, 1 of " + std::to_string(kLayers) + " layers, " +
                            (quick ? "a quarter as wide, " : "") + name;
  if (!bench.wanted("text encoder", shape)) return;
  // The embedding table is looked up, not computed with: a short one does.
  const int64_t part = quick ? 4 : 1;
  const Umt5Config sizes{.dim = 4096 / part, .heads = 64 / part, .ffn = 10240 / part, .layers = 1, .vocabulary = 512};
  const RandomCheckpoint file(umt5_tensors(sizes), false);
  const Context context = bench.context(DType::bf16);
  WorkCount loading, work;
  Context counting = context;
  counting.work = &loading;
  counting.dry_run = true;
  const auto planned = Umt5::load(counting, Checkpoint::open(file.path()), format);
  counting.work = &work;
  planned->encode(counting, prompt(kTokens), 512);
  const auto model = Umt5::load(context, Checkpoint::open(file.path()), format);
  const bool int8 = format == LinearFormat::int8_tiles;
  const double weights = loading.of(int8 ? Effort::weights_quantized : Effort::weights_bf16);
  const Ceilings& ceilings = bench.ceilings();
  const double floor = work.int8_ops / ceilings.int8.rate + work.bf16_ops / ceilings.bf16.rate +
                       work.f32_ops / ceilings.f32.rate + weights * (int8 ? 1 : 2) / ceilings.memory.rate;

  BenchCase c;
  c.operation = "text encoder";
  c.shape = shape;
  c.kernel = "Umt5::encode";
  c.ceiling = CeilingKind::int8;
  c.work = floor * ceilings.int8.rate;  // in int8 operations' time
  c.asked = bench.asked(1 / kTimesFloor);
  c.tolerance = int8 ? 5e-2 : 2e-2;
  c.error = [&] {
    const Context plain = bench.reference_context(DType::f32);
    const auto reference = Umt5::load(plain, Checkpoint::open(file.path()), format);
    return check::relative_error(model->encode(context, prompt(3), 8), reference->encode(plain, prompt(3), 8));
  };
  c.run = [&] { model->encode(context, prompt(kTokens), 512); };
  const BenchResult result = bench.measure(std::move(c));
  if (!quick)
    bench.claim({"umT5-XXL in " + std::string(name) + ", " + std::to_string(kTokens) + " tokens, warm, a layer",
                 "times the floor", result.seconds / floor, result.processor_seconds / floor, bench.asked(kTimesFloor),
                 false});
}

}  // namespace

void bench_text_encoder(Bench& bench) {
  bench_format(bench, LinearFormat::bf16, "bf16");
  bench_format(bench, LinearFormat::int8_tiles, "int8");
}

}  // namespace rushes
