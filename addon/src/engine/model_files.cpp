#include "engine/model_files.h"

#include "engine/file_stamp.h"
#include "files/refusal.h"
#include "models/umt5/umt5_tensors.h"
#include "models/wan_dit/wan_dit_tensors.h"
#include "models/wan_vae/wan_vae_tensors.h"

namespace rushes {
namespace {

[[noreturn]] void unfit(const std::string& sentence, const std::string& advice) {
  throw Error("checkpoint.unsupported", sentence, advice);
}

// A job runs both experts with one context, one set of settings and one plan.
void require_pair(const OpenedWeights& high, const OpenedWeights& low, const std::filesystem::path& low_path) {
  const WanDitConfig one = wan_dit_config(high), other = wan_dit_config(low);
  const bool same_form = one.dim == other.dim && one.ffn == other.ffn && one.layers == other.layers &&
                         one.in_channels == other.in_channels && one.out_channels == other.out_channels &&
                         one.text_dim == other.text_dim && one.has_sla == other.has_sla;
  const bool same_weights = high.weights.report().quantized_layers == low.weights.report().quantized_layers;
  if (same_form && same_weights) return;
  unfit("The low-noise expert " + display_name(low_path) + " is of another " + (same_form ? "quantization" : "form") +
            " than the high-noise one.",
        "Give the two files of one model, both quantized or both not.");
}

}  // namespace

std::string files_stamp(const ModelPaths& paths) {
  std::string stamp;
  for (const auto& path : {paths.dit, paths.dit_low, paths.vae, paths.text_encoder})
    stamp += checkpoint_stamp(path) + "\n";
  return stamp;
}

ModelFiles ModelFiles::open(const ModelPaths& paths, FileUse use) {
  ModelFiles files;
  files.text_len = paths.text_len;
  files.dit = Checkpoint::open(paths.dit, use);
  files.vae = Checkpoint::open(paths.vae, use);
  files.text_encoder = Checkpoint::open(paths.text_encoder, use);
  const OpenedWeights dit = open_weights(files.dit, "wan-dit");
  const OpenedWeights vae = open_weights(files.vae, "wan-vae");
  const OpenedWeights text = open_weights(files.text_encoder, "umt5");
  if (!paths.dit_low.empty()) {
    files.dit_low = Checkpoint::open(paths.dit_low, use);
    require_pair(dit, open_weights(files.dit_low, "wan-dit"), paths.dit_low);
  }
  files.quantized = dit.weights.report().quantized_layers > 0;
  files.sla = dit.weights.has_group("sla");
  files.latent_channels = wan_vae_config(vae).latent_channels;

  const WanDitConfig config = wan_dit_config(dit);
  const int64_t channels = config.in_channels, encoder_dim = umt5_config(text).dim;
  files.from_picture = channels == 2 * files.latent_channels + kMaskChannels;
  if ((channels != files.latent_channels && !files.from_picture) || config.out_channels != files.latent_channels)
    unfit("The transformer takes " + std::to_string(channels) + " latent channels and the VAE makes " +
              std::to_string(files.latent_channels) + ", so they do not make videos together.",
          "Give the VAE that belongs to this transformer.");
  files.text_dim = config.text_dim;
  files.layers = wan_dit_changeable(config);
  if (config.text_dim != encoder_dim)
    unfit("The transformer expects text of width " + std::to_string(config.text_dim) + " and the text encoder makes " +
              std::to_string(encoder_dim) + ".",
          "Give the text encoder that belongs to this transformer.");
  return files;
}

const Checkpoint* ModelFiles::torn() const {
  for (const auto& file : {dit, dit_low, vae, text_encoder})
    if (file && file->is_torn()) return file.get();
  return nullptr;
}

void ModelFiles::require_whole() const {
  if (const Checkpoint* file = torn()) refuse_torn(file->path());
}

}  // namespace rushes
