// The umT5 encoder on made-up models: backends against each other, both name layouts, what it refuses, what it holds.
#include "models/umt5/umt5.h"

#include <doctest/doctest.h>

#include <cstring>

#include "engine/inspect.h"
#include "fixtures/model_files.h"
#include "models/umt5/relative_position.h"
#include "models/umt5/umt5_tensors.h"
#include "ops/elementwise/elementwise.h"
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

const Umt5Config kSmall{.dim = 192, .heads = 3, .ffn = 320, .layers = 2, .vocabulary = 500};
const std::vector<int32_t> kIds{17, 499, 3, 200, 200, 0, 44, 1};

ModelFile file_of(const Umt5Config& config) {
  ModelFile file;
  file.tensors = umt5_tensors(config);
  return file;
}

Tensor encode(const Context& context, const std::filesystem::path& path, std::span<const int32_t> ids, int64_t text_len,
              LinearFormat format = LinearFormat::f32) {
  return Umt5::load(context, Checkpoint::open(path), format)->encode(context, ids, text_len);
}

}  // namespace

TEST_CASE("relative positions fall into T5's buckets") {
  const std::pair<int64_t, int64_t> known[] = {{0, 0},    {-1, 1},   {-7, 7},   {-8, 8},    {-15, 9},    {-16, 10},
                                               {-32, 12}, {-64, 14}, {-91, 15}, {-128, 15}, {-1000, 15}, {1, 17},
                                               {7, 23},   {8, 24},   {31, 27},  {511, 31}};
  for (const auto& [offset, bucket] : known) {
    INFO("offset " << offset);
    CHECK(relative_position_bucket(offset, 32) == bucket);
  }
}

TEST_CASE("an encoder of more position buckets than there are distances is refused") {
  const TemporaryFolder folder;
  for (const int64_t buckets : {508, 512, 1024}) {
    Umt5Config config = kSmall;
    config.buckets = buckets;
    fixtures::write_model(folder / "wide.pth", file_of(config));
    const std::string report = inspect_report(Checkpoint::open(folder / "wide.pth"));
    CHECK((report.find("position buckets") != report.npos) == (buckets > 508));
    if (buckets > 508) continue;
    std::vector<int32_t> ids(400, 1);
    const Tensor out = encode(context_on(Backend::cpu), folder / "wide.pth", ids, 400);
    CHECK(all_finite(context_on(Backend::cpu), out));
  }
}

TEST_CASE("an encoder of unusual sizes agrees between backends and name layouts") {
  const TemporaryFolder folder;
  fixtures::write_model(folder / "original.pth", file_of(kSmall));
  ModelFile renamed = file_of(kSmall);
  renamed.rename = umt5_hugging_face_name;
  fixtures::write_model(folder / "renamed.safetensors", renamed);
  const Tensor expected = encode(context_on(Backend::reference), folder / "original.pth", kIds, 12);
  const Tensor out = encode(context_on(Backend::cpu), folder / "original.pth", kIds, 12);
  CHECK(check::relative_error(out, expected) < 1e-5);
  const Tensor other = encode(context_on(Backend::cpu, DType::f32, 3), folder / "renamed.safetensors", kIds, 12);
  CHECK(std::memcmp(other.raw(), out.raw(), out.bytes()) == 0);
}

TEST_CASE("rows after the last token are zero, and their number changes nothing before them") {
  const TemporaryFolder folder;
  fixtures::write_model(folder / "small.pth", file_of(kSmall));
  const Context context = context_on(Backend::cpu);
  const Tensor narrow = encode(context, folder / "small.pth", kIds, 8),
               wide = encode(context, folder / "small.pth", kIds, 64);
  CHECK(wide.shape() == Shape{64, 192});
  CHECK(std::memcmp(narrow.raw(), wide.raw(), narrow.bytes()) == 0);
  const float* rest = wide.data<float>() + 8 * 192;
  CHECK(std::all_of(rest, rest + 56 * 192, [](float value) { return value == 0; }));
}

TEST_CASE("token ids that do not fit are refused") {
  const TemporaryFolder folder;
  fixtures::write_model(folder / "small.pth", file_of(kSmall));
  const Context context = context_on(Backend::cpu);
  const auto model = Umt5::load(context, Checkpoint::open(folder / "small.pth"), LinearFormat::f32);
  auto refused = [&](std::vector<int32_t> ids) {
    try {
      model->encode(context, ids, 8);
    } catch (const Error& error) {
      return error.code();
    }
    return std::string();
  };
  CHECK(refused({}) == "settings.invalid");
  CHECK(refused({1, 500}) == "settings.invalid");
  CHECK(refused({-1}) == "settings.invalid");
  CHECK(refused(std::vector<int32_t>(9, 1)) == "settings.invalid");
  CHECK(refused({499}).empty());
}

TEST_CASE("the embedding table stays in the file, and a plan sees the rest to the byte") {
  const Umt5Config config{.dim = 256, .heads = 4, .ffn = 512, .layers = 2, .vocabulary = 256384};
  const TemporaryFolder folder;
  ModelFile file = file_of(config);
  file.holes = true;
  fixtures::write_model(folder / "wide.safetensors", file);
  uint64_t peaks[2];
  for (const bool dry_run : {false, true}) {
    MemoryCounter memory;
    Context context = context_on(Backend::cpu);
    context.memory = &memory;
    context.dry_run = dry_run;
    encode(context, folder / "wide.safetensors", kIds, 512);
    peaks[dry_run] = memory.peak();
    CHECK(memory.current() == 0);
  }
  CHECK(peaks[0] == peaks[1]);
  CHECK(peaks[0] < 20'000'000);
}

TEST_CASE("two layers of the width people run agree with the reference") {
  const Umt5Config config{.dim = 4096, .heads = 64, .ffn = 10240, .layers = 2, .vocabulary = 300};
  const TemporaryFolder folder;
  fixtures::write_model(folder / "xxl.safetensors", file_of(config));
  const std::vector<int32_t> ids{7, 299, 12, 1};
  const Tensor expected = encode(context_on(Backend::reference), folder / "xxl.safetensors", ids, 6);
  CHECK(check::relative_error(encode(context_on(Backend::cpu), folder / "xxl.safetensors", ids, 6), expected) < 1e-4);
  if (CpuFeatures::host().avx512_bf16)
    CHECK(check::relative_error(
              encode(context_on(Backend::cpu, DType::bf16), folder / "xxl.safetensors", ids, 6, LinearFormat::bf16),
              expected) < 2e-2);
}
