// Names: the tables of the published converters, written out, against the renames the engine uses.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "models/name_segments.h"
#include "models/umt5/umt5_tensors.h"
#include "models/wan_dit/wan_dit_tensors.h"
#include "models/wan_vae/wan_vae_tensors.h"

using namespace rushes;

namespace {

WanDitConfig dit_of(int64_t dim, int64_t ffn, int64_t layers, int64_t in, int64_t out) {
  return {.dim = dim,
          .heads = dim / 128,
          .ffn = ffn,
          .layers = layers,
          .in_channels = in,
          .out_channels = out,
          .text_dim = 4096};
}

size_t required_count(const std::vector<ExpectedTensor>& tensors) {
  return static_cast<size_t>(
      std::count_if(tensors.begin(), tensors.end(), [](const ExpectedTensor& tensor) { return tensor.group.empty(); }));
}

int64_t required_parameters(const std::vector<ExpectedTensor>& tensors) {
  int64_t sum = 0;
  for (const ExpectedTensor& tensor : tensors) sum += tensor.group.empty() ? element_count(tensor.shape) : 0;
  return sum;
}

}  // namespace

TEST_CASE("names: tensor and parameter counts of the published models") {
  const auto check = [](const WanDitConfig& config, size_t tensors, int64_t parameters) {
    CHECK(required_count(wan_dit_tensors(config)) == tensors);
    CHECK(required_parameters(wan_dit_tensors(config)) == parameters);
  };
  check(dit_of(1536, 8960, 30, 16, 16), 825, 1'418'996'800);
  check(dit_of(5120, 13824, 40, 16, 16), 1095, 14'288'491'584);
  check(dit_of(5120, 13824, 40, 36, 16), 1095, 14'288'901'184);
  check(dit_of(3072, 14336, 30, 48, 48), 825, 4'999'787'712);
  WanDitConfig image = dit_of(5120, 13824, 40, 36, 16);
  image.has_image_branch = true;
  check(image, 1303, 16'394'878'784);
  CHECK(wan_dit_tensors(dit_of(1536, 8960, 30, 16, 16)).size() == 885);  // with SLA's projections
  CHECK(wan_dit_tensors(dit_of(5120, 13824, 40, 16, 16)).size() == 1175);

  const auto text = umt5_tensors({.dim = 4096, .heads = 64, .ffn = 10240, .layers = 24, .vocabulary = 256384});
  CHECK(text.size() == 242);
  CHECK(required_parameters(text) == 5'680'910'336);
  CHECK(wan_vae_tensors({.base = 96}).size() == 194);
}

TEST_CASE("names: the transformer's table") {
  const std::pair<const char*, const char*> table[] = {
      {"patch_embedding.weight", "patch_embedding.weight"},
      {"patch_embedding.bias", "patch_embedding.bias"},
      {"text_embedding.0.weight", "condition_embedder.text_embedder.linear_1.weight"},
      {"text_embedding.2.bias", "condition_embedder.text_embedder.linear_2.bias"},
      {"time_embedding.0.bias", "condition_embedder.time_embedder.linear_1.bias"},
      {"time_embedding.2.weight", "condition_embedder.time_embedder.linear_2.weight"},
      {"time_projection.1.weight", "condition_embedder.time_proj.weight"},
      {"blocks.0.modulation", "blocks.0.scale_shift_table"},
      {"blocks.10.self_attn.q.weight", "blocks.10.attn1.to_q.weight"},
      {"blocks.10.self_attn.k.bias", "blocks.10.attn1.to_k.bias"},
      {"blocks.10.self_attn.v.weight", "blocks.10.attn1.to_v.weight"},
      {"blocks.10.self_attn.o.weight", "blocks.10.attn1.to_out.0.weight"},
      {"blocks.1.self_attn.norm_q.weight", "blocks.1.attn1.norm_q.weight"},
      {"blocks.1.self_attn.norm_k.weight", "blocks.1.attn1.norm_k.weight"},
      {"blocks.1.norm3.weight", "blocks.1.norm2.weight"},
      {"blocks.1.norm3.bias", "blocks.1.norm2.bias"},
      {"blocks.1.cross_attn.q.weight", "blocks.1.attn2.to_q.weight"},
      {"blocks.1.cross_attn.k.weight", "blocks.1.attn2.to_k.weight"},
      {"blocks.1.cross_attn.v.weight", "blocks.1.attn2.to_v.weight"},
      {"blocks.1.cross_attn.o.bias", "blocks.1.attn2.to_out.0.bias"},
      {"blocks.1.cross_attn.norm_q.weight", "blocks.1.attn2.norm_q.weight"},
      {"blocks.1.cross_attn.norm_k.weight", "blocks.1.attn2.norm_k.weight"},
      {"blocks.1.cross_attn.k_img.weight", "blocks.1.attn2.add_k_proj.weight"},
      {"blocks.1.cross_attn.v_img.bias", "blocks.1.attn2.add_v_proj.bias"},
      {"blocks.1.cross_attn.norm_k_img.weight", "blocks.1.attn2.norm_added_k.weight"},
      {"blocks.1.ffn.0.weight", "blocks.1.ffn.net.0.proj.weight"},
      {"blocks.1.ffn.2.bias", "blocks.1.ffn.net.2.bias"},
      {"head.modulation", "scale_shift_table"},
      {"head.head.weight", "proj_out.weight"},
      {"img_emb.proj.0.weight", "condition_embedder.image_embedder.norm1.weight"},
      {"img_emb.proj.1.weight", "condition_embedder.image_embedder.ff.net.0.proj.weight"},
      {"img_emb.proj.3.weight", "condition_embedder.image_embedder.ff.net.2.weight"},
      {"img_emb.proj.4.bias", "condition_embedder.image_embedder.norm2.bias"},
      {"img_emb.emb_pos", "condition_embedder.image_embedder.pos_embed"},
  };
  for (const auto& [original, diffusers] : table) CHECK(wan_dit_diffusers_name(original) == diffusers);
}

TEST_CASE("names: the VAE's table") {
  const std::pair<const char*, const char*> table[] = {
      {"conv1.weight", "quant_conv.weight"},
      {"conv2.bias", "post_quant_conv.bias"},
      {"encoder.conv1.weight", "encoder.conv_in.weight"},
      {"decoder.conv1.bias", "decoder.conv_in.bias"},
      {"encoder.middle.0.residual.0.gamma", "encoder.mid_block.resnets.0.norm1.gamma"},
      {"decoder.middle.2.residual.6.weight", "decoder.mid_block.resnets.1.conv2.weight"},
      {"decoder.middle.1.norm.gamma", "decoder.mid_block.attentions.0.norm.gamma"},
      {"encoder.middle.1.to_qkv.weight", "encoder.mid_block.attentions.0.to_qkv.weight"},
      {"encoder.middle.1.proj.bias", "encoder.mid_block.attentions.0.proj.bias"},
      {"encoder.downsamples.0.residual.2.weight", "encoder.down_blocks.0.conv1.weight"},
      {"encoder.downsamples.3.shortcut.weight", "encoder.down_blocks.3.conv_shortcut.weight"},
      {"encoder.downsamples.5.resample.1.weight", "encoder.down_blocks.5.resample.1.weight"},
      {"encoder.downsamples.8.time_conv.bias", "encoder.down_blocks.8.time_conv.bias"},
      {"encoder.downsamples.10.residual.3.gamma", "encoder.down_blocks.10.norm2.gamma"},
      {"encoder.head.0.gamma", "encoder.norm_out.gamma"},
      {"decoder.head.2.weight", "decoder.conv_out.weight"},
      {"decoder.upsamples.0.residual.0.gamma", "decoder.up_blocks.0.resnets.0.norm1.gamma"},
      {"decoder.upsamples.3.resample.1.bias", "decoder.up_blocks.0.upsamplers.0.resample.1.bias"},
      {"decoder.upsamples.3.time_conv.weight", "decoder.up_blocks.0.upsamplers.0.time_conv.weight"},
      {"decoder.upsamples.4.shortcut.weight", "decoder.up_blocks.1.resnets.0.conv_shortcut.weight"},
      {"decoder.upsamples.7.time_conv.weight", "decoder.up_blocks.1.upsamplers.0.time_conv.weight"},
      {"decoder.upsamples.10.residual.6.bias", "decoder.up_blocks.2.resnets.2.conv2.bias"},
      {"decoder.upsamples.11.resample.1.weight", "decoder.up_blocks.2.upsamplers.0.resample.1.weight"},
      {"decoder.upsamples.14.residual.2.bias", "decoder.up_blocks.3.resnets.2.conv1.bias"},
  };
  for (const auto& [original, diffusers] : table) CHECK(wan_vae_diffusers_name(original) == diffusers);
}

TEST_CASE("names: the text encoder's table") {
  const std::pair<const char*, const char*> table[] = {
      {"token_embedding.weight", "shared.weight"},
      {"blocks.23.norm1.weight", "encoder.block.23.layer.0.layer_norm.weight"},
      {"blocks.0.attn.q.weight", "encoder.block.0.layer.0.SelfAttention.q.weight"},
      {"blocks.0.attn.o.weight", "encoder.block.0.layer.0.SelfAttention.o.weight"},
      {"blocks.5.pos_embedding.embedding.weight",
       "encoder.block.5.layer.0.SelfAttention.relative_attention_bias.weight"},
      {"blocks.0.norm2.weight", "encoder.block.0.layer.1.layer_norm.weight"},
      {"blocks.0.ffn.gate.0.weight", "encoder.block.0.layer.1.DenseReluDense.wi_0.weight"},
      {"blocks.0.ffn.fc1.weight", "encoder.block.0.layer.1.DenseReluDense.wi_1.weight"},
      {"blocks.0.ffn.fc2.weight", "encoder.block.0.layer.1.DenseReluDense.wo.weight"},
      {"norm.weight", "encoder.final_layer_norm.weight"},
  };
  for (const auto& [original, other] : table) CHECK(umt5_hugging_face_name(original) == other);
}

TEST_CASE("names: original -> other layout -> original is the identity for every tensor of every model") {
  WanDitConfig image = dit_of(5120, 13824, 40, 36, 16);
  image.has_image_branch = true;
  const auto round_trip = [](const std::vector<ExpectedTensor>& tensors, std::string (*rename)(std::string_view)) {
    const ToOriginal back = inverse_renames(tensors, rename);
    std::set<std::string> names;
    for (const ExpectedTensor& tensor : tensors) {
      const std::string other = rename(tensor.name);
      CHECK(names.insert(other).second);
      CHECK(back(other) == tensor.name);
      if (!tensor.quantizable) continue;
      const std::string module = tensor.name.substr(0, tensor.name.size() - 6);
      CHECK(back(rename(module + "int8_weight")) == module + "int8_weight");
      CHECK(back(rename(module + "scale")) == module + "scale");
    }
    CHECK(!back("blocks.0.norm9.weight"));
  };
  round_trip(wan_dit_tensors(dit_of(1536, 8960, 30, 16, 16)), wan_dit_diffusers_name);
  round_trip(wan_dit_tensors(image), wan_dit_diffusers_name);
  round_trip(wan_dit_tensors(dit_of(3072, 14336, 30, 48, 48)), wan_dit_diffusers_name);
  round_trip(wan_vae_tensors({.base = 96}), wan_vae_diffusers_name);
  round_trip(umt5_tensors({.dim = 4096, .heads = 64, .ffn = 10240, .layers = 24, .vocabulary = 256384}),
             umt5_hugging_face_name);
  // Diffusers swaps the two norms: the original's name must not pass as a Diffusers name.
  CHECK(
      !inverse_renames(wan_dit_tensors(dit_of(256, 512, 1, 16, 16)), wan_dit_diffusers_name)("blocks.0.norm3.weight"));
}
