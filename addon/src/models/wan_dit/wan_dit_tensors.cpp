#include "models/wan_dit/wan_dit_tensors.h"

#include <algorithm>
#include <array>

#include "models/name_segments.h"

namespace rushes {
namespace {

constexpr int64_t kHeadSize = 128, kPatchCells = 4;  // patch (1, 2, 2)
constexpr int64_t kImageWidth = 1280, kImageTokens = 257;
constexpr int64_t kLargestWidth = 1 << 16;

/// What the names say beyond the sizes.
struct Features {
  bool image_branch = false, two_images = false;
  std::string foreign;  // "VACE", ...; "" for a plain transformer
};

std::vector<ExpectedTensor> tensors_with(const WanDitConfig& config, bool image_branch, bool two_images) {
  const int64_t d = config.dim;
  std::vector<ExpectedTensor> out;
  const auto add = [&](const std::string& name, Shape shape) -> ExpectedTensor& {
    out.push_back({name, std::move(shape)});
    return out.back();
  };
  const auto add_linear = [&](const std::string& module, int64_t rows, int64_t columns) {
    add(module + ".weight", {rows, columns}).scalable = true;
    add(module + ".bias", {rows});
  };
  const auto add_block_linear = [&](const std::string& module, int64_t rows, int64_t columns) {
    ExpectedTensor& weight = add(module + ".weight", {rows, columns});
    weight.quantizable = weight.scalable = true;
    add(module + ".bias", {rows});
  };
  const auto add_norm = [&](const std::string& module, int64_t width) {
    add(module + ".weight", {width});
    add(module + ".bias", {width});
  };

  add("patch_embedding.weight", {d, kPatchCells * config.in_channels}).also = {{d, config.in_channels, 1, 2, 2}};
  add("patch_embedding.bias", {d});
  add_linear("text_embedding.0", d, config.text_dim);
  add_linear("text_embedding.2", d, d);
  add_linear("time_embedding.0", d, config.frequency_dim);
  add_linear("time_embedding.2", d, d);
  add_linear("time_projection.1", 6 * d, d);
  for (int64_t i = 0; i < config.layers; ++i) {
    const std::string block = "blocks." + std::to_string(i) + ".";
    add(block + "modulation", {1, 6, d});
    for (const char* attention : {"self_attn.", "cross_attn."}) {
      for (const char* part : {"q", "k", "v", "o"}) add_block_linear(block + attention + part, d, d);
      for (const char* part : {"norm_q", "norm_k"}) add(block + attention + part + ".weight", {d});
    }
    if (image_branch) {
      for (const char* part : {"k_img", "v_img"}) add_block_linear(block + "cross_attn." + part, d, d);
      add(block + "cross_attn.norm_k_img.weight", {d});
    }
    add_norm(block + "norm3", d);
    add_block_linear(block + "ffn.0", config.ffn, d);
    add_block_linear(block + "ffn.2", d, config.ffn);
    const std::string projection = block + "self_attn.attn_op.local_attn.proj_l";
    add(projection + ".weight", {kHeadSize, kHeadSize}).group = "sla";
    add(projection + ".bias", {kHeadSize}).group = "sla";
  }
  add("head.modulation", {1, 2, d});
  add_linear("head.head", kPatchCells * config.out_channels, d);
  if (image_branch) {
    add_norm("img_emb.proj.0", kImageWidth);
    add_linear("img_emb.proj.1", kImageWidth, kImageWidth);
    add_linear("img_emb.proj.3", d, kImageWidth);
    add_norm("img_emb.proj.4", d);
    if (two_images) add("img_emb.emb_pos", {1, 2 * kImageTokens, kImageWidth});
  }
  return out;
}

struct Rename {
  std::string_view original, diffusers;
};

/// Stems at the top level, longest match by whole segments.
constexpr Rename kTopRenames[] = {
    {"text_embedding.0", "condition_embedder.text_embedder.linear_1"},
    {"text_embedding.2", "condition_embedder.text_embedder.linear_2"},
    {"time_embedding.0", "condition_embedder.time_embedder.linear_1"},
    {"time_embedding.2", "condition_embedder.time_embedder.linear_2"},
    {"time_projection.1", "condition_embedder.time_proj"},
    {"head.modulation", "scale_shift_table"},
    {"head.head", "proj_out"},
    {"img_emb.proj.0", "condition_embedder.image_embedder.norm1"},
    {"img_emb.proj.1", "condition_embedder.image_embedder.ff.net.0.proj"},
    {"img_emb.proj.3", "condition_embedder.image_embedder.ff.net.2"},
    {"img_emb.proj.4", "condition_embedder.image_embedder.norm2"},
    {"img_emb.emb_pos", "condition_embedder.image_embedder.pos_embed"},
};
/// Stems inside "blocks.N."; the affine norm3 is called norm2 by Diffusers.
constexpr Rename kBlockRenames[] = {
    {"modulation", "scale_shift_table"},
    {"norm3", "norm2"},
    {"ffn.0", "ffn.net.0.proj"},
    {"ffn.2", "ffn.net.2"},
    {"self_attn.q", "attn1.to_q"},
    {"self_attn.k", "attn1.to_k"},
    {"self_attn.v", "attn1.to_v"},
    {"self_attn.o", "attn1.to_out.0"},
    {"self_attn", "attn1"},
    {"cross_attn.q", "attn2.to_q"},
    {"cross_attn.k", "attn2.to_k"},
    {"cross_attn.v", "attn2.to_v"},
    {"cross_attn.o", "attn2.to_out.0"},
    {"cross_attn.k_img", "attn2.add_k_proj"},
    {"cross_attn.v_img", "attn2.add_v_proj"},
    {"cross_attn.norm_k_img", "attn2.norm_added_k"},
    {"cross_attn", "attn2"},
};

/// The first entry whose stem is `name` or is followed by a dot in it.
template <size_t N>
std::string renamed(std::string_view name, const Rename (&table)[N]) {
  for (const auto& [original, diffusers] : table)
    if (name == original || (name.starts_with(original) && name[original.size()] == '.'))
      return std::string(diffusers) + std::string(name.substr(original.size()));
  return std::string(name);
}

bool is_diffusers(const StrippedNames& names) {
  return first_of(names, {"condition_embedder.time_proj.weight", "condition_embedder.text_embedder.linear_1.weight",
                          "condition_embedder.time_embedder.linear_1.weight", "blocks.0.attn1.to_q.weight",
                          "blocks.0.attn1.to_q.int8_weight", "blocks.0.scale_shift_table"}) != nullptr &&
         !first_of(names, {"head.modulation"});
}

/// At least two names that only this family has, or the head's modulation: enough to name what else is missing.
bool is_wan_dit(const StrippedNames& names) {
  constexpr std::string_view signs[] = {"head.modulation",
                                        "head.head.weight",
                                        "patch_embedding.weight",
                                        "time_embedding.0.weight",
                                        "time_projection.1.weight",
                                        "text_embedding.0.weight",
                                        "blocks.0.modulation",
                                        "blocks.0.self_attn.q.weight",
                                        "blocks.0.self_attn.q.int8_weight",
                                        "blocks.0.cross_attn.norm_q.weight"};
  const auto count = std::count_if(std::begin(signs), std::end(signs), [&](std::string_view sign) {
    return first_of(names, {sign, wan_dit_diffusers_name(sign)}) != nullptr;
  });
  return count >= 2;
}

Features features_of(const StrippedNames& names) {
  Features out;
  const auto has_stem = [&](std::string_view stem) {
    const auto found = names.tensors.lower_bound(stem);
    return found != names.tensors.end() && found->first.starts_with(stem);
  };
  out.image_branch = has_stem("img_emb.") || has_stem("condition_embedder.image_embedder.");
  out.two_images = first_of(names, {"img_emb.emb_pos", "condition_embedder.image_embedder.pos_embed"}) != nullptr;
  if (has_stem("vace_patch_embedding.") || has_stem("vace_blocks."))
    out.foreign = "VACE";
  else if (has_stem("control_adapter."))
    out.foreign = "camera control";
  else if (has_stem("casual_audio_encoder."))
    out.foreign = "S2V (sound to video)";
  else if (has_stem("face_adapter.") || has_stem("motion_encoder."))
    out.foreign = "Animate";
  return out;
}

/// Every size from a shape; 0 where the tensors that would tell it are absent.
WanDitConfig config_of(const StrippedNames& names) {
  const auto get = [&](std::string_view original) {
    return first_of(names, {original, wan_dit_diffusers_name(original)});
  };
  const auto first_size = [](std::initializer_list<int64_t> sizes) {
    const auto found = std::find_if(sizes.begin(), sizes.end(), [](int64_t size) { return size > 0; });
    return found == sizes.end() ? int64_t{0} : *found;
  };
  WanDitConfig out;
  out.dim = first_size({axis_size(get("head.modulation"), -1), axis_size(get("head.head.weight"), 1),
                        axis_size(get("patch_embedding.bias"), 0), axis_size(get("text_embedding.2.bias"), 0),
                        axis_size(get("time_embedding.2.bias"), 0), axis_size(get("blocks.0.modulation"), -1),
                        axis_size(get("blocks.0.self_attn.norm_q.weight"), 0)});
  out.heads = out.dim / kHeadSize;
  out.layers = count_blocks(names, "blocks");
  for (int64_t i = 0; i < out.layers && out.ffn == 0; ++i) {
    const std::string module = "blocks." + std::to_string(i) + ".ffn.0";
    out.ffn = first_size({axis_size(get(module + ".weight"), 0), axis_size(get(module + ".int8_weight"), 0),
                          axis_size(get(module + ".bias"), 0)});
  }
  const TensorView* patch = get("patch_embedding.weight");
  out.in_channels = patch && patch->shape.size() == 2 ? axis_size(patch, 1) / kPatchCells : axis_size(patch, 1);
  out.out_channels =
      first_size({axis_size(get("head.head.weight"), 0), axis_size(get("head.head.bias"), 0)}) / kPatchCells;
  out.text_dim = axis_size(get("text_embedding.0.weight"), 1);
  if (const int64_t size = axis_size(get("time_embedding.0.weight"), 1)) out.frequency_dim = size;
  return out;
}

std::string architecture_of(const WanDitConfig& config, const Features& features) {
  const auto is = [&](int64_t dim, int64_t ffn, int64_t layers, int64_t in) {
    return config.dim == dim && config.ffn == ffn && config.layers == layers && config.in_channels == in;
  };
  if (!features.foreign.empty())
    return "Wan with " + features.foreign + ", " + std::to_string(config.layers) + " layers of width " +
           std::to_string(config.dim);
  if (is(1536, 8960, 30, 16)) return "Wan2.1 T2V 1.3B";
  if (is(5120, 13824, 40, 16)) return "Wan T2V 14B (2.1, or one expert of 2.2 A14B)";
  if (is(5120, 13824, 40, 36) && features.two_images) return "Wan2.1 FLF2V 14B";
  if (is(5120, 13824, 40, 36) && features.image_branch) return "Wan2.1 I2V 14B";
  if (is(5120, 13824, 40, 36)) return "Wan2.2 I2V A14B (one expert)";
  if (is(3072, 14336, 30, 48)) return "Wan2.2 TI2V 5B";
  return "Wan DiT, " + std::to_string(config.layers) + " layers of width " + std::to_string(config.dim);
}

std::string refusal_of(const WanDitConfig& config, const Features& features) {
  const auto out_of_range = [](int64_t size) { return size < 0 || size > kLargestWidth; };
  if (out_of_range(config.dim) || out_of_range(config.ffn) || out_of_range(config.in_channels) ||
      out_of_range(config.out_channels) || out_of_range(config.text_dim) || out_of_range(config.frequency_dim))
    return "its sizes are beyond any Wan transformer";
  if (!features.foreign.empty())
    return "it is a Wan model with " + features.foreign + ", which this version cannot run";
  if (config.dim == 0) return "none of the tensors that tell its width is there";
  if (config.dim % kHeadSize != 0)
    return "its width " + std::to_string(config.dim) + " is not a multiple of the head size 128";
  if (config.frequency_dim % 2 != 0) return "its time embedding has an odd width";
  if (features.two_images) return "it makes video from a first and a last frame (FLF2V), which this version cannot run";
  if (features.image_branch)
    return "it is a Wan2.1 image-to-video model, which needs a CLIP image encoder that this version does not have";
  if (config.in_channels == 48)
    return "it is Wan2.2 TI2V 5B, which needs the Wan2.2 VAE that this version does not have";
  return "";
}

}  // namespace

std::vector<ExpectedTensor> wan_dit_tensors(const WanDitConfig& config) {
  return tensors_with(config, config.has_image_branch, false);
}

std::vector<ChangeableLayer> wan_dit_layers(const WanDitConfig& config) {
  constexpr std::string_view kWeight = ".weight";
  const auto module = [](std::string_view tensor) { return std::string(tensor.substr(0, tensor.rfind('.'))); };
  std::vector<ChangeableLayer> out;
  for (const ExpectedTensor& tensor : wan_dit_tensors(config))
    if (tensor.name.ends_with(kWeight) && tensor.shape.size() == 2 && tensor.group.empty())
      out.push_back(
          {module(tensor.name), module(wan_dit_diffusers_name(tensor.name)), tensor.shape[0], tensor.shape[1]});
  return out;
}

std::vector<ChangeableLayer> wan_dit_changeable(const WanDitConfig& config) {
  constexpr std::string_view kWeight = ".weight", kTable = ".modulation";
  std::vector<ChangeableLayer> out = wan_dit_layers(config);
  const std::vector<ExpectedTensor> tensors = wan_dit_tensors(config);
  for (const ExpectedTensor& tensor : tensors) {
    const bool is_norm = tensor.name.ends_with(kWeight) && tensor.shape.size() == 1;
    if (!is_norm && !tensor.name.ends_with(kTable)) continue;
    const size_t kept = tensor.name.size() - (is_norm ? kWeight.size() : 0);
    const std::string name = tensor.name.substr(0, kept), diffusers = wan_dit_diffusers_name(tensor.name);
    const bool has_bias = std::any_of(tensors.begin(), tensors.end(),
                                      [&](const ExpectedTensor& other) { return other.name == name + ".bias"; });
    out.push_back({name, diffusers.substr(0, diffusers.size() - (is_norm ? kWeight.size() : 0)),
                   element_count(tensor.shape), 0, has_bias});
  }
  return out;
}

std::string wan_dit_diffusers_name(std::string_view original) {
  const std::vector<std::string_view> segments = name_segments(original);
  if (segments.size() > 2 && segments[0] == "blocks") {
    const size_t stem = segments[0].size() + segments[1].size() + 2;
    return std::string(original.substr(0, stem)) + renamed(original.substr(stem), kBlockRenames);
  }
  return renamed(original, kTopRenames);
}

std::optional<Family::Detected> detect_wan_dit(const StrippedNames& names) {
  if (!is_wan_dit(names)) return std::nullopt;
  const WanDitConfig config = config_of(names);
  const Features features = features_of(names);
  Family::Detected out;
  out.architecture = architecture_of(config, features);
  out.refused = refusal_of(config, features);
  out.sizes = {{"dim", config.dim},
               {"heads", config.heads},
               {"ffn", config.ffn},
               {"layers", config.layers},
               {"inChannels", config.in_channels},
               {"outChannels", config.out_channels},
               {"textDim", config.text_dim},
               {"frequencyDim", config.frequency_dim}};
  const bool sizes_make_sense = config.dim > 0 && config.dim <= kLargestWidth && config.ffn <= kLargestWidth &&
                                config.text_dim <= kLargestWidth && config.in_channels <= kLargestWidth &&
                                config.out_channels <= kLargestWidth && config.frequency_dim <= kLargestWidth;
  if (sizes_make_sense) out.expected = tensors_with(config, features.image_branch, features.two_images);
  out.to_original = is_diffusers(names) ? inverse_renames(out.expected, wan_dit_diffusers_name) : same_names();
  if (!features.foreign.empty()) return out;
  if (features.two_images)
    out.uses = {"video between a first and a last frame", "needs a CLIP image encoder"};
  else if (features.image_branch)
    out.uses = {"image to video", "needs a CLIP image encoder"};
  else if (config.in_channels == 48)
    out.uses = {"text to video", "image to video", "needs the Wan2.2 VAE"};
  else if (config.in_channels > config.out_channels)
    out.uses = {"image to video, high- or low-noise expert"};
  else
    out.uses = {"text to video"};
  return out;
}

WanDitConfig wan_dit_config(const OpenedWeights& opened) {
  const Family::Detected& detected = opened.detected;
  WanDitConfig out;
  out.dim = detected.size("dim");
  out.heads = detected.size("heads");
  out.ffn = detected.size("ffn");
  out.layers = detected.size("layers");
  out.in_channels = detected.size("inChannels");
  out.out_channels = detected.size("outChannels");
  out.text_dim = detected.size("textDim");
  out.frequency_dim = detected.size("frequencyDim");
  out.has_sla = opened.weights.has_group("sla");
  out.has_image_branch = opened.weights.has("img_emb.proj.1.weight");
  return out;
}

}  // namespace rushes
