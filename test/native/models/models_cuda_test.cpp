// Whole models on the card at hand, real or emulated: against the reference, blocks that stream, memory against the
// plan. Nothing is checked where there is no card; the run says so. Golden values are test/golden's.
#include <doctest/doctest.h>

#include <cstring>

#include "cuda/cuda_device.h"
#include "fixtures/model_files.h"
#include "models/umt5/umt5.h"
#include "models/umt5/umt5_tensors.h"
#include "models/wan_dit/wan_dit.h"
#include "models/wan_dit/wan_dit_tensors.h"
#include "models/wan_vae/wan_vae.h"
#include "models/wan_vae/wan_vae_tensors.h"
#include "runtime/random.h"

using namespace rushes;
using fixtures::TemporaryFolder;

namespace {

std::unique_ptr<Device> open_card() {
  if (!cuda::discover().devices.empty()) return cuda::open_cuda_device(0);
  MESSAGE("skipped: no GPU");
  return nullptr;
}

Context context_on(Device* device, DType compute = DType::f32) {
  Context context;
  context.backend = device ? Backend::cuda : Backend::reference;
  context.device = device;
  context.compute = compute;
  context.threads = 2;
  return context;
}

bool same_bytes(const Tensor& a, const Tensor& b) {
  return a.bytes() == b.bytes() && !std::memcmp(a.raw(), b.raw(), a.bytes());
}

// Two heads, and three blocks, so that a slot of a stream is used twice.
const WanDitConfig kDit{
    .dim = 256, .heads = 2, .ffn = 384, .layers = 3, .in_channels = 16, .out_channels = 16, .text_dim = 128};

// The file of a made-up transformer, and what one velocity needs.
struct Dit {
  TemporaryFolder folder;
  Tensor latents = check::random_tensor(Context(), {16, 3, 4, 4}, 1),
         text = check::random_tensor(Context(), {9, 128}, 2);
  Dit() {
    fixtures::ModelFile file;
    file.tensors = wan_dit_tensors(kDit);
    fixtures::write_model(folder / "dit.pth", file);
  }
  std::shared_ptr<WanDit> load(const Context& context, LinearFormat format,
                               DitPlacement placement = DitPlacement::resident) const {
    return WanDit::load(context, Checkpoint::open(folder / "dit.pth"), format, {}, placement);
  }
  Tensor velocity(const Context& context, const WanDit& model, AttentionType type) const {
    return model.velocity(context, latents, 932, text, {type, 0.5});
  }
};

LinearFormat plain_format(DType compute) { return compute == DType::bf16 ? LinearFormat::bf16 : LinearFormat::f32; }

}  // namespace

TEST_CASE("a transformer on a card agrees with the reference in every format and attention") {
  const auto device = open_card();
  if (!device) return;
  const Dit dit;
  const Context reference = context_on(nullptr);
  const auto truth = dit.load(reference, LinearFormat::f32), truth_int8 = dit.load(reference, LinearFormat::int8_tiles);
  for (const AttentionType type : {AttentionType::original, AttentionType::sla, AttentionType::sagesla}) {
    CAPTURE(static_cast<int>(type));
    const Tensor expected = dit.velocity(reference, *truth, type);
    for (const DType compute : {DType::f32, DType::bf16}) {
      const Context context = context_on(device.get(), compute);
      const Tensor out = dit.velocity(context, *dit.load(context, plain_format(compute)), type);
      CHECK(!out.device());
      CHECK(out.shape() == expected.shape());
      CHECK(check::relative_error(out, expected) < (compute == DType::bf16           ? 2e-2
                                                    : type == AttentionType::sagesla ? 1e-2
                                                                                     : 1e-4));
    }
    const Context context = context_on(device.get());
    const Tensor int8 = dit.velocity(context, *dit.load(context, LinearFormat::int8_tiles), type);
    CHECK(check::relative_error(int8, dit.velocity(reference, *truth_int8, type)) < 2e-2);
  }
}

TEST_CASE("blocks that stream through a card give the bits of blocks that lie on it") {
  const auto device = open_card();
  if (!device) return;
  const Dit dit;
  for (const LinearFormat format : {LinearFormat::bf16, LinearFormat::int8_tiles}) {
    MemoryCounter host, on_card;
    Context context = context_on(device.get(), DType::bf16);
    context.memory = &host;
    context.device_memory = &on_card;
    const auto resident = dit.load(context, format);
    const uint64_t resident_bytes = on_card.current();
    const Tensor expected = dit.velocity(context, *resident, AttentionType::sla);
    const uint64_t host_before = host.current(MemoryUse::weights), card_before = on_card.current();
    const auto streamed = dit.load(context, format, DitPlacement::streamed);
    CHECK(on_card.current() - card_before < resident_bytes * 9 / 10);  // two slots instead of three blocks
    CHECK(host.current(MemoryUse::weights) - host_before > resident_bytes / 2);
    for (int pass = 0; pass < 2; ++pass)  // a second step starts over
      CHECK(same_bytes(dit.velocity(context, *streamed, AttentionType::sla), expected));
    // The text's keys are made in a pass of their own.
    const DitText text = streamed->embed_text(context, dit.text, true);
    CHECK(same_bytes(streamed->velocity(context, dit.latents, 932, text, {AttentionType::sla, 0.5}, {}), expected));
  }
}

TEST_CASE("a pass over streamed blocks can be cancelled, and the next one is whole") {
  const auto device = open_card();
  if (!device) return;
  const Dit dit;
  const Context context = context_on(device.get(), DType::bf16);
  const auto streamed = dit.load(context, LinearFormat::bf16, DitPlacement::streamed);
  const Tensor expected = dit.velocity(context, *streamed, AttentionType::original);
  std::atomic<bool> cancelled = false;
  Context stopped = context;
  stopped.cancelled = &cancelled;
  const DitText text = streamed->embed_text(context, dit.text, false);
  CHECK_THROWS_AS(streamed->velocity(stopped, dit.latents, 932, text, {}, [&](double) { cancelled = true; }),
                  Cancelled);
  CHECK(same_bytes(dit.velocity(context, *streamed, AttentionType::original), expected));
}

TEST_CASE("the memory a transformer takes on a card is what was planned, streamed or not") {
  const auto device = open_card();
  if (!device) return;
  const Dit dit;
  const auto planned_device = cuda::planned_device(device->info());
  for (const DitPlacement placement : {DitPlacement::resident, DitPlacement::streamed}) {
    struct Peaks {
      uint64_t load, card, host;
      bool operator==(const Peaks&) const = default;
    };
    const auto measure = [&](Device* on, bool dry_run) {
      MemoryCounter host, on_card;
      Context context = context_on(on, DType::bf16);
      context.memory = &host;
      context.device_memory = &on_card;
      context.dry_run = dry_run;
      const auto model = dit.load(context, LinearFormat::int8_tiles, placement);
      const uint64_t load = on_card.peak();
      on_card.reset_peak();
      dit.velocity(context, *model, AttentionType::sagesla);
      return Peaks{load, on_card.peak(), host.peak()};
    };
    const Peaks planned = measure(planned_device.get(), true), real = measure(device.get(), false);
    CHECK(planned.load == real.load);
    CHECK(planned.card == real.card);
    CHECK(planned.host == real.host);
  }
}

TEST_CASE("a text encoder on a card agrees with the reference") {
  const auto device = open_card();
  if (!device) return;
  const TemporaryFolder folder;
  fixtures::ModelFile file;
  file.tensors = umt5_tensors({.dim = 256, .heads = 4, .ffn = 384, .layers = 2, .vocabulary = 500});
  fixtures::write_model(folder / "text.pth", file);
  const std::vector<int32_t> ids{17, 499, 3, 200, 200, 0, 44, 1};
  const auto encode = [&](const Context& context, LinearFormat format) {
    return Umt5::load(context, Checkpoint::open(folder / "text.pth"), format)->encode(context, ids, 12);
  };
  const Tensor expected = encode(context_on(nullptr), LinearFormat::f32);
  CHECK(check::relative_error(encode(context_on(device.get()), LinearFormat::f32), expected) < 1e-5);
  const Tensor out = encode(context_on(device.get(), DType::bf16), LinearFormat::bf16);
  CHECK(check::relative_error(out, expected) < 2e-2);
  for (int64_t i = 8 * 256; i < out.count(); ++i) REQUIRE(out.data<float>()[i] == 0);
  CHECK(check::relative_error(encode(context_on(device.get()), LinearFormat::int8_tiles),
                              encode(context_on(nullptr), LinearFormat::int8_tiles)) < 1e-2);
}

TEST_CASE("a VAE on a card decodes, tiles and encodes as the reference does") {
  const auto device = open_card();
  if (!device) return;
  const TemporaryFolder folder;
  fixtures::ModelFile file;
  file.tensors = wan_vae_tensors({.base = 16});
  fixtures::write_model(folder / "vae.pth", file);
  const Tensor latents = check::random_tensor(Context(), {16, 2, 2, 3}, 3);
  const auto decode = [&](const Context& context, const VaeTiling& tiling) {
    const auto vae = WanVae::load(context, Checkpoint::open(folder / "vae.pth"));
    Tensor clip = Context().allocate(DType::f32, {5, 16, 24, 3});
    vae->decode(context, latents, tiling, [&](const Tensor& frames, int64_t first) {
      CHECK(!frames.device());
      std::memcpy(clip.rows(first, first + frames.size(0)).raw(), frames.raw(), frames.bytes());
    });
    return clip;
  };
  const Tensor expected = decode(context_on(nullptr), {});
  CHECK(check::relative_error(decode(context_on(device.get()), {}), expected) < 1e-4);
  CHECK(check::relative_error(decode(context_on(device.get(), DType::bf16), {}), expected) < 2e-2);
  const VaeTiling tiles{2, 1};
  CHECK(check::relative_error(decode(context_on(device.get()), tiles), decode(context_on(nullptr), tiles)) < 1e-4);
  const auto encode = [&](const Context& context) {
    return WanVae::load(context, Checkpoint::open(folder / "vae.pth"))->encode(context, expected);
  };
  CHECK(check::relative_error(encode(context_on(device.get())), encode(context_on(nullptr))) < 1e-4);
}
