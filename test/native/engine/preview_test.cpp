// The pictures after each step: decoded or approximate, and never of influence.
#include <doctest/doctest.h>

#include <array>

#include "engine/demo_run.h"
#include "engine/session.h"
#include "engine/step_preview.h"
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

ModelPaths demo_paths() {
  const DemoFiles names;
  return {names.dit, names.vae, names.text, 64};
}

// A step's preview in so much memory; `decoded`: of pictures decoded by a VAE that is loaded already.
struct SmallMemory {
  ModelFiles files = ModelFiles::open(demo_paths());
  LoadedParts parts;
  Plan plan;
  std::shared_ptr<const LatentColours> colours;
  std::vector<std::string> warnings;
  std::vector<bool> approximate;
  MemoryCounter memory;
  std::atomic<bool> cancelled = false;
  Context context;
  Observer observer;
  StepPreview preview{context, files, files, parts, plan, colours, observer};

  explicit SmallMemory(bool decoded, uint64_t bytes = 1000) : memory(bytes) {
    context.threads = 2;
    plan.settings = small_settings();
    plan.resident = decoded;
    plan.stages = {{.stage = rushes_stage_name(RUSHES_STAGE_SAMPLE), .seconds = 1e6}};
    if (decoded) parts.vae = WanVae::load(context, files.vae);
    context.memory = &memory;
    context.cancelled = &cancelled;
    observer.log = [this](LogLevel level, const std::string& line) {
      if (level == LogLevel::warning) warnings.push_back(line);
    };
    observer.preview = [this](const Preview& picture) { approximate.push_back(picture.approximate); };
  }
  void show(int step) {
    const Shape shape{files.latent_channels, 3, 8, 8};
    preview.show(std::vector<float>(static_cast<size_t>(files.latent_channels * 3 * 8 * 8)), shape, step);
  }
};

}  // namespace

TEST_CASE("a preview that fails is told of once, and no other one is decoded") {
  SmallMemory none(false);
  none.preview.prepare();
  none.show(1);
  CHECK(none.warnings.size() == 1);
  CHECK(none.approximate.empty());

  for (const bool with_colours : {false, true}) {
    SmallMemory decoded(true);
    Context roomy;
    roomy.threads = 2;
    if (with_colours)
      decoded.colours = std::make_shared<const LatentColours>(LatentColours::fit(roomy, *decoded.parts.vae));
    decoded.preview.prepare();
    decoded.show(1);
    decoded.show(2);
    CHECK(decoded.warnings.size() == 1);
    CHECK(decoded.approximate == std::vector<bool>(with_colours ? 2 : 0, true));
  }

  SmallMemory ended(true, 0);  // without a limit
  ended.preview.prepare();
  ended.cancelled = true;
  CHECK_THROWS_AS(ended.show(1), Cancelled);
}

TEST_CASE("a job goes on when its previews fail, to the same frames") {
  const auto frames_with = [](const std::function<void(const Preview&)>& preview) {
    Session session(demo_paths());
    std::vector<std::vector<uint8_t>> frames;
    Observer observer;
    observer.preview = preview;
    observer.frame = [&](int64_t, std::span<const uint8_t> rgb, int, int) {
      frames.emplace_back(rgb.begin(), rgb.end());
    };
    session.generate({.settings = small_settings(), .ids = {5, 20, 30, 40, 1}, .picture = {}, .paths = {}}, observer);
    return frames;
  };
  const auto fail = [](const Preview&) { throw Error("memory.exhausted", "There is no room for this picture."); };
  CHECK(frames_with(fail) == frames_with({}));
}

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
