// The Wan VAE through its public door: golden cases, causality, tiling, planning, both file layouts, other widths.
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>

#include "files/safetensors_writer.h"
#include "models/wan_vae/wan_vae.h"
#include "models/wan_vae/wan_vae_tensors.h"
#include "project_paths.h"
#include "runtime/random.h"

using namespace rushes;

namespace {

Context make_context(Backend backend, DType compute = DType::f32, int threads = 2) {
  Context context;
  context.backend = backend;
  context.compute = compute;
  context.threads = threads;
  return context;
}

std::shared_ptr<const Checkpoint> demo_file() { return Checkpoint::open(check::demo_folder() + "/demo-vae.pth"); }

Tensor golden_tensor(const std::string& name, const std::string& tensor) {
  const auto file = Checkpoint::open(check::golden_folder() + "/" + name + "/tensors.safetensors");
  const TensorView* found = file->find(tensor);
  REQUIRE(found);
  return load_tensor(Context(), file->view(*found));
}

// [1, C, F, H, W] -> [F, H, W, C]
Tensor channels_last(const Tensor& x) {
  const int64_t c = x.size(1), f = x.size(2), pixels = x.size(3) * x.size(4);
  Tensor out = Context().allocate(DType::f32, {f, x.size(3), x.size(4), c});
  for (int64_t i = 0; i < c; ++i)
    for (int64_t t = 0; t < f; ++t)
      for (int64_t p = 0; p < pixels; ++p)
        out.data<float>()[(t * pixels + p) * c + i] = x.data<float>()[(i * f + t) * pixels + p];
  return out;
}

// All frames of a decode in one tensor; checks that they come in order.
Tensor decode(const Context& context, const WanVae& vae, const Tensor& latents, const VaeTiling& tiling = {}) {
  const int64_t count = 4 * latents.size(1) - 3;
  Tensor clip = Context().allocate(DType::f32, {count, 8 * latents.size(2), 8 * latents.size(3), 3});
  int64_t next = 0;
  vae.decode(context, latents, tiling, [&](const Tensor& frames, int64_t first) {
    REQUIRE(first == next);
    next += frames.size(0);
    REQUIRE(next <= count);
    std::memcpy(clip.rows(first, next).raw(), frames.raw(), frames.bytes());
  });
  REQUIRE(next == count);
  return clip;
}

bool same_bytes(const Tensor& a, const Tensor& b) {
  return a.bytes() == b.bytes() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

Tensor random_latents(int64_t frames, int64_t height, int64_t width, uint64_t seed = 1) {
  return check::random_tensor(Context(), {16, frames, height, width}, seed);
}

class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& name)
      : path(std::filesystem::temp_directory_path() / ("rushes-" + std::to_string(::getpid()) + "-" + name)) {}
  ~TemporaryFile() { std::filesystem::remove(path); }
  const std::filesystem::path path;
};

// A complete VAE of another width: convolutions of variance 1 / fan-in, gammas near 1.
void write_random_vae(const std::filesystem::path& path, int64_t base) {
  const auto expected = wan_vae_tensors({.base = base});
  std::vector<std::vector<bf16>> values;
  std::vector<TensorView> views;
  uint64_t state = 88172645463325252ull;
  for (const ExpectedTensor& tensor : expected) {
    const bool gamma = tensor.name.ends_with("gamma"), bias = tensor.name.ends_with("bias");
    const float fan_in = static_cast<float>(element_count(tensor.shape)) / static_cast<float>(tensor.shape[0]);
    const float scale = gamma || bias ? 0.1f : std::sqrt(3.0f / fan_in);
    auto& data = values.emplace_back(static_cast<size_t>(element_count(tensor.shape)));
    for (bf16& value : data) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      value = bf16((gamma ? 1.0f : 0.0f) + scale * (static_cast<float>(state >> 40) / 8388608.0f - 1.0f));
    }
    views.push_back({tensor.name, DType::bf16, tensor.shape, reinterpret_cast<const std::byte*>(data.data())});
  }
  write_safetensors(path, views);
}

}  // namespace

TEST_CASE("golden clips decode, whole-clip reference against frame by frame") {
  for (const char* name : {"vae-decode", "vae-decode-1"}) {
    const Tensor latents = golden_tensor(name, "latents"), expected = channels_last(golden_tensor(name, "frames"));
    const Tensor planes = latents.reshaped({latents.size(1), latents.size(2), latents.size(3), latents.size(4)});
    const struct {
      Backend backend;
      DType compute;
      double tolerance;
    } runs[] = {
        {Backend::reference, DType::f32, 1e-4}, {Backend::cpu, DType::f32, 1e-4}, {Backend::cpu, DType::bf16, 2e-2}};
    for (const auto& run : runs) {
      const Context context = make_context(run.backend, run.compute);
      const auto vae = WanVae::load(context, demo_file());
      const double error = check::relative_error(decode(context, *vae, planes), expected);
      MESSAGE(std::string(name) << " " << std::string(backend_name(run.backend)) << " "
                                << std::string(dtype_name(run.compute)) << ": " << error);
      CHECK(error < run.tolerance);
    }
  }
}

TEST_CASE("the golden clip encodes, whole-clip reference against frame by frame") {
  const Tensor frames = channels_last(golden_tensor("vae-encode", "frames")),
               expected = golden_tensor("vae-encode", "latents");
  const struct {
    Backend backend;
    DType compute;
    double tolerance;
  } runs[] = {
      {Backend::reference, DType::f32, 1e-4}, {Backend::cpu, DType::f32, 1e-4}, {Backend::cpu, DType::bf16, 2e-2}};
  for (const auto& run : runs) {
    const Context context = make_context(run.backend, run.compute);
    const Tensor latents = WanVae::load(context, demo_file())->encode(context, frames);
    CHECK(latents.shape() == Shape{16, 3, 8, 12});
    const double error = check::relative_error(latents, expected);
    MESSAGE(std::string(backend_name(run.backend)) << " " << std::string(dtype_name(run.compute)) << ": " << error);
    CHECK(error < run.tolerance);
  }
}

TEST_CASE("a clip's beginning does not depend on what follows, nor on the thread count") {
  for (const DType compute : {DType::f32, DType::bf16}) {
    const Context context = make_context(Backend::cpu, compute);
    const auto vae = WanVae::load(context, demo_file());
    const Tensor longer = random_latents(4, 5, 7);
    Tensor shorter = context.allocate(DType::f32, {16, 2, 5, 7});
    for (int64_t c = 0; c < 16; ++c)
      std::memcpy(shorter.data<float>() + c * 2 * 35, longer.data<float>() + c * 4 * 35, 2 * 35 * sizeof(float));
    const Tensor whole = decode(context, *vae, longer);
    CHECK(same_bytes(whole.rows(0, 5), decode(context, *vae, shorter)));
    CHECK(same_bytes(whole, decode(make_context(Backend::cpu, compute, 1), *vae, longer)));
    CHECK(same_bytes(whole, decode(make_context(Backend::cpu, compute, 3), *vae, longer)));
    for (int64_t i = 0; i < whole.count(); ++i) REQUIRE(std::abs(whole.data<float>()[i]) <= 1.0f);
    const Tensor latents = vae->encode(context, whole);
    const Tensor start = vae->encode(context, whole.rows(0, 9));
    CHECK(latents.shape() == longer.shape());
    for (int64_t c = 0; c < 16; ++c)
      CHECK(std::memcmp(latents.data<float>() + c * 4 * 35, start.data<float>() + c * 3 * 35, 3 * 35 * sizeof(float)) ==
            0);
  }
}

// A clip [9, 64, 96, 3] of a disc that crosses a plain picture, another one for each number.
Tensor drawn_clip(int number) {
  Tensor clip = Context().allocate(DType::f32, {9, 64, 96, 3});
  const auto colour = [&](int of, int64_t c) {
    return 0.85f * std::sin(static_cast<float>(7 * number + 3 * of + 2 * c));
  };
  const float radius = 8.0f + 3.0f * static_cast<float>(number);
  for (int64_t f = 0; f < 9; ++f)
    for (int64_t y = 0; y < 64; ++y)
      for (int64_t x = 0; x < 96; ++x) {
        const float across = static_cast<float>(x) - 12.0f - 9.0f * static_cast<float>(f),
                    down = static_cast<float>(y) - 20.0f - 6.0f * static_cast<float>(number);
        const float cover = std::clamp(radius - std::hypot(across, down) + 0.5f, 0.0f, 1.0f);
        for (int64_t c = 0; c < 3; ++c)
          clip.data<float>()[((f * 64 + y) * 96 + x) * 3 + c] = cover * colour(1, c) + (1 - cover) * colour(0, c);
      }
  return clip;
}

// A seam is a step between neighbouring columns or rows that the whole picture does not have. Its mean over a line of
// the picture is what the eye sees. The worst one of a tiled clip, in grey levels: 255 of them are the range.
double worst_seam(const Tensor& tiled, const Tensor& whole) {
  const int64_t height = whole.size(1), width = whole.size(2);
  double worst = 0;
  for (int64_t f = 0; f < whole.size(0); ++f) {
    const auto added = [&](int64_t y, int64_t x, int64_t c) {
      const int64_t i = ((f * height + y) * width + x) * 3 + c;
      return 127.5 * (double(tiled.data<float>()[i]) - whole.data<float>()[i]);
    };
    for (int64_t x = 1; x < width; ++x) {
      double step = 0;
      for (int64_t y = 0; y < height; ++y)
        for (int64_t c = 0; c < 3; ++c) step += added(y, x, c) - added(y, x - 1, c);
      worst = std::max(worst, std::abs(step) / static_cast<double>(height * 3));
    }
    for (int64_t y = 1; y < height; ++y) {
      double step = 0;
      for (int64_t x = 0; x < width; ++x)
        for (int64_t c = 0; c < 3; ++c) step += added(y, x, c) - added(y - 1, x, c);
      worst = std::max(worst, std::abs(step) / static_cast<double>(width * 3));
    }
  }
  return worst;
}

double mean_difference(const Tensor& tiled, const Tensor& whole) {
  double sum = 0;
  for (int64_t i = 0; i < whole.count(); ++i)
    sum += 127.5 * std::abs(double(tiled.data<float>()[i]) - whole.data<float>()[i]);
  return sum / static_cast<double>(whole.count());
}

TEST_CASE("tiles leave no seam") {
  const Context context = make_context(Backend::cpu);
  const auto vae = WanVae::load(context, demo_file());
  const Tensor golden = golden_tensor("vae-decode", "latents");
  std::vector<Tensor> clips = {golden.reshaped({16, golden.size(2), golden.size(3), golden.size(4)})};
  for (int number = 0; number < 6; ++number) clips.push_back(vae->encode(context, drawn_clip(number)));
  for (size_t clip = 0; clip < clips.size(); ++clip) {
    const Tensor whole = decode(context, *vae, clips[clip]);
    for (const VaeTiling tiling : {VaeTiling{.tile = 8, .overlap = 4}, VaeTiling{.tile = 6, .overlap = 3}}) {
      const Tensor tiled = decode(context, *vae, clips[clip], tiling);
      const double seam = worst_seam(tiled, whole), difference = mean_difference(tiled, whole);
      MESSAGE("clip " << clip << ", tile " << tiling.tile << ", overlap " << tiling.overlap << ": worst seam " << seam
                      << "/255, mean difference from the whole picture " << difference << "/255");
      CHECK(seam < 1);
      CHECK(difference < 0.5);
    }
  }
  const Tensor& latents = clips[0];
  CHECK(same_bytes(decode(context, *vae, latents), decode(context, *vae, latents, {.tile = 12, .overlap = 4})));
  CHECK_THROWS_AS(decode(context, *vae, latents, {.tile = 6, .overlap = 4}), Error);
  CHECK_THROWS_AS(decode(context, *vae, latents, {.tile = 6, .overlap = 0}), Error);
}

TEST_CASE("a plan's peak is the measured peak, and does not grow with the clip") {
  const auto peak = [](bool dry_run, DType compute, int64_t frames, const VaeTiling& tiling, bool encode) {
    MemoryCounter memory;
    WorkCount work;
    Context context = make_context(Backend::cpu, compute);
    context.memory = &memory;
    context.dry_run = dry_run;
    context.work = &work;
    const auto vae = WanVae::load(context, demo_file());
    if (encode) {
      Tensor clip = Context().allocate(DType::f32, {frames, 48, 64, 3});
      std::memset(clip.raw(), 0, clip.bytes());
      vae->encode(context, clip);
    } else {
      vae->decode(context, random_latents(frames, 8, 10), tiling, [](const Tensor&, int64_t) {});
    }
    CHECK(work.f32_ops + work.bf16_ops > 1e6);
    return memory.peak();
  };
  for (const DType compute : {DType::f32, DType::bf16}) {
    for (const VaeTiling tiling : {VaeTiling{}, VaeTiling{.tile = 6, .overlap = 2}})
      CHECK(peak(true, compute, 3, tiling, false) == peak(false, compute, 3, tiling, false));
    CHECK(peak(true, compute, 9, {}, true) == peak(false, compute, 9, {}, true));
    CHECK(peak(true, compute, 20, {}, false) == peak(true, compute, 4, {}, false));
  }
}

TEST_CASE("progress rises to 1, cancelling stops in between, wrong shapes are refused") {
  Context context = make_context(Backend::cpu);
  const auto vae = WanVae::load(context, demo_file());
  double last = 0;
  int reports = 0;
  vae->decode(
      context, random_latents(2, 4, 4), {}, [](const Tensor&, int64_t) {},
      [&](double fraction) {
        CHECK(fraction >= last);
        last = fraction;
        ++reports;
      });
  CHECK(last == doctest::Approx(1.0));
  CHECK(reports > 30);
  std::atomic<bool> cancelled = false;
  context.cancelled = &cancelled;
  int64_t delivered = 0;
  const Tensor latents = random_latents(3, 4, 4);
  CHECK_THROWS_AS(vae->decode(context, latents, {},
                              [&](const Tensor&, int64_t first) {
                                delivered = first + 1;
                                cancelled = true;
                              }),
                  Cancelled);
  CHECK(delivered == 1);
  cancelled = false;
  const auto ignore = [](const Tensor&, int64_t) {};
  CHECK_THROWS_AS(vae->decode(context, check::random_tensor(context, {8, 1, 4, 4}, 1), {}, ignore), Error);
  CHECK_THROWS_AS(vae->encode(context, check::random_tensor(context, {4, 16, 16, 3}, 1)), Error);
  CHECK_THROWS_AS(vae->encode(context, check::random_tensor(context, {1, 12, 16, 3}, 1)), Error);
}

TEST_CASE("the Diffusers layout gives identical bytes") {
  const auto original = demo_file();
  std::vector<TensorView> views;
  std::vector<std::string> names;
  for (const TensorView& tensor : original->tensors()) {
    views.push_back(original->view(tensor));
    views.back().name = wan_vae_diffusers_name(tensor.name);
  }
  const TemporaryFile renamed("vae-diffusers.safetensors");
  write_safetensors(renamed.path, views);
  const Context context = make_context(Backend::cpu);
  const auto first = WanVae::load(context, original), second = WanVae::load(context, Checkpoint::open(renamed.path));
  const Tensor latents = random_latents(2, 4, 6);
  const Tensor clip = decode(context, *first, latents);
  CHECK(same_bytes(clip, decode(context, *second, latents)));
  CHECK(same_bytes(first->encode(context, clip), second->encode(context, clip)));
}

TEST_CASE("VAEs of base 32 and 96 from generated weights agree with the reference") {
  for (const int64_t base : {32, 96}) {
    const TemporaryFile file("vae-base" + std::to_string(base) + ".safetensors");
    write_random_vae(file.path, base);
    const Tensor latents = random_latents(2, base == 96 ? 1 : 2, 2);
    const Context reference = make_context(Backend::reference);
    const auto truth = WanVae::load(reference, Checkpoint::open(file.path));
    CHECK(truth->config().base == base);
    const Tensor clip = decode(reference, *truth, latents);
    const Tensor encoded = base == 32 ? truth->encode(reference, clip) : Tensor();
    for (const DType compute : {DType::f32, DType::bf16}) {
      const Context context = make_context(Backend::cpu, compute);
      const auto vae = WanVae::load(context, Checkpoint::open(file.path));
      const double error = check::relative_error(decode(context, *vae, latents), clip);
      MESSAGE("base " << base << " decode " << std::string(dtype_name(compute)) << ": " << error);
      CHECK(error < (compute == DType::f32 ? 1e-4 : 2e-2));
      if (encoded.defined())
        CHECK(check::relative_error(vae->encode(context, clip), encoded) < (compute == DType::f32 ? 1e-4 : 2e-2));
    }
  }
}
