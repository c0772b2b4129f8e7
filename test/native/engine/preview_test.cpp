// The pictures after each step: decoded or approximate, and never of influence.
#include <doctest/doctest.h>

#include <array>

#include "engine/demo_run.h"
#include "models/wan_vae/latent_colours.h"

using namespace rushes;
using namespace rushes::check;

namespace {

// A budget in GiB in which the parts fit one after the other, not together.
double narrow_budget(const rushes_settings& settings) {
  rushes_settings trial = settings;
  for (double share = 0.98; share > 0.3; share -= 0.02) {
    trial.memory_budget = share * plan(DemoFiles(), settings)["peakBytes"].get<double>() / (1024.0 * 1024 * 1024);
    const nlohmann::json planned = plan(DemoFiles(), trial);
    if (planned["fits"] && !planned["resident"]) return trial.memory_budget;
  }
  FAIL("no budget parts the model");
  return 0;
}

}  // namespace

TEST_CASE("previews follow every step but the last and change no bit of the result") {
  Demo plain, watched;
  const rushes_settings settings = small_settings();
  const Outcome without = generate(plain, settings), with = generate(watched, settings, {.previews = true});
  REQUIRE_MESSAGE(with.status.code[0] == 0, with.status.sentence);
  CHECK(without.previews.empty());
  CHECK(with.frames == without.frames);
  REQUIRE(with.previews.size() == 2);
  // A machine that other programs or sanitizers keep slow may expect more than a tenth of a second of a picture, and
  // then shows approximate ones, rightly; not one that expects the whole clip in less.
  const bool quick = with.report["plan"]["stages"][3]["seconds"].get<double>() < 0.1;
  for (int i = 0; i < 2; ++i) {
    CHECK(with.previews[i].step == i + 1);
    if (quick) CHECK(!with.previews[i].approximate);
    CHECK(with.previews[i].width == (with.previews[i].approximate ? 8 : 64));
    CHECK(with.previews[i].height == (with.previews[i].approximate ? 8 : 64));
  }
}

TEST_CASE("where the VAE does not fit beside the transformer previews are approximate, and change nothing either") {
  rushes_settings settings = small_settings();
  settings.memory_budget = narrow_budget(settings);
  Demo plain, watched;
  const Outcome without = generate(plain, settings), with = generate(watched, settings, {.previews = true});
  REQUIRE_MESSAGE(with.status.code[0] == 0, with.status.sentence);
  CHECK(with.frames == without.frames);
  REQUIRE(with.previews.size() == 2);
  for (const Picture& picture : with.previews) {
    CHECK(picture.approximate);
    CHECK(picture.width == 8);
    CHECK(picture.height == 8);
  }
  for (const nlohmann::json& stage : with.report["stages"])
    CHECK(stage["peakBytes"].get<double>() <= settings.memory_budget * 1024 * 1024 * 1024);
  const Outcome again = generate(watched, settings, {.previews = true});
  CHECK(again.previews[1].rgb == with.previews[1].rgb);
}

TEST_CASE("the colours of latents follow the pictures they were made from") {
  Context context;
  context.threads = 2;
  const auto vae = WanVae::load(context, Checkpoint::open(DemoFiles().vae));
  const LatentColours colours = LatentColours::fit(context, *vae);
  const auto mean = [&](float red, float green, float blue) {
    const std::array colour{red, green, blue};
    const Tensor clip = context.allocate(DType::f32, {5, 64, 64, 3});
    for (int64_t i = 0; i < clip.count(); ++i) clip.data<float>()[i] = colour[static_cast<size_t>(i % 3)];
    const Tensor latents = vae->encode(context, clip);
    const std::vector<uint8_t> rgb =
        colours.picture({latents.data<float>(), static_cast<size_t>(latents.count())}, latents.shape(), 1);
    REQUIRE(rgb.size() == 8 * 8 * 3);
    std::array<double, 3> sum{};
    for (size_t i = 0; i < rgb.size(); ++i) sum[i % 3] += rgb[i] / 64.0;
    return sum;
  };
  const auto red = mean(0.8f, -0.7f, -0.7f), blue = mean(-0.7f, -0.7f, 0.8f), dark = mean(-0.8f, -0.8f, -0.8f),
             light = mean(0.8f, 0.8f, 0.8f);
  CHECK(red[0] > blue[0] + 30);
  CHECK(blue[2] > red[2] + 30);
  for (size_t c = 0; c < 3; ++c) CHECK(light[c] > dark[c] + 60);
}
