// What the Wan2.1 VAE is made of: its tensors by original name and shape, the Diffusers names, and how the base width
// is read from a file's shapes (Wan-Video/Wan2.1:wan/modules/vae.py; huggingface/diffusers:autoencoder_kl_wan.py).
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/wan_vae/wan_vae.h"
#include "models/weights.h"

namespace rushes {

/// All tensors of a VAE of these sizes (multipliers 1, 2, 4, 4; two residual blocks a level). Shapes as stored:
/// convolutions [out, in, t, h, w], 2-D ones [out, in, h, w], gammas [c, 1, 1, 1] or [c, 1, 1].
std::vector<ExpectedTensor> wan_vae_tensors(const WanVaeConfig& config);
/// "decoder.upsamples.4.residual.2.weight" -> "decoder.up_blocks.1.resnets.0.conv1.weight".
std::string wan_vae_diffusers_name(std::string_view original);
std::optional<Family::Detected> detect_wan_vae(const StrippedNames& names);
WanVaeConfig wan_vae_config(const OpenedWeights& opened);

}  // namespace rushes
