// What a Wan transformer is made of: its tensors by original name and shape, the Diffusers names, and how its sizes are
// read from a file's shapes (Wan-Video/Wan2.1:wan/modules/model.py; huggingface/diffusers:transformer_wan.py).
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/wan_dit/wan_dit.h"
#include "models/weights.h"

namespace rushes {

/// All tensors of a transformer of these sizes, SLA's projections as the optional group "sla". patch_embedding.weight
/// is canonically the linear form [dim, 4*in_channels] (order c, t, h, w); the Conv3d form is accepted.
std::vector<ExpectedTensor> wan_dit_tensors(const WanDitConfig& config);
/// "blocks.0.self_attn.q.weight" -> "blocks.0.attn1.to_q.weight", by whole segments.
std::string wan_dit_diffusers_name(std::string_view original);
/// Its linear layers.
std::vector<ChangeableLayer> wan_dit_layers(const WanDitConfig& config);
/// All that LoRAs may change: those, and after them the norms and the modulation tables.
std::vector<ChangeableLayer> wan_dit_changeable(const WanDitConfig& config);
std::optional<Family::Detected> detect_wan_dit(const StrippedNames& names);
/// The configuration of an opened file (has_sla from the bound tensors).
WanDitConfig wan_dit_config(const OpenedWeights& opened);

}  // namespace rushes
