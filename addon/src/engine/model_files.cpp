#include "engine/model_files.h"

#include "models/umt5/umt5_tensors.h"
#include "models/wan_dit/wan_dit_tensors.h"
#include "models/wan_vae/wan_vae_tensors.h"

namespace rushes {

ModelFiles ModelFiles::open(const ModelPaths& paths, FileUse use) {
  ModelFiles files;
  files.text_len = paths.text_len;
  files.dit = Checkpoint::open(paths.dit, use);
  files.vae = Checkpoint::open(paths.vae, use);
  files.text_encoder = Checkpoint::open(paths.text_encoder, use);
  const OpenedWeights dit = open_weights(files.dit, "wan-dit");
  const OpenedWeights vae = open_weights(files.vae, "wan-vae");
  const OpenedWeights text = open_weights(files.text_encoder, "umt5");
  files.quantized = dit.weights.report().quantized_layers > 0;
  files.sla = dit.weights.has_group("sla");
  files.latent_channels = wan_vae_config(vae).latent_channels;

  const WanDitConfig config = wan_dit_config(dit);
  const int64_t channels = config.in_channels, encoder_dim = umt5_config(text).dim;
  if (channels != files.latent_channels)
    throw Error(
        "checkpoint.unsupported",
        "The transformer takes " + std::to_string(channels) + " latent channels and the VAE makes " +
            std::to_string(files.latent_channels) + ", so they do not make text to video together.",
        channels == 36
            ? "This is an image-to-video transformer, which this version does not run yet; choose a text-to-video one."
            : "Give the VAE that belongs to this transformer.");
  files.text_dim = config.text_dim;
  if (config.text_dim != encoder_dim)
    throw Error("checkpoint.unsupported",
                "The transformer expects text of width " + std::to_string(config.text_dim) +
                    " and the text encoder makes " + std::to_string(encoder_dim) + ".",
                "Give the text encoder that belongs to this transformer.");
  return files;
}

}  // namespace rushes
