// Files bound to model families: layouts, prefixes, int8 pairs, optional groups, and the account of what does not fit.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "files/refusals.h"
#include "fixtures/model_files.h"
#include "models/umt5/umt5_tensors.h"
#include "models/wan_dit/wan_dit_tensors.h"
#include "models/wan_vae/wan_vae_tensors.h"
#include "project_paths.h"

using namespace rushes;
using namespace rushes::fixtures;
using namespace rushes::test;

namespace {

const WanDitConfig kSmallDit = {
    .dim = 256, .heads = 2, .ffn = 384, .layers = 2, .in_channels = 36, .out_channels = 16, .text_dim = 64};
const WanVaeConfig kSmallVae = {.base = 4};
const Umt5Config kSmallText = {.dim = 48, .heads = 3, .head_size = 8, .ffn = 40, .layers = 2, .vocabulary = 31};

ModelFile dit_file() { return {.tensors = wan_dit_tensors(kSmallDit)}; }

std::shared_ptr<const Checkpoint> file_of(const std::vector<TensorSource>& tensors, const char* name = "model.pth") {
  static std::vector<std::vector<std::byte>> kept;  // checkpoints borrow their bytes
  kept.push_back(pth_bytes(tensors));
  return Checkpoint::open_bytes(kept.back(), name);
}

bool same_bytes(const TensorView& a, const TensorView& b) {
  return a.shape == b.shape && a.type == b.type && std::memcmp(a.data, b.data, a.bytes()) == 0;
}

void drop(std::vector<TensorSource>& tensors, std::string_view start) {
  std::erase_if(tensors, [&](const TensorSource& tensor) { return tensor.name.starts_with(start); });
}

}  // namespace

TEST_CASE("weights: a transformer in every form gives the same tensors") {
  const OpenedWeights plain = open_weights(file_of(model_tensors(dit_file())), "wan-dit");
  const WanDitConfig config = wan_dit_config(plain);
  CHECK(config.dim == 256);
  CHECK(config.heads == 2);
  CHECK(config.ffn == 384);
  CHECK(config.layers == 2);
  CHECK(config.in_channels == 36);
  CHECK(config.out_channels == 16);
  CHECK(config.text_dim == 64);
  CHECK(config.frequency_dim == 256);
  CHECK(config.has_sla);
  CHECK(!config.has_image_branch);
  CHECK(plain.weights.report().layout == Layout::original);
  CHECK(plain.weights.view("patch_embedding.weight").shape == Shape{256, 144});
  CHECK(plain.weights.view("blocks.1.self_attn.norm_q.weight").type == DType::f32);

  ModelFile forms[5] = {dit_file(), dit_file(), dit_file(), dit_file(), dit_file()};
  forms[0].rename = wan_dit_diffusers_name;
  forms[1].rename = wan_dit_diffusers_name;
  forms[1].conv_patch = true;
  forms[2].prefix = "net.";
  forms[3].prefix = "model.diffusion_model.";
  forms[4].prefix = "transformer.";
  forms[4].rename = wan_dit_diffusers_name;
  for (const ModelFile& form : forms) {
    const OpenedWeights other = open_weights(file_of(model_tensors(form)), "wan-dit");
    CHECK(other.weights.report().layout == (form.rename ? Layout::diffusers : Layout::original));
    CHECK(other.weights.report().prefix == form.prefix);
    for (const ExpectedTensor& tensor : plain.detected.expected)
      CHECK(same_bytes(other.weights.view(tensor.name), plain.weights.view(tensor.name)));
  }
}

TEST_CASE("weights: int8 layers are pairs, SLA is whole or absent") {
  ModelFile form = dit_file();
  form.quantized = true;
  const OpenedWeights int8 = open_weights(file_of(model_tensors(form)), "wan-dit");
  CHECK(int8.weights.report().quantized_layers == 20);
  CHECK(int8.weights.has("blocks.1.ffn.0.int8_weight"));
  CHECK(!int8.weights.has("blocks.1.ffn.0.weight"));
  CHECK(int8.weights.view("blocks.1.ffn.0.int8_weight").shape == Shape{384, 256});
  CHECK(int8.weights.view("blocks.1.ffn.0.scale").shape == Shape{3, 2});
  CHECK(int8.weights.report().parameters ==
        open_weights(file_of(model_tensors(dit_file())), "wan-dit").weights.report().parameters);
  form.rename = wan_dit_diffusers_name;
  CHECK(open_weights(file_of(model_tensors(form)), "wan-dit").weights.report().quantized_layers == 20);
  form = dit_file();
  form.with_sla = false;
  CHECK(!wan_dit_config(open_weights(file_of(model_tensors(form)), "wan-dit")).has_sla);

  const auto refused = [](std::vector<TensorSource> tensors, const char* part) {
    CHECK_REFUSED(refusal_of([&] { open_weights(file_of(tensors), "wan-dit"); }), "checkpoint.incomplete", part);
  };
  auto tensors = model_tensors(dit_file());
  drop(tensors, "blocks.1.self_attn.attn_op.local_attn.proj_l.bias");
  refused(tensors, "1 tensor is missing (blocks.1.self_attn.attn_op.local_attn.proj_l.bias)");
  form = dit_file();
  form.quantized = true;
  tensors = model_tensors(form);
  drop(tensors, "blocks.0.ffn.2.scale");
  refused(tensors, "1 tensor is missing (blocks.0.ffn.2.scale)");
  tensors = model_tensors(form);
  drop(tensors, "blocks.0.ffn.2.int8_weight");
  refused(tensors, "1 tensor is missing (blocks.0.ffn.2.weight), 1 is unexpected (blocks.0.ffn.2.scale)");
  tensors = model_tensors(form);
  tensors.push_back(hole("blocks.0.ffn.2.weight", DType::bf16, {256, 384}));
  refused(tensors, "1 tensor is unexpected (blocks.0.ffn.2.int8_weight)");
  tensors = model_tensors(form);
  for (TensorSource& tensor : tensors)
    if (tensor.name == "blocks.0.ffn.2.scale") tensor = hole(tensor.name, DType::f32, {256, 1});
  refused(tensors, "blocks.0.ffn.2.scale: has [256, 1], needs [2, 3]");
  tensors = model_tensors(dit_file());
  for (TensorSource& tensor : tensors)
    if (tensor.name == "head.head.bias") tensor = hole(tensor.name, DType::i32, {64});
  refused(tensors, "head.head.bias: has the type i32, needs a floating type");
}

TEST_CASE("weights: missing and unexpected tensors are grouped and counted in one line") {
  auto tensors = model_tensors(dit_file());
  drop(tensors, "blocks.1.self_attn.q");
  drop(tensors, "head.head.");
  drop(tensors, "text_embedding.2.bias");
  tensors.push_back(hole("foo.bar", DType::f32, {1}));
  for (int i = 0; i < 7; ++i) tensors.push_back(hole("ema.x" + std::to_string(i), DType::f32, {1}));
  CHECK_REFUSED(
      refusal_of([&] { open_weights(file_of(tensors, "cut.pth"), "wan-dit"); }), "checkpoint.incomplete",
      "cut.pth is not a complete Wan transformer: 5 tensors are missing (text_embedding.2.bias, blocks.1.*: 2, "
      "head.*: 2), 8 are unexpected (ema.*: 7, foo.bar).");
  tensors.clear();
  for (int i = 0; i < 20; ++i) tensors.push_back(hole("x" + std::to_string(i) + ".y", DType::f32, {1}));
  auto many = model_tensors(dit_file());
  many.insert(many.end(), tensors.begin(), tensors.end());
  CHECK_REFUSED(refusal_of([&] { open_weights(file_of(many), "wan-dit"); }), "checkpoint.incomplete", "and 16 more");
}

TEST_CASE("weights: a gap in the blocks and a half-written file are named") {
  ModelFile form = dit_file();
  WanDitConfig config = kSmallDit;
  config.layers = 6;
  form.tensors = wan_dit_tensors(config);
  form.with_sla = false;
  auto tensors = model_tensors(form);
  drop(tensors, "blocks.3.");
  CHECK_REFUSED(refusal_of([&] { open_weights(file_of(tensors), "wan-dit"); }), "checkpoint.incomplete",
                "27 tensors are missing (blocks.3.*: 27)");
  drop(tensors, "head.");
  drop(tensors, "patch_embedding.");
  CHECK_REFUSED(refusal_of([&] { open_weights(file_of(tensors), "wan-dit"); }), "checkpoint.incomplete",
                "32 tensors are missing");
}

TEST_CASE("weights: a tensor that two names stand for") {
  auto tensors = model_tensors(dit_file());
  tensors.push_back(hole("net.head.head.bias", DType::bf16, {64}));
  CHECK_REFUSED(refusal_of([&] { open_weights(file_of(tensors), "wan-dit"); }), "checkpoint.incomplete",
                "1 tensor is unexpected (net.head.head.bias)");
  auto mixed = model_tensors(dit_file());
  mixed.push_back(hole("proj_out.bias", DType::bf16, {64}));
  CHECK_REFUSED(refusal_of([&] { open_weights(file_of(mixed), "wan-dit"); }), "checkpoint.incomplete",
                "1 tensor is unexpected (proj_out.bias)");
}

TEST_CASE("weights: the wrong family is one sentence") {
  const auto dit = file_of(model_tensors(dit_file()), "a.pth");
  const auto vae = file_of(model_tensors({.tensors = wan_vae_tensors(kSmallVae)}), "b.pth");
  const auto text = file_of(model_tensors({.tensors = umt5_tensors(kSmallText)}), "c.pth");
  const auto refused = [](const std::shared_ptr<const Checkpoint>& file, const char* family, const char* sentence) {
    CHECK_REFUSED(refusal_of([&] { open_weights(file, family); }), "checkpoint.unsupported", sentence);
  };
  refused(vae, "wan-dit", "b.pth is a Wan VAE, not a Wan transformer.");
  refused(text, "wan-dit", "c.pth is a umT5 text encoder, not a Wan transformer.");
  refused(dit, "wan-vae", "a.pth is a Wan transformer, not a Wan VAE.");
  refused(text, "wan-vae", "c.pth is a umT5 text encoder, not a Wan VAE.");
  refused(dit, "umt5", "a.pth is a Wan transformer, not a umT5 text encoder.");
  refused(vae, "umt5", "b.pth is a Wan VAE, not a umT5 text encoder.");
  refused(file_of({hole("x.lora_A.weight", DType::f32, {4, 4})}, "l.pth"), "wan-dit", "l.pth is a LoRA, not a");
  refused(file_of({hole("x", DType::f32, {4}), hole("y", DType::f32, {4})}, "x.pth"), "wan-dit",
          "its 2 tensors (x, y, ...) belong to no model this version knows");
}

TEST_CASE("weights: recognised relatives are refused by name") {
  const auto refused_with = [](const char* extra, Shape shape, const char* part) {
    auto tensors = model_tensors(dit_file());
    tensors.push_back(hole(extra, DType::bf16, std::move(shape)));
    CHECK_REFUSED(refusal_of([&] { open_weights(file_of(tensors), "wan-dit"); }), "checkpoint.unsupported", part);
  };
  refused_with("vace_patch_embedding.weight", {1}, "VACE");
  refused_with("control_adapter.conv.weight", {1}, "camera control");
  refused_with("casual_audio_encoder.x", {1}, "S2V");
  refused_with("face_adapter.x", {1}, "Animate");
  refused_with("img_emb.emb_pos", {1, 514, 1280}, "FLF2V");
  const auto refused = [](const std::vector<TensorSource>& tensors, const char* family, const char* part) {
    CHECK_REFUSED(refusal_of([&] { open_weights(file_of(tensors), family); }), "checkpoint.unsupported", part);
  };
  WanDitConfig config = kSmallDit;
  config.has_image_branch = true;
  refused(model_tensors({.tensors = wan_dit_tensors(config), .holes = true}), "wan-dit", "CLIP image encoder");
  refused(model_tensors({.tensors = wan_dit_tensors(config), .rename = wan_dit_diffusers_name, .holes = true}),
          "wan-dit", "CLIP image encoder");
  config = kSmallDit;
  config.in_channels = config.out_channels = 48;
  refused(model_tensors({.tensors = wan_dit_tensors(config), .holes = true}), "wan-dit", "TI2V 5B");
  config = kSmallDit;
  config.dim = 200;
  refused(model_tensors({.tensors = wan_dit_tensors(config), .holes = true}), "wan-dit",
          "not a multiple of the head size");

  auto vae = model_tensors({.tensors = wan_vae_tensors(kSmallVae), .holes = true});
  vae.push_back(hole("encoder.downsamples.0.downsamples.0.residual.0.gamma", DType::f32, {4, 1, 1, 1}));
  refused(vae, "wan-vae", "Wan2.2 VAE");
  refused(model_tensors({.tensors = wan_vae_tensors({.base = 4, .latent_channels = 8}), .holes = true}), "wan-vae",
          "8 latent channels");

  auto t5 = model_tensors({.tensors = umt5_tensors(kSmallText), .rename = umt5_hugging_face_name, .holes = true});
  drop(t5, "encoder.block.1.layer.0.SelfAttention.relative_attention_bias");
  refused(t5, "umt5", "it is a T5 encoder");
}

TEST_CASE("weights: the VAE in both layouts") {
  ModelFile form = {.tensors = wan_vae_tensors(kSmallVae)};
  const OpenedWeights plain = open_weights(file_of(model_tensors(form)), "wan-vae");
  CHECK(wan_vae_config(plain).base == 4);
  CHECK(wan_vae_config(plain).latent_channels == 16);
  form.rename = wan_vae_diffusers_name;
  const OpenedWeights other = open_weights(file_of(model_tensors(form)), "wan-vae");
  CHECK(other.weights.report().layout == Layout::diffusers);
  for (const ExpectedTensor& tensor : plain.detected.expected)
    CHECK(same_bytes(other.weights.view(tensor.name), plain.weights.view(tensor.name)));
  auto tensors = model_tensors(form);
  drop(tensors, "decoder.up_blocks.2.");
  CHECK_REFUSED(refusal_of([&] { open_weights(file_of(tensors), "wan-vae"); }), "checkpoint.incomplete", "missing");
}

TEST_CASE("weights: the text encoder in both layouts, with the second name and the tokenizer some files carry") {
  ModelFile form = {.tensors = umt5_tensors(kSmallText)};
  const OpenedWeights plain = open_weights(file_of(model_tensors(form)), "umt5");
  const Umt5Config config = umt5_config(plain);
  CHECK(config.dim == 48);
  CHECK(config.heads == 3);
  CHECK(config.head_size == 8);
  CHECK(config.ffn == 40);
  CHECK(config.layers == 2);
  CHECK(config.vocabulary == 31);
  CHECK(config.buckets == 32);
  form.rename = umt5_hugging_face_name;
  auto tensors = model_tensors(form);
  tensors.push_back(hole("encoder.embed_tokens.weight", DType::bf16, {31, 48}));
  tensors.push_back(hole("spiece_model", DType::u8, {1000}));
  const OpenedWeights other = open_weights(file_of(tensors), "umt5");
  for (const ExpectedTensor& tensor : plain.detected.expected)
    CHECK(same_bytes(other.weights.view(tensor.name), plain.weights.view(tensor.name)));
  // Only the second name.
  tensors = model_tensors(form);
  for (TensorSource& tensor : tensors)
    if (tensor.name == "shared.weight") tensor.name = "encoder.embed_tokens.weight";
  CHECK(same_bytes(open_weights(file_of(tensors), "umt5").weights.view("token_embedding.weight"),
                   plain.weights.view("token_embedding.weight")));
  tensors = model_tensors(form);
  tensors.push_back(hole("logit_scale", DType::f32, {2}));
  CHECK_REFUSED(refusal_of([&] { open_weights(file_of(tensors), "umt5"); }), "checkpoint.incomplete",
                "1 tensor is unexpected (logit_scale)");
}

TEST_CASE("weights: every demo file renamed to the other layout gives identical tensors") {
  const TemporaryFolder folder;
  const std::filesystem::path demo = check::demo_folder();
  const std::pair<const char*, const char*> files[] = {{"demo-t2v.pth", "wan-dit"},
                                                       {"demo-t2v-quant.pth", "wan-dit"},
                                                       {"demo-vae.pth", "wan-vae"},
                                                       {"demo-umt5.pth", "umt5"}};
  for (const auto& [name, family] : files) {
    CAPTURE(name);
    const auto original = Checkpoint::open(demo / name);
    convert_to_safetensors(demo / name, folder / "renamed.safetensors", family_named(family).to_diffusers);
    const OpenedWeights before = open_weights(original, family);
    const OpenedWeights after = open_weights(Checkpoint::open(folder / "renamed.safetensors"), family);
    CHECK(after.weights.report().layout == Layout::diffusers);
    CHECK(after.weights.report().quantized_layers == before.weights.report().quantized_layers);
    CHECK(after.detected.sizes == before.detected.sizes);
    for (const TensorView& tensor : original->tensors())
      CHECK(same_bytes(after.weights.view(tensor.name), before.weights.view(tensor.name)));
  }
}
