// Videos that start from a picture: one transformer or a pair of experts, against the same clip put together by hand.
#include <algorithm>
#include <cstring>

#include "engine/expert_pair.h"
#include "files/checkpoint.h"
#include "models/wan_dit/wan_dit.h"
#include "models/wan_vae/wan_vae.h"
#include "samplers/rcm.h"

using namespace rushes;
using rushes::check::Demo;
using rushes::check::DemoFiles;
using rushes::check::ExpertPair;
using rushes::check::generate;
using rushes::check::Job;
using rushes::check::kChannels;
using rushes::check::kMask;
using rushes::check::Outcome;
using rushes::check::picture_of;
using rushes::check::plan;
using rushes::check::small_settings;

namespace {

rushes_settings picture_settings() {
  rushes_settings settings = small_settings();
  settings.num_steps = 4;
  settings.threads = 2;
  settings.sigma_max = 200;  // times 0.995, 0.934, 0.853, 0.609
  settings.attention_type = RUSHES_ATTENTION_TYPE_SLA;
  settings.sla_topk = 0.3;
  return settings;
}

Tensor read(const std::string& path, const char* name) {
  const auto file = Checkpoint::open(path);
  const TensorView* entry = file->find(name);
  REQUIRE(entry);
  Tensor out = Context().allocate(entry->type, entry->shape);
  std::memcpy(out.raw(), file->view(*entry).data, out.bytes());
  return out;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

Context context_of(const rushes_settings& settings) {
  Context context;
  context.backend = Backend::cpu;
  context.threads = static_cast<int>(settings.threads);
  return context;
}

// The clip's frames in full, encoded at once, and every step with the transformer that `is_low` names.
Tensor by_hand(const DemoFiles& files, const rushes_settings& settings, const std::vector<uint8_t>& rgb,
               const Tensor& text, const std::function<bool(int step)>& is_low) {
  const Context context = context_of(settings);
  Tensor frames = context.allocate(DType::f32, {settings.num_frames, settings.height, settings.width, 3});
  std::fill_n(frames.data<float>(), frames.count(), 0.0f);
  for (size_t i = 0; i < rgb.size(); ++i) frames.data<float>()[i] = static_cast<float>(rgb[i]) / 127.5f - 1.0f;
  const Tensor first = WanVae::load(context, Checkpoint::open(files.vae))->encode(context, frames);
  const int64_t count = first.count(), of_channel = count / kChannels, cells = settings.height / 8 * settings.width / 8;
  Tensor input = context.allocate(DType::f32, {2 * kChannels + kMask, first.size(1), first.size(2), first.size(3)});
  float* mask = input.data<float>() + count;
  for (int64_t i = 0; i < kMask * of_channel; ++i) mask[i] = i % of_channel < cells ? 1.0f : 0.0f;
  for (int64_t i = 0; i < count; ++i) mask[kMask * of_channel + i] = bf16(first.data<float>()[i]);
  const auto high = WanDit::load(context, Checkpoint::open(files.dit), LinearFormat::f32);
  const auto low = WanDit::load(context, Checkpoint::open(files.low), LinearFormat::f32);
  RcmSampler sampler({static_cast<int>(settings.num_steps), settings.sigma_max, settings.ode != 0,
                      static_cast<uint64_t>(settings.seed)},
                     count);
  while (!sampler.finished()) {
    sampler.model_input({input.data<float>(), static_cast<size_t>(count)});
    const WanDit& dit = is_low(sampler.step()) ? *low : *high;
    const Tensor velocity =
        dit.velocity(context, input, rcm_timestep(sampler.time()), text, {AttentionType::sla, settings.sla_topk});
    sampler.advance({velocity.data<float>(), static_cast<size_t>(count)});
  }
  Tensor latents = context.allocate(DType::f32, first.shape());
  std::transform(sampler.x().begin(), sampler.x().end(), latents.data<float>(),
                 [](double value) { return static_cast<float>(value); });
  return latents;
}

std::string why(const Outcome& outcome) { return outcome.status.sentence; }

}  // namespace

TEST_CASE("a video starts from a picture as the published pipeline does, two experts taking turns at the boundary") {
  const ExpertPair pair;
  Demo demo(pair.files());
  const rushes_settings settings = picture_settings();
  Job job{.latents = pair.path("latents"), .embedding = pair.path("text")};
  job.image = picture_of(settings);
  const Outcome outcome = generate(demo, settings, job);
  REQUIRE_MESSAGE(outcome.status.code[0] == 0, why(outcome));
  CHECK(outcome.frames.size() == 9);
  CHECK(outcome.packets == 9);
  const Tensor text = read(job.embedding, "context");
  CHECK(same_bits(read(job.latents, "latents"),
                  by_hand(pair.files(), settings, job.image, text, [](int step) { return step >= 2; })));
  std::vector<std::string> stages;
  for (const auto& stage : outcome.report["stages"]) stages.push_back(stage["stage"]);
  CHECK(stages == std::vector<std::string>{"text", "image", "load", "sample", "decode"});

  // The picture matters: the same job with another one makes another video.
  std::reverse(job.image.begin(), job.image.end());
  job.latents = pair.path("other");
  CHECK(generate(demo, settings, job).status.code[0] == 0);
  CHECK_FALSE(same_bits(read(job.latents, "latents"), read(pair.path("latents"), "latents")));
}

TEST_CASE("the boundary says which expert runs a step") {
  const ExpertPair pair;
  rushes_settings settings = picture_settings();
  const auto run = [&](const DemoFiles& files, double boundary) {
    settings.boundary = boundary;
    Demo demo(files);
    Job job{.latents = pair.path("latents")};
    job.image = picture_of(settings);
    std::filesystem::remove(job.latents);
    const Outcome outcome = generate(demo, settings, job);
    REQUIRE_MESSAGE(outcome.status.code[0] == 0, why(outcome));
    return read(job.latents, "latents");
  };
  const Tensor high = run(pair.of(pair.high(), ""), 0.9), low = run(pair.of(pair.low(), ""), 0.9);
  CHECK_FALSE(same_bits(high, low));
  CHECK(same_bits(run(pair.files(), 0.5), high));
  CHECK(same_bits(run(pair.files(), 1.0), low));
  CHECK_FALSE(same_bits(run(pair.files(), 0.9), high));
  settings.num_steps = 2;  // 0.995 and 0.934: the low-noise expert is never needed
  CHECK(same_bits(run(pair.files(), 0.9), run(pair.of(pair.high(), ""), 0.9)));
}

TEST_CASE("once a step was below the boundary, the low-noise expert stays") {
  const ExpertPair pair;
  rushes_settings settings = picture_settings();
  settings.sigma_max = 5;  // times 0.833, 0.934, 0.853, 0.609
  const auto run = [&](const DemoFiles& files, const Job& given = {}) {
    Demo demo(files);
    Job job = given;
    job.latents = pair.path("latents");
    job.image = picture_of(settings);
    std::filesystem::remove(job.latents);
    const Outcome outcome = generate(demo, settings, job);
    REQUIRE_MESSAGE(outcome.status.code[0] == 0, why(outcome));
    return read(job.latents, "latents");
  };
  const Tensor low = run(pair.of(pair.low(), ""), {.prefix = pair.path("step")});
  CHECK(same_bits(run(pair.files()), low));
  CHECK(same_bits(run(pair.files(), {.resume = pair.path("step-step1.safetensors"), .start_step = 1}), low));
  CHECK(plan(pair.files(), settings)["peakBytes"] < plan(pair.files(), picture_settings())["peakBytes"]);
}

TEST_CASE("where not all parts fit together, experts take each other's place, with the same bits and as planned") {
  const ExpertPair pair;
  rushes_settings settings = picture_settings();
  Job job{.latents = pair.path("latents")};
  job.image = picture_of(settings);
  const nlohmann::json roomy = plan(pair.files(), settings);
  REQUIRE(roomy["resident"] == true);
  Demo demo(pair.files());
  REQUIRE(generate(demo, settings, job).status.code[0] == 0);
  const Tensor expected = read(job.latents, "latents");

  settings.memory_budget = 0.95 * roomy["peakBytes"].get<double>() / (1 << 30);
  const nlohmann::json tight = plan(pair.files(), settings);
  REQUIRE(tight["fits"] == true);
  CHECK(tight["resident"] == false);
  CHECK(tight["peakBytes"] < roomy["peakBytes"]);
  Demo fresh(pair.files());
  const Outcome outcome = generate(fresh, settings, job);
  REQUIRE_MESSAGE(outcome.status.code[0] == 0, why(outcome));
  CHECK(same_bits(read(job.latents, "latents"), expected));
  CHECK(std::any_of(outcome.lines.begin(), outcome.lines.end(),
                    [](const std::string& line) { return line.find("low-noise expert") != std::string::npos; }));
  REQUIRE(outcome.report["stages"].size() == tight["stages"].size());
  for (size_t i = 0; i < tight["stages"].size(); ++i) {
    CHECK(outcome.report["stages"][i]["stage"] == tight["stages"][i]["stage"]);
    CHECK(outcome.report["stages"][i]["peakBytes"].get<double>() ==
          doctest::Approx(tight["stages"][i]["peakBytes"].get<double>()).epsilon(0.05));
  }
}

TEST_CASE("a stopped job goes on from a step of either expert") {
  const ExpertPair pair;
  Demo demo(pair.files());
  const rushes_settings settings = picture_settings();
  Job job{.latents = pair.path("latents"), .prefix = pair.path("step")};
  job.image = picture_of(settings);
  REQUIRE(generate(demo, settings, job).status.code[0] == 0);
  const Tensor expected = read(job.latents, "latents");
  for (const int step : {1, 2, 3}) {
    Job rest{.latents = pair.path("rest"),
             .resume = pair.path("step") + "-step" + std::to_string(step) + ".safetensors",
             .start_step = step};
    rest.image = job.image;
    Demo fresh(pair.files());
    const Outcome outcome = generate(fresh, settings, rest);
    REQUIRE_MESSAGE(outcome.status.code[0] == 0, why(outcome));
    CHECK(same_bits(read(rest.latents, "latents"), expected));
  }
}

TEST_CASE("the plan of a job that goes on counts the experts that it still needs") {
  const ExpertPair pair;
  const std::string high = pair.write("high-quant.pth", {.quantized = true}),
                    low = pair.write("low-quant.pth", {.seed = 2, .quantized = true});
  const rushes_settings settings = picture_settings();
  Job job{.prefix = pair.path("step")};
  job.image = picture_of(settings);
  Demo demo(pair.of(high, low));
  const Outcome whole = generate(demo, settings, job);
  REQUIRE_MESSAGE(whole.status.code[0] == 0, why(whole));
  Job rest{.resume = pair.path("step-step2.safetensors"), .start_step = 2};
  rest.image = job.image;
  Demo fresh(pair.of(high, low));
  const Outcome outcome = generate(fresh, settings, rest);
  REQUIRE_MESSAGE(outcome.status.code[0] == 0, why(outcome));
  CHECK(outcome.report["int8"]["layers"] == 2 * 10);
  CHECK(outcome.report["plan"]["int8"]["layers"] == 2 * 10);
  CHECK(outcome.report["plan"]["peakBytes"] < whole.report["plan"]["peakBytes"]);
  for (size_t i = 0; i < outcome.report["stages"].size(); ++i)
    CHECK(outcome.report["stages"][i]["peakBytes"].get<double>() ==
          doctest::Approx(outcome.report["plan"]["stages"][i]["peakBytes"].get<double>()).epsilon(0.05));
}

TEST_CASE("both experts count in the int8 of a plan and of a report") {
  const ExpertPair pair;
  const std::string high = pair.write("high-quant.pth", {.quantized = true}),
                    low = pair.write("low-quant.pth", {.seed = 2, .quantized = true});
  const rushes_settings settings = picture_settings();
  Demo demo(pair.of(high, low));
  Job job;
  job.image = picture_of(settings);
  const Outcome outcome = generate(demo, settings, job);
  REQUIRE_MESSAGE(outcome.status.code[0] == 0, why(outcome));
  CHECK(outcome.report["int8"]["layers"] == 2 * 2 * 10);
  CHECK(plan(pair.of(high, low), settings)["int8"]["layers"] == 2 * 2 * 10);
}

TEST_CASE("a warm plan counts the half of the VAE that encoded the picture") {
  const ExpertPair pair;
  const rushes_settings settings = picture_settings();
  Job job;
  job.image = picture_of(settings);
  Demo demo(pair.files());
  REQUIRE(generate(demo, settings, job).status.code[0] == 0);
  const nlohmann::json warm = plan(pair.files(), settings, demo.model);
  const Outcome outcome = generate(demo, settings, job);
  REQUIRE_MESSAGE(outcome.status.code[0] == 0, why(outcome));
  for (size_t i = 0; i < warm["stages"].size(); ++i)
    CHECK(outcome.report["stages"][i]["peakBytes"].get<double>() ==
          doctest::Approx(warm["stages"][i]["peakBytes"].get<double>()).epsilon(0.01));
}

TEST_CASE("packing either half of the VAE obeys a cancel") {
  std::atomic<bool> cancelled = true;
  MemoryCounter memory;
  Context context;
  context.memory = &memory;
  context.cancelled = &cancelled;
  const auto file = Checkpoint::open(DemoFiles().vae);
  CHECK_THROWS_AS(WanVae::load(context, file), Cancelled);
  CHECK(memory.current() == 0);
  cancelled = false;
  const auto vae = WanVae::load(context, file);
  const uint64_t packed = memory.current();
  cancelled = true;
  Tensor picture = Context().allocate(DType::f32, {32, 32, 3});
  std::fill_n(picture.data<float>(), picture.count(), 0.0f);
  CHECK_THROWS_AS(vae->encode_picture(context, picture, 5), Cancelled);
  CHECK_FALSE(vae->holds(VaeHalf::encoder));
  CHECK(memory.current() == packed);
  cancelled = false;
  CHECK(vae->encode_picture(context, picture, 5).defined());
  CHECK(vae->holds(VaeHalf::encoder));
}

TEST_CASE("pictures and models that do not go together are refused in a sentence") {
  const ExpertPair pair;
  const rushes_settings settings = picture_settings();
  const auto refused = [](const Outcome& outcome, const char* part) {
    CHECK(std::string(outcome.status.code) == "settings.invalid");
    CHECK_MESSAGE(why(outcome).find(part) != std::string::npos, why(outcome));
    CHECK(outcome.frames.empty());
  };
  Demo from_picture(pair.files()), from_text;
  Job job;
  refused(generate(from_picture, settings, job), "there is none");
  job.image = picture_of(settings);
  refused(generate(from_text, settings, job), "from text only");
  job.image.pop_back();
  refused(generate(from_picture, settings, job), "not of the video's size");
  rushes_settings vast = settings;  // so large that its bytes cannot be counted
  vast.width = vast.height = int64_t{1} << 40;
  refused(generate(from_picture, vast, job), "outside its range");

  const auto opened = [&](const std::string& high, const std::string& low) {
    const DemoFiles files = pair.of(high, low);
    const rushes_model_files pointers = files.pointers();
    rushes_model* model = nullptr;
    const rushes_status status = rushes_model_open(&pointers, &model);
    rushes_model_close(model);
    return status;
  };
  const std::string deeper = pair.write("deeper.safetensors", {.layers = 3}),
                    quantized = pair.write("quantized.pth", {.quantized = true}),
                    odd = pair.write("odd.safetensors", {.in_channels = 20});
  for (const std::string& low : {deeper, quantized, DemoFiles().dit}) {
    const rushes_status status = opened(pair.high(), low);
    CHECK(std::string(status.code) == "checkpoint.unsupported");
    CHECK(std::string(status.sentence).find("low-noise expert") != std::string::npos);
  }
  CHECK(std::string(opened(odd, "").code) == "checkpoint.unsupported");
  CHECK(std::string(opened(pair.high(), pair.path("missing.pth")).code) == "checkpoint.missing");
}

TEST_CASE("a plan notices what becomes of the low-noise expert's file") {
  const ExpertPair pair;
  const auto code_of_plan = [&] {
    const DemoFiles files = pair.files();
    const rushes_model_files pointers = files.pointers();
    const rushes_settings settings = picture_settings();
    char* report = nullptr;
    const rushes_status status = rushes_plan(&pointers, nullptr, &settings, 5, nullptr, 0, &report);
    rushes_string_free(report);
    return std::string(status.code);
  };
  CHECK(code_of_plan() == "");
  pair.write("low.safetensors", {.seed = 2, .layers = 3});
  CHECK(code_of_plan() == "checkpoint.unsupported");
  pair.write("low.safetensors", {.seed = 2});
  CHECK(code_of_plan() == "");
  std::filesystem::remove(pair.low());
  CHECK(code_of_plan() == "checkpoint.missing");
}

TEST_CASE("a picture is encoded as the clip that it begins, frames of zeros after it") {
  Context context;
  context.threads = 2;
  for (const DType compute : {DType::f32, DType::bf16}) {
    context.compute = compute;
    if (compute == DType::bf16 && !CpuFeatures::host().avx512_bf16) continue;
    const auto vae = WanVae::load(context, Checkpoint::open(DemoFiles().vae), VaeHalf::encoder);
    Tensor picture = context.allocate(DType::f32, {48, 32, 3});
    for (int64_t i = 0; i < picture.count(); ++i)
      picture.data<float>()[i] = static_cast<float>(i * 37 % 255) / 127.5f - 1.0f;
    for (const int64_t count : {1, 5, 9, 13, 17, 41}) {
      Tensor frames = context.allocate(DType::f32, {count, 48, 32, 3});
      std::fill_n(frames.data<float>(), frames.count(), 0.0f);
      std::copy_n(picture.data<float>(), picture.count(), frames.data<float>());
      CHECK(same_bits(vae->encode_picture(context, picture, count), vae->encode(context, frames)));
    }
    CHECK_THROWS_AS(vae->encode_picture(context, picture, 4), Error);
  }
}

TEST_CASE("what the layers find in frames of zeros is computed once") {
  Context context;
  const auto vae = WanVae::load(context, Checkpoint::open(DemoFiles().vae), VaeHalf::encoder);
  const auto work_of = [&](const auto& encode) {
    Context planned = context;
    WorkCount work;
    planned.dry_run = true;
    planned.work = &work;
    encode(planned);
    return work.bf16_ops + work.f32_ops;
  };
  const auto of_picture = [&](int64_t count) {
    return work_of([&](const Context& planned) {
      vae->encode_picture(planned, planned.allocate(DType::f32, {64, 64, 3}), count);
    });
  };
  const double whole = work_of([&](const Context& planned) {
    vae->encode(planned, planned.allocate(DType::f32, {81, 64, 64, 3}));
  });
  CHECK(of_picture(81) < 0.3 * whole);
  // Only what follows the last window that is not all zeros: the coarse layers' 20 frames reach far.
  CHECK(of_picture(241) < 1.3 * of_picture(161));
}
