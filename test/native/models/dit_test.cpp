// The Wan transformer on made-up models of other sizes: backends against each other, file forms, settings it must
// refuse, numbers that are not numbers, determinism. Golden values are test/golden's; real sizes are in
// dit_sizes_test.cpp.
#include <doctest/doctest.h>

#include <cstring>
#include <limits>

#include "fixtures/model_files.h"
#include "models/wan_dit/wan_dit.h"
#include "models/wan_dit/wan_dit_tensors.h"
#include "runtime/random.h"

using namespace rushes;
using fixtures::ModelFile;
using fixtures::TemporaryFolder;

namespace {

Context context_on(Backend backend, DType compute = DType::f32, int threads = 2) {
  Context context;
  context.backend = backend;
  context.compute = compute;
  context.threads = threads;
  return context;
}

// Three heads, the 36 channels of image-to-video, another text encoder's width: nothing here is Wan's own size.
const WanDitConfig kSmall{
    .dim = 384, .heads = 3, .ffn = 640, .layers = 3, .in_channels = 36, .out_channels = 16, .text_dim = 512};

struct Input {
  Tensor latents, text;
};
Input input_for(const WanDitConfig& config, Shape grid, int64_t text_len) {
  const Context context;
  grid.insert(grid.begin(), config.in_channels);
  return {check::random_tensor(context, grid, 1), check::random_tensor(context, {text_len, config.text_dim}, 2)};
}

ModelFile small_file() {
  ModelFile file;
  file.tensors = wan_dit_tensors(kSmall);
  return file;
}

std::shared_ptr<WanDit> load(const Context& context, const std::filesystem::path& path, LinearFormat format) {
  return WanDit::load(context, Checkpoint::open(path), format);
}

bool same_bytes(const Tensor& a, const Tensor& b) {
  return a.bytes() == b.bytes() && !std::memcmp(a.raw(), b.raw(), a.bytes());
}

// Runs and gives the error's code, "" when nothing was refused.
template <class Function>
std::string code_of(Function run) {
  try {
    run();
  } catch (const Error& error) {
    return error.code();
  }
  return "";
}

// The velocity of the small model, with the original's norms or ours, with the text's keys kept or not.
Tensor with_norms(Context context, LinearFormat format, bool original, bool keep_keys = false) {
  const TemporaryFolder folder;
  fixtures::write_model(folder / "small.pth", small_file());
  context.original_norms = original;
  const Input in = input_for(kSmall, {3, 6, 10}, 20);
  const auto model = load(context, folder / "small.pth", format);
  return model->velocity(context, in.latents, 932, model->embed_text(context, in.text, keep_keys), {});
}

}  // namespace

TEST_CASE("a transformer of unusual sizes agrees between backends, formats and attentions") {
  const TemporaryFolder folder;
  fixtures::write_model(folder / "small.pth", small_file());
  const Input in = input_for(kSmall, {3, 6, 10}, 20);
  for (const AttentionType type : {AttentionType::original, AttentionType::sla, AttentionType::sagesla}) {
    const DitAttention attention{type, 0.5};
    auto run = [&](const Context& context, LinearFormat format) {
      return load(context, folder / "small.pth", format)->velocity(context, in.latents, 932, in.text, attention);
    };
    const Tensor expected = run(context_on(Backend::reference), LinearFormat::f32);
    REQUIRE(expected.shape() == Shape{16, 3, 6, 10});
    CHECK(check::relative_error(run(context_on(Backend::cpu), LinearFormat::f32), expected) <
          (type == AttentionType::sagesla ? 2e-3 : 1e-5));
    CHECK(check::relative_error(run(context_on(Backend::cpu), LinearFormat::int8_tiles), expected) < 0.1);
    if (CpuFeatures::host().avx512_bf16)
      CHECK(check::relative_error(run(context_on(Backend::cpu, DType::bf16), LinearFormat::bf16), expected) < 2e-2);
  }
}

TEST_CASE("norms that round as the original's do change nothing in f32") {
  const Context cpu = context_on(Backend::cpu);
  CHECK(same_bytes(with_norms(cpu, LinearFormat::f32, true), with_norms(cpu, LinearFormat::f32, false)));
}

TEST_CASE("norms that round as the original's do change bf16 a little" *
          doctest::skip(!CpuFeatures::host().avx512_bf16)) {
  const Context halves = context_on(Backend::cpu, DType::bf16), plain = context_on(Backend::reference, DType::bf16);
  const Tensor original = with_norms(halves, LinearFormat::bf16, true);
  CHECK_FALSE(same_bytes(original, with_norms(halves, LinearFormat::bf16, false)));
  CHECK(same_bytes(original, with_norms(halves, LinearFormat::bf16, true, true)));
  CHECK(check::relative_error(original, with_norms(plain, LinearFormat::bf16, true)) < 2e-2);
}

TEST_CASE("every form of one model gives the same bytes") {
  const TemporaryFolder folder;
  const Input in = input_for(kSmall, {1, 4, 4}, 9);
  const Context context = context_on(Backend::cpu);
  auto run = [&](const char* name, const ModelFile& file, LinearFormat format) {
    fixtures::write_model(folder / name, file);
    return load(context, folder / name, format)->velocity(context, in.latents, 608, in.text, {});
  };
  const Tensor original = run("original.pth", small_file(), LinearFormat::f32);

  ModelFile diffusers = small_file();
  diffusers.rename = wan_dit_diffusers_name;
  diffusers.conv_patch = true;
  diffusers.with_sla = false;
  CHECK(same_bytes(run("diffusers.safetensors", diffusers, LinearFormat::f32), original));

  ModelFile prefixed = small_file();
  prefixed.prefix = "model.diffusion_model.";
  CHECK(same_bytes(run("prefixed.safetensors", prefixed, LinearFormat::f32), original));

  WanDitConfig whole_tiles = kSmall;  // TurboDiffusion's int8 needs widths of whole tiles
  ModelFile plain = small_file(), quantized = small_file();
  plain.tensors = quantized.tensors = wan_dit_tensors(whole_tiles);
  quantized.quantized = true;
  CHECK(same_bytes(run("quantized.pth", quantized, LinearFormat::int8_tiles),
                   run("plain.pth", plain, LinearFormat::int8_tiles)));
}

TEST_CASE("quantized layers are listed in the order of the forward pass and logged one by one") {
  const TemporaryFolder folder;
  fixtures::write_model(folder / "small.pth", small_file());
  Context context = context_on(Backend::cpu);
  std::vector<std::string> lines;
  context.debug = [&](const std::string& line) { lines.push_back(line); };
  const auto model = load(context, folder / "small.pth", LinearFormat::int8_tiles);
  REQUIRE(model->quantized_layers().size() == 30);
  CHECK(model->quantized_layers()[10].name == "blocks.1.self_attn.q");
  CHECK(model->quantized_layers()[19].name == "blocks.1.ffn.2");
  CHECK(model->quantized_layers()[19].in_features == 640);
  CHECK(lines.size() >= 30);
  CHECK(std::count(lines.begin(), lines.end(), "Int8 linear: blocks.1.ffn.0 [640x384]") == 1);
  CHECK(load(context, folder / "small.pth", LinearFormat::f32)->quantized_layers().empty());
}

TEST_CASE("settings that the model cannot run are refused in a sentence") {
  const TemporaryFolder folder;
  ModelFile file = small_file();
  file.with_sla = false;
  fixtures::write_model(folder / "plain.pth", file);
  const Context context = context_on(Backend::cpu);
  const auto model = load(context, folder / "plain.pth", LinearFormat::f32);
  const Input in = input_for(kSmall, {1, 4, 4}, 9);
  for (const AttentionType type : {AttentionType::sla, AttentionType::sagesla})
    CHECK(code_of([&] { model->velocity(context, in.latents, 1, in.text, {type, 0.1}); }) == "settings.invalid");
  const Tensor odd = check::random_tensor(context, {36, 1, 4, 5}, 1),
               thin = check::random_tensor(context, {16, 1, 4, 4}, 1);
  const Tensor other_text = check::random_tensor(context, {9, 256}, 1);
  CHECK(code_of([&] { model->velocity(context, odd, 1, in.text, {}); }) == "settings.invalid");
  CHECK(code_of([&] { model->velocity(context, thin, 1, in.text, {}); }) == "settings.invalid");
  CHECK(code_of([&] { model->velocity(context, in.latents, 1, other_text, {}); }) == "settings.invalid");

  fixtures::write_model(folder / "sla.pth", small_file());
  const auto sparse = load(context, folder / "sla.pth", LinearFormat::f32);
  for (const double top_k : {0.0, -1.0, 1.5})
    CHECK(code_of([&] {
            sparse->velocity(context, in.latents, 1, in.text, {AttentionType::sla, top_k});
          }) == "settings.invalid");
}

TEST_CASE("the block that made a bad number is named") {
  const TemporaryFolder folder;
  auto tensors = fixtures::model_tensors(small_file());
  for (auto& tensor : tensors)
    if (tensor.name == "blocks.1.ffn.2.bias")
      tensor = fixtures::tensor_of(tensor.name, DType::f32, tensor.shape,
                                   std::vector<float>(384, std::numeric_limits<float>::infinity()));
  fixtures::write_pth(folder / "bad.pth", tensors);
  const Context context = context_on(Backend::cpu);
  const auto model = load(context, folder / "bad.pth", LinearFormat::f32);
  const Input in = input_for(kSmall, {2, 4, 4}, 9);
  try {
    model->velocity(context, in.latents, 988, in.text, {});
    FAIL("a velocity that is not finite was given out");
  } catch (const Error& error) {
    CHECK(error.code() == "output.not_finite");
    CHECK(error.sentence().find("blocks.1") != std::string::npos);
  }
}

TEST_CASE("a velocity is the same for any number of threads, however often the text is embedded") {
  const TemporaryFolder folder;
  fixtures::write_model(folder / "small.pth", small_file());
  const Input in = input_for(kSmall, {3, 6, 10}, 20);
  for (const LinearFormat format : {LinearFormat::f32, LinearFormat::int8_tiles}) {
    const Context one = context_on(Backend::cpu, DType::f32, 1), three = context_on(Backend::cpu, DType::f32, 3);
    const auto model = load(one, folder / "small.pth", format);
    const DitAttention attention{AttentionType::sagesla, 0.5};
    const Tensor expected = model->velocity(one, in.latents, 988, in.text, attention);
    const DitText text = model->embed_text(three, in.text);
    CHECK(same_bytes(model->velocity(three, in.latents, 988, text, attention), expected));
    CHECK(same_bytes(model->velocity(three, in.latents, 988, text, attention), expected));
    const DitText kept = model->embed_text(three, in.text, true);
    CHECK(kept.blocks.size() == 3);
    CHECK(same_bytes(model->velocity(one, in.latents, 988, kept, attention), expected));
    CHECK(same_bytes(model->velocity(three, in.latents, 988, kept, attention), expected));
  }
}

TEST_CASE("a forward pass reports each block and stops when it is cancelled") {
  const TemporaryFolder folder;
  fixtures::write_model(folder / "small.pth", small_file());
  const Input in = input_for(kSmall, {1, 4, 4}, 9);
  Context context = context_on(Backend::cpu);
  std::vector<double> loading, steps;
  const auto model = WanDit::load(context, Checkpoint::open(folder / "small.pth"), LinearFormat::f32,
                                  [&](double share) { loading.push_back(share); });
  model->velocity(context, in.latents, 988, in.text, {}, [&](double share) { steps.push_back(share); });
  CHECK(loading == std::vector<double>{1 / 3.0, 2 / 3.0, 1});
  CHECK(steps == loading);

  std::atomic<bool> cancelled = false;
  context.cancelled = &cancelled;
  CHECK_THROWS_AS(model->velocity(context, in.latents, 988, in.text, {}, [&](double) { cancelled = true; }), Cancelled);
  CHECK_THROWS_AS(load(context, folder / "small.pth", LinearFormat::f32), Cancelled);
}
