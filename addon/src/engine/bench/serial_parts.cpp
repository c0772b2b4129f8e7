// What one thread does alone while the others wait, against a step and a frame as 16 cores would compute them: what
// would cap the gain of more cores.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>

#include "engine/bench/measure.h"
#include "engine/bench/random_model.h"
#include "engine/frame_audit.h"
#include "engine/stages.h"
#include "media/h264_encoder.h"
#include "models/wan_dit/wan_dit_tensors.h"
#include "models/wan_vae/wan_vae_tensors.h"
#include "ops/elementwise/elementwise.h"
#include "ops/norm/norm.h"
#include "ops/pixels/pixels.h"
#include "runtime/random.h"
#include "samplers/noise.h"

namespace rushes {
namespace {

constexpr int kCores = 16, kLayers = 30;
// Percent: so much of the gain of 16 cores may go.
constexpr double kMost = 10;
// 832x480x81: 21 latent frames, 32,760 tokens.
constexpr int kWidth = 832, kHeight = 480;
constexpr int64_t kLatentFrames = 21, kLatentHeight = kHeight / 8, kLatentWidth = kWidth / 8;

// Processor seconds: one thread's, the shortest of three.
double seconds_of(const std::function<void()>& run) {
  double best = 1e30;
  for (int count = 0; count < 3; ++count) best = std::min(best, times_of(run).processor);
  return best;
}

// On kCores cores like these, the products alone.
double floor_on_many_cores(const Bench& bench, const WorkCount& work) {
  const Ceilings& c = bench.ceilings();
  const double now = work.int8_ops / c.int8.rate + work.bf16_ops / c.bf16.rate + work.f32_ops / c.f32.rate;
  return now * bench.context(DType::bf16).threads / kCores;
}

WorkCount step_work(const Bench& bench) {
  const RandomCheckpoint file(wan_dit_tensors(wan_dit_1_3b(1)), true);
  WorkCount work;
  Context context = bench.context(DType::bf16);
  context.dry_run = true;
  const auto model = WanDit::load(context, Checkpoint::open(file.path()), LinearFormat::int8_tiles);
  const Tensor latents = context.allocate(DType::f32, {16, kLatentFrames, kLatentHeight, kLatentWidth});
  const DitText text = model->embed_text(context, context.allocate(DType::f32, {512, 4096}));
  context.work = &work;
  model->velocity(context, latents, 988, text, {AttentionType::sagesla, 0.1});
  work.int8_ops *= kLayers;  // what lies around the layers is a thousandth of them
  work.bf16_ops *= kLayers;
  work.f32_ops *= kLayers;
  return work;
}

// Of one frame: a latent frame makes four.
WorkCount frame_work(const Bench& bench) {
  const RandomCheckpoint file(wan_vae_tensors({.base = 96, .latent_channels = 16}), false);
  WorkCount one, two;
  Context context = bench.context(DType::bf16);
  context.dry_run = true;
  const auto model = WanVae::load(context, Checkpoint::open(file.path()));
  for (auto [frames, work] : {std::pair{1, &one}, std::pair{2, &two}}) {
    context.work = work;
    model->decode(context, context.allocate(DType::f32, {16, frames, kLatentHeight, kLatentWidth}), {},
                  [](const Tensor&, int64_t) {});
  }
  two.int8_ops = (two.int8_ops - one.int8_ops) / 4;
  two.bf16_ops = (two.bf16_ops - one.bf16_ops) / 4;
  two.f32_ops = (two.f32_ops - one.f32_ops) / 4;
  return two;
}

struct Part {
  const char* name;
  double seconds;
};

void report(Bench& bench, const std::string& what, const WorkCount& work, const std::vector<Part>& parts) {
  double sum = 0;
  std::string text;
  for (const Part& part : parts) {
    sum += part.seconds;
    char words[64];
    std::snprintf(words, sizeof words, "%s%s %.2f ms", text.empty() ? "" : ", ", part.name, part.seconds * 1e3);
    text += words;
  }
  const double floor = floor_on_many_cores(bench, work);
  char line[160];
  std::snprintf(line, sizeof line, "; products on %d cores %.3f s", kCores, floor);
  bench.note("one thread alone in " + what + ": " + text + line);
  bench.claim({"one thread alone in " + what, "% of its products on " + std::to_string(kCores) + " cores",
               100 * sum / floor, 0, bench.asked(kMost), false});
}

void step_parts(Bench& bench) {
  constexpr size_t kCount = 16 * kLatentFrames * kLatentHeight * kLatentWidth;
  std::vector<float> values(kCount);
  std::vector<Part> parts;
  parts.push_back({"noise", seconds_of([&] { philox_normal(7, 1, values); })});
  RcmSampler start({.steps = 4, .ode = true}, kCount);
  parts.push_back({"sampler", seconds_of([&] {
                     RcmSampler sampler = start;
                     sampler.model_input(values);
                     sampler.advance(values);
                   })});
  Context one = bench.context(DType::bf16);
  one.threads = 1;
  // Its angles only: the table itself is filled by all threads.
  parts.push_back({"rotary angles", seconds_of([&] {
                     make_rotary_table(one, kLatentFrames, 1, 1, 128);
                     make_rotary_table(one, 1, kLatentHeight / 2, 1, 128);
                     make_rotary_table(one, 1, 1, kLatentWidth / 2, 128);
                   })});
  const Tensor rows = check::random_tensor(one, {6, 1536}, 1);
  Tensor sum = one.allocate(DType::f32, rows.shape());
  parts.push_back({"modulation", kLayers * seconds_of([&] { add(one, rows, rows, sum); })});
  report(bench, "a step of 32,760 tokens", step_work(bench), parts);
}

// Of a frame of a film: ripples that move, all of it a little different from the frame before.
double seconds_of_way_out(std::vector<uint8_t>& rgb) {
  FrameAudit audit;
  std::unique_ptr<H264Encoder> encoder;
  if (H264Encoder::available())
    encoder = std::make_unique<H264Encoder>(H264Settings{.width = kWidth, .height = kHeight});
  std::vector<std::vector<uint8_t>> film(4, rgb);
  for (size_t frame = 0; frame < film.size(); ++frame)
    for (size_t i = 0; i < rgb.size(); ++i)
      film[frame][i] = static_cast<uint8_t>(127 + 120 * std::sin(0.01f * static_cast<float>(i % 997 + 20 * frame)));
  size_t next = 0;
  return seconds_of([&] {
    const std::vector<uint8_t>& picture = film[next++ % film.size()];
    audit.add(picture);
    if (encoder) encoder->encode(picture);
  });
}

void frame_parts(Bench& bench) {
  constexpr size_t kBytes = size_t{kWidth} * kHeight * 3;
  const Context context = bench.context(DType::bf16);
  const Tensor pixels = check::random_tensor(context, {kHeight, kWidth, 3}, 1, 0.4f);
  std::vector<uint8_t> rgb(kBytes);
  std::vector<Part> parts;
  parts.push_back({"8 bits", seconds_of([&] { pixels_to_rgb(pixels.data<float>(), rgb); })});
  const WorkCount work = frame_work(bench);
  report(bench, "a frame of 832x480", work, parts);
  // A thread of its own does these (FrameLine): the decode waits for them only where they take longer than it does.
  const double out = seconds_of_way_out(rgb);
  bench.claim({"checks and H.264 beside the decode of a frame of 832x480",
               "% of its products on " + std::to_string(kCores) + " cores",
               100 * out / floor_on_many_cores(bench, work), 0, bench.asked(100), false});
}

}  // namespace

void bench_serial_parts(Bench& bench) {
  if (bench.wanted("one thread alone in", "a step of 32,760 tokens")) step_parts(bench);
  if (bench.wanted("one thread alone in", "a frame of 832x480")) frame_parts(bench);
}

}  // namespace rushes
