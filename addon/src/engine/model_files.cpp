#include "engine/model_files.h"

#include <algorithm>

namespace rushes {
namespace {

int64_t size_of(const Family::Detected& detected, std::string_view key) {
  const auto found =
      std::find_if(detected.sizes.begin(), detected.sizes.end(), [&](const auto& size) { return size.first == key; });
  return found == detected.sizes.end() ? 0 : found->second;
}

OpenedWeights open_part(const std::shared_ptr<const Checkpoint>& file, std::string_view family, std::string_view what) {
  OpenedWeights opened = open_weights(file, family);
  if (!opened.detected.refused.empty()) throw Error("checkpoint.unsupported", opened.detected.refused);
  opened.weights.require_complete(what);
  return opened;
}

}  // namespace

ModelFiles ModelFiles::open(const ModelPaths& paths) {
  ModelFiles files;
  files.text_len = paths.text_len;
  files.dit = Checkpoint::open(paths.dit);
  files.vae = Checkpoint::open(paths.vae);
  files.text_encoder = Checkpoint::open(paths.text_encoder);
  const OpenedWeights dit = open_part(files.dit, "wan-dit", "transformer");
  const OpenedWeights vae = open_part(files.vae, "wan-vae", "VAE");
  const OpenedWeights text = open_part(files.text_encoder, "umt5", "text encoder");
  files.quantized = dit.weights.report().quantized_layers > 0;
  files.sla = dit.weights.has_group("sla");
  files.latent_channels = size_of(vae.detected, "latent_channels");

  const int64_t channels = size_of(dit.detected, "in_channels"), text_dim = size_of(dit.detected, "text_dim");
  if (channels != files.latent_channels)
    throw Error(
        "checkpoint.unsupported",
        "The transformer takes " + std::to_string(channels) + " latent channels and the VAE makes " +
            std::to_string(files.latent_channels) + ", so they do not make text to video together.",
        channels == 36
            ? "This is an image-to-video transformer, which this version does not run yet; choose a text-to-video one."
            : "Give the VAE that belongs to this transformer.");
  if (text_dim != size_of(text.detected, "dim"))
    throw Error("checkpoint.unsupported",
                "The transformer expects text of width " + std::to_string(text_dim) + " and the text encoder makes " +
                    std::to_string(size_of(text.detected, "dim")) + ".",
                "Give the text encoder that belongs to this transformer.");
  return files;
}

}  // namespace rushes
