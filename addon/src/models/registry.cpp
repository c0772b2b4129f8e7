// Every model family this version knows, and how a file finds its family.
#include <algorithm>

#include "files/refusal.h"
#include "models/lora_file.h"
#include "models/name_segments.h"
#include "models/umt5/umt5_tensors.h"
#include "models/wan_dit/wan_dit_tensors.h"
#include "models/wan_vae/wan_vae_tensors.h"
#include "models/weights.h"

namespace rushes {

const std::vector<Family>& families() {
  static const std::vector<Family> all = {
      {"wan-dit", "Wan transformer", detect_wan_dit, wan_dit_diffusers_name},
      {"wan-vae", "Wan VAE", detect_wan_vae, wan_vae_diffusers_name},
      {"umt5", "umT5 text encoder", detect_umt5, umt5_hugging_face_name},
  };
  return all;
}

const Family& family_named(std::string_view name) {
  const auto found =
      std::find_if(families().begin(), families().end(), [&](const Family& family) { return family.name == name; });
  if (found == families().end())
    throw Error("engine.internal", "There is no model family called " + std::string(name) + ".");
  return *found;
}

int64_t Family::Detected::size(std::string_view size_name) const {
  const auto found =
      std::find_if(sizes.begin(), sizes.end(), [&](const auto& size) { return size.first == size_name; });
  return found == sizes.end() ? 0 : found->second;
}

std::string foreign_file_noun(const StrippedNames& names) {
  if (first_of(names, {"visual.patch_embedding.weight", "vision_model.embeddings.patch_embedding.weight"}))
    return "CLIP image encoder";
  if (first_of(names, {"double_blocks.0.img_attn.qkv.weight", "single_blocks.0.linear1.weight"}))
    return "FLUX transformer";
  if (first_of(names, {"decoder.up_blocks.0.resnets.0.conv1.weight", "decoder.up.0.block.0.conv1.weight"}))
    return "VAE of another model";
  return "";
}

OpenedWeights open_weights(std::shared_ptr<const Checkpoint> file, std::string_view family_name) {
  const Family& family = family_named(family_name);
  const StrippedNames names = strip_prefix(*file);
  const std::string name = display_name(file->path()), path = display_path(file->path());
  std::optional<Family::Detected> detected = family.detect(names);
  if (!detected) {
    const std::string noun(family.noun);
    for (const Family& other : families())
      if (other.name != family_name && other.detect(names))
        throw Error("checkpoint.unsupported", name + " is a " + std::string(other.noun) + ", not a " + noun + ".",
                    "Choose the file of the " + noun + ".", path);
    const std::string foreign = LoraFile::looks_like_one(*file) ? "LoRA" : foreign_file_noun(names);
    if (!foreign.empty())
      throw Error("checkpoint.unsupported", name + " is a " + foreign + ", not a " + noun + ".",
                  "Choose the file of the " + noun + ".", path);
    std::string first;
    for (size_t i = 0; i < file->tensors().size() && i < 3; ++i)
      first += (i ? ", " : "") + printable(file->tensors()[i].name);
    throw Error("checkpoint.unsupported",
                name + " is not a " + noun + ": its " + std::to_string(file->tensors().size()) + " tensors" +
                    (first.empty() ? "" : " (" + first + ", ...)") + " belong to no model this version knows.",
                "Choose the file of the " + noun + ".", path);
  }
  if (!detected->refused.empty())
    throw Error("checkpoint.unsupported", name + " cannot be used: " + detected->refused + ".", "Choose another model.",
                path);
  WeightSet weights = WeightSet::bind(std::move(file), detected->expected, detected->to_original);
  weights.require_complete(family.noun);
  return {std::move(weights), std::move(*detected)};
}

}  // namespace rushes
