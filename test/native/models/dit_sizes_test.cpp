// The Wan transformer at the sizes people run: what a 1.3B step needs in memory, one block of 14B, many tokens.
#include <doctest/doctest.h>

#include "fixtures/model_files.h"
#include "models/wan_dit/wan_dit.h"
#include "models/wan_dit/wan_dit_tensors.h"
#include "runtime/random.h"

using namespace rushes;
using fixtures::ModelFile;
using fixtures::TemporaryFolder;

namespace {

Context context_on(Backend backend, DType compute = DType::f32) {
  Context context;
  context.backend = backend;
  context.compute = compute;
  context.threads = 2;
  return context;
}

DType compute_type() { return CpuFeatures::host().avx512_bf16 ? DType::bf16 : DType::f32; }

struct Measured {
  uint64_t load_peak = 0, weights = 0, step_peak = 0;
  double share = 0;  // of the block linears' 16-bit bytes
  Shape shape;
};

// Loads and makes one step, for real or as a plan.
Measured measure(const std::filesystem::path& path, const WanDitConfig& config, bool dry_run) {
  MemoryCounter memory;
  Context context = context_on(Backend::cpu, compute_type());
  context.memory = &memory;
  context.dry_run = dry_run;
  Measured out;
  const auto model = WanDit::load(context, Checkpoint::open(path), LinearFormat::int8_tiles);
  out.load_peak = memory.peak();
  out.weights = memory.current(MemoryUse::weights);
  out.share = static_cast<double>(model->linear_bytes_held()) / static_cast<double>(model->linear_bytes_16bit());
  memory.reset_peak();
  Tensor latents = context.allocate(DType::f32, {config.in_channels, 2, 8, 8}),
         text = context.allocate(DType::f32, {32, config.text_dim});
  if (!dry_run) {
    std::fill_n(latents.data<float>(), latents.count(), 0.5f);
    std::fill_n(text.data<float>(), text.count(), 0.5f);
  }
  out.shape = model->velocity(context, latents, 988, text, {AttentionType::sagesla, 0.1}).shape();
  out.step_peak = memory.peak();
  return out;
}

}  // namespace

TEST_CASE("a whole step of 1.3B takes the memory that was planned, its weights half of 16 bit") {
  const WanDitConfig config{
      .dim = 1536, .heads = 12, .ffn = 8960, .layers = 30, .in_channels = 16, .out_channels = 16, .text_dim = 4096};
  const TemporaryFolder folder;
  ModelFile file;
  file.tensors = wan_dit_tensors(config);
  file.holes = true;  // a file of 2.8 GB that takes no disk
  fixtures::write_model(folder / "1.3b.safetensors", file);
  const Measured planned = measure(folder / "1.3b.safetensors", config, true);
  const Measured real = measure(folder / "1.3b.safetensors", config, false);
  CHECK(planned.load_peak == real.load_peak);
  CHECK(planned.weights == real.weights);
  CHECK(planned.step_peak == real.step_peak);
  CHECK(planned.share <= 0.51);
  CHECK(real.share == planned.share);
  CHECK(real.shape == Shape{16, 2, 8, 8});
  MESSAGE("weights held: " << real.weights / 1000000 << " MB; peak of the step: " << real.step_peak / 1000000 << " MB");
}

TEST_CASE("a block of 14B shape agrees with the reference") {
  const WanDitConfig config{
      .dim = 5120, .heads = 40, .ffn = 13824, .layers = 1, .in_channels = 16, .out_channels = 16, .text_dim = 512};
  const TemporaryFolder folder;
  ModelFile file;
  file.tensors = wan_dit_tensors(config);
  fixtures::write_model(folder / "14b.safetensors", file);
  const Context plain = context_on(Backend::reference);
  const Tensor latents = check::random_tensor(plain, {16, 1, 4, 6}, 1), text = check::random_tensor(plain, {5, 512}, 2);
  auto run = [&](const Context& context, LinearFormat format) {
    return WanDit::load(context, Checkpoint::open(folder / "14b.safetensors"), format)
        ->velocity(context, latents, 932, text, {AttentionType::sla, 1.0});
  };
  const Tensor expected = run(plain, LinearFormat::int8_tiles);
  CHECK(check::relative_error(run(context_on(Backend::cpu), LinearFormat::int8_tiles), expected) < 5e-3);
  if (compute_type() == DType::bf16)
    CHECK(check::relative_error(run(context_on(Backend::cpu, DType::bf16), LinearFormat::bf16), expected) < 5e-2);
}

TEST_CASE("more tokens than one part of the feed-forward holds give what the reference gives") {
  const WanDitConfig config{
      .dim = 128, .heads = 1, .ffn = 256, .layers = 1, .in_channels = 16, .out_channels = 16, .text_dim = 128};
  const TemporaryFolder folder;
  ModelFile file;
  file.tensors = wan_dit_tensors(config);
  fixtures::write_model(folder / "narrow.pth", file);
  const Context plain = context_on(Backend::reference);
  const Tensor latents = check::random_tensor(plain, {16, 3, 80, 72}, 1),
               text = check::random_tensor(plain, {5, 128}, 2);
  auto run = [&](const Context& context) {
    return WanDit::load(context, Checkpoint::open(folder / "narrow.pth"), LinearFormat::f32)
        ->velocity(context, latents, 932, text, {AttentionType::sla, 0.02});
  };
  CHECK(check::relative_error(run(context_on(Backend::cpu)), run(plain)) < 1e-4);
}
