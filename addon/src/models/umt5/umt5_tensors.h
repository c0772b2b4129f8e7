// What the umT5 encoder is made of: its tensors by original name and shape, the Hugging Face names, and how its sizes
// are read from a file's shapes (Wan-Video/Wan2.1:wan/modules/t5.py; huggingface/transformers UMT5).
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/umt5/umt5.h"
#include "models/weights.h"

namespace rushes {

std::vector<ExpectedTensor> umt5_tensors(const Umt5Config& config);
/// "blocks.0.attn.q.weight" -> "encoder.block.0.layer.0.SelfAttention.q.weight".
std::string umt5_hugging_face_name(std::string_view original);
std::optional<Family::Detected> detect_umt5(const StrippedNames& names);
Umt5Config umt5_config(const OpenedWeights& opened);

}  // namespace rushes
