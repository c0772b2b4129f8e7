// LoRAs beside a made-up transformer: the same as the change inside the weights, in every form, on every backend; and
// files that must be refused.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>

#include "cuda/cuda_device.h"
#include "fixtures/lora_file.h"
#include "fixtures/model_files.h"
#include "models/wan_dit/wan_dit.h"
#include "models/wan_dit/wan_dit_tensors.h"
#include "runtime/random.h"

using namespace rushes;
using fixtures::LoraForm;
using fixtures::LoraMade;
using fixtures::TemporaryFolder;
using fixtures::TensorSource;

namespace {

const WanDitConfig kSmall{
    .dim = 256, .heads = 2, .ffn = 384, .layers = 2, .in_channels = 16, .out_channels = 16, .text_dim = 128};
const std::vector<ChangeableLayer> kLayers = wan_dit_layers(kSmall);

Context context_on(Backend backend, DType compute = DType::f32) {
  Context context;
  context.backend = backend;
  context.compute = compute;
  context.threads = 2;
  return context;
}

bool same_bytes(const Tensor& a, const Tensor& b) {
  return a.bytes() == b.bytes() && !std::memcmp(a.raw(), b.raw(), a.bytes());
}

// A transformer of f32 weights, an input, and a folder for LoRAs.
struct Small {
  TemporaryFolder folder;
  fixtures::ModelFile file;
  Tensor latents = check::random_tensor(Context(), {16, 3, 4, 6}, 1),
         text = check::random_tensor(Context(), {9, 128}, 2);
  Small() {
    file.tensors = wan_dit_tensors(kSmall);
    file.type = DType::f32;
    fixtures::write_model(folder / "dit.safetensors", file);
  }
  std::shared_ptr<const LoraFile> lora(const std::string& name, const LoraMade& made,
                                       const std::vector<ChangeableLayer>& layers = kLayers) const {
    return written(name, fixtures::lora_tensors(layers, made), made.metadata);
  }
  std::shared_ptr<const LoraFile> written(const std::string& name, const std::vector<TensorSource>& tensors,
                                          const std::map<std::string, std::string>& metadata = {}) const {
    fixtures::write_lora(folder / name, tensors, metadata);
    return LoraFile::open(folder / name);
  }
  std::shared_ptr<WanDit> load(const Context& context, LinearFormat format = LinearFormat::f32,
                               const char* name = "dit.safetensors",
                               DitPlacement placement = DitPlacement::resident) const {
    return WanDit::load(context, Checkpoint::open(folder / name), format, {}, placement);
  }
  Tensor velocity(const Context& context, const WanDit& model) const {
    return model.velocity(context, latents, 932, text, {AttentionType::sla, 0.5});
  }
  Tensor with(const Context& context, const std::vector<AppliedLora>& loras,
              LinearFormat format = LinearFormat::f32) const {
    const auto model = load(context, format);
    model->adapt(context, loras);
    return velocity(context, *model);
  }
  // A second model whose weights and biases hold the change.
  void write_merged(const char* name, const LoraMade& made, double factor) const {
    std::vector<TensorSource> tensors = fixtures::model_tensors(file);
    for (TensorSource& tensor : tensors)
      for (const ChangeableLayer& layer : kLayers) {
        const bool is_weight = tensor.name == layer.name + ".weight";
        if (!is_weight && !(made.bias && tensor.name == layer.name + ".bias")) continue;
        tensor.fill = [=, fill = tensor.fill](std::span<std::byte> bytes) {
          fill(bytes);
          auto* values = reinterpret_cast<float*>(bytes.data());
          if (!is_weight) {
            const std::vector<float> bias = fixtures::lora_bias(layer, made);
            for (size_t i = 0; i < bias.size(); ++i) values[i] += static_cast<float>(factor) * bias[i];
            return;
          }
          const std::vector<float> down = fixtures::lora_down(layer, made), up = fixtures::lora_up(layer, made);
          for (int64_t n = 0; n < layer.out_features; ++n)
            for (int64_t k = 0; k < layer.in_features; ++k) {
              double sum = 0;
              for (int64_t r = 0; r < made.rank; ++r)
                sum += static_cast<double>(up[static_cast<size_t>(n * made.rank + r)]) *
                       down[static_cast<size_t>(r * layer.in_features + k)];
              values[n * layer.in_features + k] += static_cast<float>(factor * sum);
            }
        };
      }
    fixtures::write_safetensors_sparse(folder / name, tensors);
  }
};

std::string code_of(const std::function<void()>& run, std::string* sentence = nullptr) {
  try {
    run();
  } catch (const Error& error) {
    if (sentence) *sentence = error.sentence();
    return error.code();
  }
  return "";
}

}  // namespace

TEST_CASE("a LoRA beside the weights of every layer does what the change inside them does") {
  const Small small;
  const LoraMade made{.rank = 3, .bias = true};
  small.write_merged("merged.safetensors", made, 0.75);
  const auto lora = small.lora("lora.safetensors", made);
  CHECK(lora->rank() == 3);
  CHECK(lora->layer_count() == kLayers.size());
  const Context reference = context_on(Backend::reference);
  const Tensor expected = small.velocity(reference, *small.load(reference, LinearFormat::f32, "merged.safetensors"));
  const Tensor without = small.velocity(reference, *small.load(reference));
  REQUIRE(check::relative_error(without, expected) > 0.2);  // the change is a large one

  CHECK(check::relative_error(small.with(reference, {{lora, 0.75}}), expected) < 1e-5);
  const Context cpu = context_on(Backend::cpu);
  CHECK(check::relative_error(small.with(cpu, {{lora, 0.75}}), expected) < 1e-5);
  if (CpuFeatures::host().avx512_bf16)
    CHECK(check::relative_error(small.with(context_on(Backend::cpu, DType::bf16), {{lora, 0.75}}, LinearFormat::bf16),
                                expected) < 2e-2);
  // Beside int8 weights, which are as far from the merged ones as without a LoRA.
  const Tensor int8 = small.velocity(cpu, *small.load(cpu, LinearFormat::int8_tiles));
  CHECK(check::relative_error(small.with(cpu, {{lora, 0.75}}, LinearFormat::int8_tiles), expected) <
        1.5 * check::relative_error(int8, without));
}

TEST_CASE("a LoRA on a card does what it does on the processor, also where blocks stream") {
  if (cuda::discover().devices.empty()) {
    MESSAGE("skipped: no GPU");
    return;
  }
  const Small small;
  const auto lora = small.lora("lora.safetensors", {.rank = 5, .bias = true});
  const auto device = cuda::open_cuda_device(0);
  Context card = context_on(Backend::cuda);
  card.device = device.get();
  const Tensor expected = small.with(context_on(Backend::reference), {{lora, 1.5}});
  CHECK(check::relative_error(small.with(card, {{lora, 1.5}}), expected) < 1e-5);
  card.compute = DType::bf16;
  const auto resident = small.load(card, LinearFormat::bf16);
  resident->adapt(card, {{lora, 1.5}});
  const Tensor bf16 = small.velocity(card, *resident);
  CHECK(check::relative_error(bf16, expected) < 2e-2);
  const auto streamed = small.load(card, LinearFormat::bf16, "dit.safetensors", DitPlacement::streamed);
  streamed->adapt(card, {{lora, 1.5}});
  CHECK(same_bytes(small.velocity(card, *streamed), bf16));
}

namespace {

// Differences of whole tensors, as they are extracted from a tuned model: by the model's name, the file's name.
const std::pair<const char*, const char*> kDifferences[] = {
    {"patch_embedding.weight", "patch_embedding.diff"},
    {"blocks.0.modulation", "blocks.0.diff_m"},
    {"blocks.0.self_attn.norm_q.weight", "blocks.0.self_attn.norm_q.diff"},
    {"blocks.1.self_attn.norm_k.weight", "blocks.1.self_attn.norm_k.diff"},
    {"blocks.0.norm3.weight", "blocks.0.norm3.diff"},
    {"blocks.0.norm3.bias", "blocks.0.norm3.diff_b"},
    {"blocks.1.cross_attn.norm_q.weight", "blocks.1.cross_attn.norm_q.diff"},
    {"blocks.1.cross_attn.norm_k.weight", "blocks.1.cross_attn.norm_k.diff"},
    {"blocks.0.ffn.0.weight", "blocks.0.ffn.0.diff"},
    {"blocks.1.ffn.2.weight", "blocks.1.ffn.2.diff"},
    {"time_projection.1.weight", "time_projection.1.diff"},
    {"head.modulation", "head.diff_m"},
    {"head.head.weight", "head.head.diff"},
    {"head.head.bias", "head.head.diff_b"},
};

// Of a tensor of the model: a tenth of a typical weight's size for a matrix, a fifth of a norm's.
std::vector<float> difference_of(const std::string& name, const Shape& shape) {
  const float deviation = shape.size() == 2 ? 0.3f / std::sqrt(static_cast<float>(shape[1])) : 0.2f;
  const Tensor tensor =
      check::random_tensor(Context(), {1, element_count(shape)}, 31 * name.size() + name.front(), deviation);
  return {tensor.data<float>(), tensor.data<float>() + tensor.count()};
}

// A LoRA of one layer with the differences beside it, and the model with all of that in its weights.
std::shared_ptr<const LoraFile> write_differences(const Small& small, const char* merged, double factor) {
  const LoraMade made{.rank = 2, .form = LoraForm::comfy};
  const std::vector<ChangeableLayer> few{kLayers[6]};
  std::vector<TensorSource> lora = fixtures::lora_tensors(few, made), model = fixtures::model_tensors(small.file);
  for (TensorSource& tensor : model)
    for (const auto& [name, of_file] : kDifferences) {
      if (tensor.name != name) continue;
      const std::vector<float> values = difference_of(name, tensor.shape);
      const Shape shape =
          tensor.name == "patch_embedding.weight" ? Shape{kSmall.dim, kSmall.in_channels, 1, 2, 2} : tensor.shape;
      lora.push_back(fixtures::tensor_of(std::string("diffusion_model.") + of_file, DType::f32, shape, values));
      tensor.fill = [=, fill = tensor.fill](std::span<std::byte> bytes) {
        fill(bytes);
        for (size_t i = 0; i < values.size(); ++i)
          reinterpret_cast<float*>(bytes.data())[i] += static_cast<float>(factor) * values[i];
      };
    }
  fixtures::write_safetensors_sparse(small.folder / merged, model);
  return small.written("differences.safetensors", lora);
}

}  // namespace

TEST_CASE("differences of norms, tables and whole weights do what they do inside the weights") {
  const Small small;
  const auto lora = write_differences(small, "merged.safetensors", 0.75);
  CHECK(lora->match(wan_dit_changeable(kSmall)).left_out.empty());
  CHECK(lora->rank() == 2);
  const Context reference = context_on(Backend::reference), cpu = context_on(Backend::cpu);
  const auto merged = small.load(reference, LinearFormat::f32, "merged.safetensors");
  const LoraMade pair{.rank = 2, .form = LoraForm::comfy};
  merged->adapt(reference, {{small.lora("pair.safetensors", pair, {kLayers[6]}), 0.75}});
  const Tensor expected = small.velocity(reference, *merged);
  REQUIRE(check::relative_error(small.velocity(reference, *small.load(reference)), expected) > 0.1);
  CHECK(check::relative_error(small.with(reference, {{lora, 0.75}}), expected) < 1e-5);
  CHECK(check::relative_error(small.with(cpu, {{lora, 0.75}}), expected) < 1e-5);
  // Two halves are the whole; without them the model is its own again.
  CHECK(check::relative_error(small.with(cpu, {{lora, 0.5}, {lora, 0.25}}), expected) < 1e-5);
  const auto model = small.load(cpu);
  const Tensor own = small.velocity(cpu, *model);
  model->adapt(cpu, {{lora, 1}});
  model->adapt(cpu, {});
  CHECK(same_bytes(small.velocity(cpu, *model), own));

  if (cuda::discover().devices.empty()) {
    MESSAGE("skipped: no GPU");
    return;
  }
  const auto device = cuda::open_cuda_device(0);
  Context card = context_on(Backend::cuda);
  card.device = device.get();
  CHECK(check::relative_error(small.with(card, {{lora, 0.75}}), expected) < 1e-5);
  card.compute = DType::bf16;
  const auto velocity_at = [&](DitPlacement placement) {
    const auto on_card = small.load(card, LinearFormat::bf16, "dit.safetensors", placement);
    on_card->adapt(card, {{lora, 0.75}});
    return small.velocity(card, *on_card);
  };
  CHECK(same_bytes(velocity_at(DitPlacement::streamed), velocity_at(DitPlacement::resident)));
}

TEST_CASE("a difference that fits nothing here is refused or left out, as a layer's is") {
  const Small small;
  const std::vector<ChangeableLayer> places = wan_dit_changeable(kSmall);
  const auto with = [&](const char* name, const Shape& shape) {
    std::vector<TensorSource> tensors = fixtures::lora_tensors({kLayers[6]}, {});
    tensors.push_back(
        fixtures::tensor_of(name, DType::f32, shape, std::vector<float>(static_cast<size_t>(element_count(shape)), 1)));
    return small.written("odd.safetensors", tensors);
  };
  std::string sentence;
  CHECK(code_of([&] { with("blocks.0.norm3.diff", {128})->match(places); }, &sentence) == "checkpoint.unsupported");
  CHECK(sentence.find("blocks.0.norm3 has 256 numbers here") != std::string::npos);
  CHECK(code_of([&] { with("blocks.0.ffn.0.diff", {256, 384})->match(places); }) == "checkpoint.unsupported");
  CHECK(code_of([&] { with("blocks.0.self_attn.norm_q.diff_b", {256})->match(places); }) == "checkpoint.unsupported");
  CHECK(with("blocks.7.norm3.diff", {256})->match(places).left_out.size() == 1);
  CHECK(with("patch_embedding.diff", {256, 36, 1, 2, 2})->match(places).left_out.size() == 1);
  CHECK(code_of([&] { with("blocks.0.norm3.diff", {}); }) == "checkpoint.corrupt");
}

TEST_CASE("every trainer's form of one LoRA gives the same bytes") {
  const Small small;
  const Context cpu = context_on(Backend::cpu);
  const auto peft = small.lora("peft.safetensors", {.form = LoraForm::peft});
  CHECK(peft->layout() == "peft");
  const Tensor expected = small.with(cpu, {{peft, 1}});
  const std::pair<LoraForm, std::string_view> others[] = {
      {LoraForm::comfy, "ComfyUI"}, {LoraForm::diffusers, "Diffusers"}, {LoraForm::kohya, "kohya"}};
  for (const auto& [form, layout] : others) {
    const auto other = small.lora("other.safetensors", {.form = form});
    CHECK(other->layout() == layout);
    CHECK(same_bytes(small.with(cpu, {{other, 1}}), expected));
  }
}

TEST_CASE("alpha, strength and rsLoRA scale the change; strength 0 and no LoRA leave the model as it is") {
  const Small small;
  const Context cpu = context_on(Backend::cpu);
  const auto model = small.load(cpu);
  const Tensor without = small.velocity(cpu, *model);
  const auto adapted = [&](const std::vector<AppliedLora>& loras) {
    model->adapt(cpu, loras);
    CHECK(model->is_adapted_with(loras));
    return small.velocity(cpu, *model);
  };
  const auto plain = small.lora("plain.safetensors", {.rank = 4});
  const Tensor half = adapted({{plain, 0.5}});
  CHECK_FALSE(same_bytes(half, without));
  CHECK(same_bytes(adapted({{small.lora("alpha.safetensors", {.rank = 4, .alpha = 2}), 1}}), half));
  CHECK(
      same_bytes(adapted({{small.lora("alpha.safetensors", {.rank = 4, .alpha = 2}), -1}}), adapted({{plain, -0.5}})));
  const std::string config = R"({"transformer.r": 4, "transformer.lora_alpha": 1, "transformer.use_rslora": true})";
  CHECK(same_bytes(
      adapted({{small.lora("rs.safetensors", {.rank = 4, .metadata = {{"lora_adapter_metadata", config}}}), 1}}),
      half));
  CHECK(same_bytes(adapted({{plain, 0}}), without));
  CHECK(same_bytes(adapted({}), without));
  // peft's own pair of files.
  small.lora("adapter_model.safetensors", {.rank = 4});
  std::ofstream(small.folder / "adapter_config.json") << R"({"r": 4, "lora_alpha": 2, "target_modules": ["q"]})";
  CHECK(same_bytes(adapted({{LoraFile::open(small.folder / "adapter_model.safetensors"), 1}}), half));
}

TEST_CASE("an alpha may be a whole number, as trainers write the rank") {
  const Small small;
  const Context cpu = context_on(Backend::cpu);
  const std::vector<ChangeableLayer> few{kLayers[6]};
  std::vector<TensorSource> tensors = fixtures::lora_tensors(few, {.rank = 4, .form = LoraForm::comfy});
  const Tensor half =
      small.with(cpu, {{small.lora("half.safetensors", {.rank = 4, .form = LoraForm::comfy}, few), 0.5}});
  const auto with_alpha = [&](DType type, auto number) {
    std::vector<TensorSource> written = tensors;
    written.push_back({.name = "diffusion_model." + few[0].name + ".alpha", .type = type, .shape = {}});
    written.back().fill = [number](std::span<std::byte> bytes) { std::memcpy(bytes.data(), &number, sizeof number); };
    return small.with(cpu, {{small.written("whole.safetensors", written), 1}});
  };
  CHECK(same_bytes(with_alpha(DType::i64, int64_t{2}), half));
  CHECK(same_bytes(with_alpha(DType::i32, int32_t{2}), half));
  CHECK(same_bytes(with_alpha(DType::u8, uint8_t{2}), half));
  CHECK(code_of([&] { with_alpha(DType::boolean, uint8_t{1}); }) == "checkpoint.corrupt");
}

TEST_CASE("a file of differences alone is one, of rank 0") {
  const Small small;
  const Shape shape{kSmall.dim};
  const std::vector<TensorSource> tensors{fixtures::tensor_of("diffusion_model.blocks.0.norm3.diff", DType::f32, shape,
                                                              difference_of("blocks.0.norm3.weight", shape))};
  const auto lora = small.written("differences.safetensors", tensors);
  CHECK(LoraFile::looks_like_one(lora->file()));
  CHECK(lora->rank() == 0);
  const Context cpu = context_on(Backend::cpu);
  CHECK_FALSE(same_bytes(small.with(cpu, {{lora, 1}}), small.velocity(cpu, *small.load(cpu))));
}

TEST_CASE("several LoRAs add up, whatever their ranks, and may change a few layers only") {
  const Small small;
  const Context reference = context_on(Backend::reference);
  const std::vector<ChangeableLayer> few{kLayers[6], kLayers[9]};
  const LoraMade first{.rank = 2, .seed = 3}, second{.rank = 5, .seed = 4};
  const auto one = small.lora("one.safetensors", first), other = small.lora("other.safetensors", second, few);
  // The merged weights of one, with the other beside them.
  small.write_merged("merged.safetensors", first, 1);
  const auto merged = small.load(reference, LinearFormat::f32, "merged.safetensors");
  merged->adapt(reference, {{other, -0.5}});
  CHECK(check::relative_error(small.with(reference, {{one, 1}, {other, -0.5}}), small.velocity(reference, *merged)) <
        1e-5);
}

TEST_CASE("a file for two experts gives each its part") {
  const Small small;
  const std::vector<ChangeableLayer> few{kLayers[6]};
  std::vector<TensorSource> both = fixtures::lora_tensors(few, {.seed = 1, .form = LoraForm::diffusers});
  for (TensorSource tensor : fixtures::lora_tensors(few, {.seed = 2, .form = LoraForm::diffusers})) {
    tensor.name = "transformer_2." + tensor.name.substr(std::strlen("transformer."));
    both.push_back(tensor);
  }
  const auto pair = small.written("pair.safetensors", both);
  const Context cpu = context_on(Backend::cpu);
  const auto made = [&](uint64_t seed) { return small.lora("single.safetensors", {.seed = seed}, few); };
  CHECK(same_bytes(small.with(cpu, {{pair, 1, LoraExpert::high}}), small.with(cpu, {{made(1), 1}})));
  CHECK(same_bytes(small.with(cpu, {{pair, 1, LoraExpert::low}}), small.with(cpu, {{made(2), 1}})));
}

TEST_CASE("what fits nothing is left out and named; what is for another model is refused") {
  const Small small;
  std::vector<TensorSource> tensors = fixtures::lora_tensors({kLayers[6]}, {});
  tensors.push_back(fixtures::tensor_of("base_model.model.blocks.9.norm3.diff", DType::f32, {1}, {0}));
  tensors.push_back(
      fixtures::tensor_of("base_model.model.blocks.0.cross_attn.k_img.lora_A.weight", DType::f32, {1, 2}, {0, 0}));
  tensors.push_back(
      fixtures::tensor_of("base_model.model.blocks.0.cross_attn.k_img.lora_B.weight", DType::f32, {2, 1}, {0, 0}));
  const auto partial = small.written("partial.safetensors", tensors)->match(kLayers);
  CHECK(partial.changes.size() == 1);
  CHECK(partial.left_out.size() == 3);

  // Made for 36 channels: all but the first layer fits.
  WanDitConfig picture = kSmall;
  picture.in_channels = 36;
  const auto other_input = small.lora("input.safetensors", {}, wan_dit_layers(picture))->match(kLayers);
  CHECK(other_input.changes.size() == kLayers.size() - 1);
  CHECK(other_input.left_out.size() == 2);

  WanDitConfig wide = kSmall;
  wide.dim = 384;
  wide.heads = 3;
  std::string sentence;
  CHECK(code_of([&] { small.lora("wide.safetensors", {}, wan_dit_layers(wide))->match(kLayers); }, &sentence) ==
        "checkpoint.unsupported");
  CHECK(sentence.find("wide.safetensors is a LoRA for another model: ") == 0);
  std::vector<ChangeableLayer> renamed{kLayers[6]};
  renamed[0].name = "double_blocks.0.img_attn.qkv";
  CHECK(code_of([&] { small.lora("flux.safetensors", {}, renamed)->match(kLayers); }) == "checkpoint.unsupported");
}

TEST_CASE("a file that is no plain LoRA, or a damaged one, is refused in a sentence") {
  const Small small;
  using fixtures::tensor_of;
  const std::string stem = "diffusion_model.blocks.0.ffn.0";
  const TensorSource down = tensor_of(stem + ".lora_down.weight", DType::f32, {1, 2}, {1, 1}),
                     up = tensor_of(stem + ".lora_up.weight", DType::f32, {2, 1}, {1, 1});
  const auto refused = [&](const std::vector<TensorSource>& tensors) {
    std::string sentence;
    const std::string code = code_of([&] { small.written("odd.safetensors", tensors); }, &sentence);
    CHECK(sentence.find("odd.safetensors") != std::string::npos);
    return code;
  };
  CHECK(refused({down}) == "checkpoint.corrupt");
  CHECK(refused({down, up, tensor_of(stem + ".alpha", DType::f32, {2}, {1, 1})}) == "checkpoint.corrupt");
  CHECK(refused({down, up, tensor_of(stem + ".dora_scale", DType::f32, {1}, {1})}) == "checkpoint.unsupported");
  CHECK(refused({tensor_of(stem + ".hada_w1_a", DType::f32, {1}, {1})}) == "checkpoint.unsupported");
  CHECK(refused({tensor_of("some.weight", DType::f32, {1}, {1})}) == "checkpoint.unsupported");
  CHECK(refused({down, tensor_of(stem + ".lora_up.weight", DType::f32, {2, 3}, std::vector<float>(6))}) ==
        "checkpoint.corrupt");
  CHECK(refused({tensor_of(stem + ".lora_down.weight", DType::f32, {0, 2}, {}),
                 tensor_of(stem + ".lora_up.weight", DType::f32, {2, 0}, {})}) == "checkpoint.corrupt");
  // One number that stands for more than can be counted.
  TensorSource endless = down, rows = up;
  endless.shape = {int64_t{1} << 40, int64_t{1} << 20};
  rows.shape = {int64_t{1} << 20, int64_t{1} << 40};
  endless.strides = rows.strides = {0, 0};
  endless.storage_count = rows.storage_count = 1;
  endless.fill = rows.fill = {};
  fixtures::write_pth(small.folder / "endless.pth", {endless, rows});
  CHECK(code_of([&] { LoraFile::open(small.folder / "endless.pth"); }) == "checkpoint.corrupt");
  CHECK(code_of([&] { LoraFile::open(small.folder / "dit.safetensors"); }) == "checkpoint.unsupported");
  CHECK(code_of([&] { LoraFile::open(small.folder / "absent.safetensors"); }) == "checkpoint.missing");

  // Values are read when it is applied; the model stays as it was.
  std::vector<TensorSource> poisoned = fixtures::lora_tensors({kLayers[6]}, {});
  poisoned[1] = tensor_of(poisoned[1].name, DType::f32, poisoned[1].shape,
                          std::vector<float>(static_cast<size_t>(element_count(poisoned[1].shape)),
                                             std::numeric_limits<float>::quiet_NaN()));
  const Context cpu = context_on(Backend::cpu);
  const auto model = small.load(cpu);
  const Tensor without = small.velocity(cpu, *model);
  CHECK(code_of([&] { model->adapt(cpu, {{small.written("nan.safetensors", poisoned), 1}}); }) == "checkpoint.corrupt");
  CHECK(same_bytes(small.velocity(cpu, *model), without));
}
