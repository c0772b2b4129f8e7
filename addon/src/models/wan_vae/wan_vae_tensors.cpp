#include "models/wan_vae/wan_vae_tensors.h"

#include <algorithm>
#include <array>

#include "models/name_segments.h"

namespace rushes {
namespace {

constexpr int64_t kLargestWidth = 1 << 12;
constexpr std::array<int64_t, 4> kMultipliers = {1, 2, 4, 4};

/// Lists the tensors of the building blocks.
class TensorList {
 public:
  void convolution(const std::string& module, int64_t out, int64_t in, std::vector<int64_t> kernel) {
    Shape shape = {out, in};
    shape.insert(shape.end(), kernel.begin(), kernel.end());
    tensors_.push_back({module + ".weight", std::move(shape)});
    tensors_.push_back({module + ".bias", {out}});
  }
  void gamma(const std::string& module, int64_t channels) {
    tensors_.push_back({module + ".gamma", {channels, 1, 1, 1}});
  }
  void residual(const std::string& block, int64_t in, int64_t out) {
    gamma(block + ".residual.0", in);
    convolution(block + ".residual.2", out, in, {3, 3, 3});
    gamma(block + ".residual.3", out);
    convolution(block + ".residual.6", out, out, {3, 3, 3});
    if (in != out) convolution(block + ".shortcut", out, in, {1, 1, 1});
  }
  void middle(const std::string& side, int64_t channels) {
    residual(side + ".middle.0", channels, channels);
    tensors_.push_back({side + ".middle.1.norm.gamma", {channels, 1, 1}});
    convolution(side + ".middle.1.to_qkv", 3 * channels, channels, {1, 1});
    convolution(side + ".middle.1.proj", channels, channels, {1, 1});
    residual(side + ".middle.2", channels, channels);
  }
  void head(const std::string& side, int64_t channels, int64_t out) {
    gamma(side + ".head.0", channels);
    convolution(side + ".head.2", out, channels, {3, 3, 3});
  }
  std::vector<ExpectedTensor> take() { return std::move(tensors_); }

 private:
  std::vector<ExpectedTensor> tensors_;
};

bool is_diffusers(const StrippedNames& names) {
  return first_of(names, {"decoder.mid_block.resnets.0.norm1.gamma", "encoder.conv_in.weight", "decoder.conv_in.weight",
                          "post_quant_conv.weight"}) != nullptr;
}

bool is_wan_vae(const StrippedNames& names) {
  constexpr std::string_view signs[] = {"encoder.conv1.weight",
                                        "decoder.conv1.weight",
                                        "encoder.middle.1.to_qkv.weight",
                                        "decoder.middle.0.residual.0.gamma",
                                        "decoder.middle.1.to_qkv.weight",
                                        "decoder.head.0.gamma",
                                        "encoder.head.0.gamma",
                                        "conv1.weight",
                                        "conv2.weight"};
  int count = 0;
  for (const std::string_view sign : signs) {
    const TensorView* found = first_of(names, {sign, wan_vae_diffusers_name(sign)});
    const bool is_convolution = sign.ends_with("conv1.weight") || sign.ends_with("conv2.weight");
    if (found && (!is_convolution || found->shape.size() == 5)) ++count;
  }
  return count >= 2;
}

bool is_wan22(const StrippedNames& names) {
  const auto has_stem = [&](std::string_view stem) {
    const auto found = names.tensors.lower_bound(stem);
    return found != names.tensors.end() && found->first.starts_with(stem);
  };
  return has_stem("encoder.downsamples.0.downsamples.") || has_stem("decoder.upsamples.0.upsamples.") ||
         has_stem("encoder.down_blocks.0.resnets.");
}

}  // namespace

std::vector<ExpectedTensor> wan_vae_tensors(const WanVaeConfig& config) {
  const int64_t base = config.base, z = config.latent_channels;
  constexpr int kLevels = static_cast<int>(kMultipliers.size());
  TensorList list;
  list.convolution("encoder.conv1", base, 3, {3, 3, 3});
  int index = 0;
  int64_t channels = base;
  for (int level = 0; level < kLevels; ++level) {
    for (int block = 0; block < 2; ++block) {
      list.residual("encoder.downsamples." + std::to_string(index++), channels, base * kMultipliers[level]);
      channels = base * kMultipliers[level];
    }
    if (level == kLevels - 1) break;
    const std::string module = "encoder.downsamples." + std::to_string(index++);
    list.convolution(module + ".resample.1", channels, channels, {3, 3});
    if (level > 0) list.convolution(module + ".time_conv", channels, channels, {3, 1, 1});
  }
  list.middle("encoder", channels);
  list.head("encoder", channels, 2 * z);
  list.convolution("conv1", 2 * z, 2 * z, {1, 1, 1});
  list.convolution("conv2", z, z, {1, 1, 1});

  channels = base * kMultipliers[kLevels - 1];
  list.convolution("decoder.conv1", channels, z, {3, 3, 3});
  list.middle("decoder", channels);
  index = 0;
  for (int level = kLevels - 1; level >= 0; --level) {
    for (int block = 0; block < 3; ++block) {
      list.residual("decoder.upsamples." + std::to_string(index++), channels, base * kMultipliers[level]);
      channels = base * kMultipliers[level];
    }
    if (level == 0) break;
    const std::string module = "decoder.upsamples." + std::to_string(index++);
    list.convolution(module + ".resample.1", channels / 2, channels, {3, 3});
    if (level > 1) list.convolution(module + ".time_conv", 2 * channels, channels, {3, 1, 1});
    channels /= 2;
  }
  list.head("decoder", channels, 3);
  return list.take();
}

std::string wan_vae_diffusers_name(std::string_view original) {
  const std::vector<std::string_view> segments = name_segments(original);
  if (segments.size() == 2 && segments[0] == "conv1") return "quant_conv." + std::string(segments[1]);
  if (segments.size() == 2 && segments[0] == "conv2") return "post_quant_conv." + std::string(segments[1]);
  if (segments.size() < 3 || (segments[0] != "encoder" && segments[0] != "decoder")) return std::string(original);
  std::string out = std::string(segments[0]) + ".";
  const std::string_view part = segments[1];
  if (part == "conv1") return out + "conv_in." + join_segments(segments, 2);
  if (part == "head" && segments[2] == "0") return out + "norm_out." + join_segments(segments, 3);
  if (part == "head" && segments[2] == "2") return out + "conv_out." + join_segments(segments, 3);

  // A numbered module: where it is, then what is inside it.
  const int64_t number = segment_number(segments[2]);
  bool residual = true;
  if (part == "middle" && number == 1) return out + "mid_block.attentions.0." + join_segments(segments, 3);
  if (part == "middle")
    out += "mid_block.resnets." + std::to_string(number / 2);
  else if (part == "downsamples")
    out += "down_blocks." + std::to_string(number);
  else if (part == "upsamples" && number % 4 == 3)
    out += "up_blocks." + std::to_string(number / 4) + ".upsamplers.0";
  else if (part == "upsamples")
    out += "up_blocks." + std::to_string(number / 4) + ".resnets." + std::to_string(number % 4);
  else
    residual = false;
  if (!residual || number < 0) return std::string(original);
  if (segments.size() > 4 && segments[3] == "residual") {
    const std::string_view inner = segments[4];
    const std::string_view name = inner == "0"   ? "norm1"
                                  : inner == "2" ? "conv1"
                                  : inner == "3" ? "norm2"
                                  : inner == "6" ? "conv2"
                                                 : "";
    return name.empty() ? std::string(original) : out + "." + std::string(name) + "." + join_segments(segments, 5);
  }
  if (segments.size() > 3 && segments[3] == "shortcut") return out + ".conv_shortcut." + join_segments(segments, 4);
  return out + "." + join_segments(segments, 3);  // resample.1.*, time_conv.*
}

std::optional<Family::Detected> detect_wan_vae(const StrippedNames& names) {
  if (!is_wan_vae(names)) return std::nullopt;
  const auto get = [&](std::string_view original) {
    return first_of(names, {original, wan_vae_diffusers_name(original)});
  };
  WanVaeConfig config;
  config.base = axis_size(get("encoder.conv1.weight"), 0);
  if (config.base == 0) config.base = axis_size(get("decoder.conv1.weight"), 0) / kMultipliers.back();
  config.latent_channels = axis_size(get("conv2.weight"), 0);
  if (config.latent_channels == 0) config.latent_channels = axis_size(get("decoder.conv1.weight"), 1);

  Family::Detected out;
  out.sizes = {{"base", config.base}, {"latentChannels", config.latent_channels}};
  out.to_original = same_names();
  if (is_wan22(names) || (config.base == 160 && config.latent_channels == 48)) {
    out.architecture = "Wan2.2 VAE";
    out.refused = "it is the Wan2.2 VAE (of TI2V 5B), which this version cannot run; other Wan models use Wan2.1_VAE";
    out.uses = {"latents to frames and back for Wan2.2 TI2V 5B"};
    return out;
  }
  out.architecture = config.base == 96 ? "Wan2.1 VAE" : "Wan2.1 VAE of base width " + std::to_string(config.base);
  out.uses = {"latents to frames and back for Wan models"};
  if (config.base < 1 || config.base > kLargestWidth) {
    out.refused = "its base width " + std::to_string(config.base) + " is beyond any Wan VAE";
  } else if (config.latent_channels != 16) {
    // The mean and deviation that latents are scaled by are known for 16 channels only.
    out.refused = "it has " + std::to_string(config.latent_channels) + " latent channels, and Wan2.1 has 16";
  } else {
    out.expected = wan_vae_tensors(config);
    if (is_diffusers(names)) out.to_original = inverse_renames(out.expected, wan_vae_diffusers_name);
  }
  return out;
}

WanVaeConfig wan_vae_config(const OpenedWeights& opened) {
  WanVaeConfig out;
  out.base = opened.detected.size("base");
  out.latent_channels = opened.detected.size("latentChannels");
  return out;
}

}  // namespace rushes
