// The files of one model, opened (headers only) and found to belong together.
#pragma once
#include <filesystem>

#include "files/checkpoint.h"
#include "models/lora_file.h"
#include "models/weights.h"

namespace rushes {

/// Paths as the caller gives them; text_len = rows of context (512 unless the model's config.json says otherwise).
/// dit_low: the low-noise expert of a model with two, whose high-noise one is `dit`; else empty.
struct ModelPaths {
  std::filesystem::path dit, vae, text_encoder;
  int64_t text_len = 512;
  std::filesystem::path dit_low{};
  bool operator==(const ModelPaths&) const = default;
};

/// Changes when one of the files does (file_stamp.h).
std::string files_stamp(const ModelPaths& paths);

/// Channels of the mask that image-to-video transformers read: one for each frame of a latent frame.
inline constexpr int64_t kMaskChannels = 4;

/// Opened headers. Immutable; the maps live as long as this does.
struct ModelFiles {
  std::shared_ptr<const Checkpoint> dit, vae, text_encoder, dit_low;  // dit_low: null without a second expert
  int64_t text_len = 512;
  int64_t latent_channels = 16, text_dim = 0;
  bool quantized = false;               // the transformer holds int8 layers
  bool sla = false;                     // and proj_l
  std::vector<ChangeableLayer> layers;  // of the transformer, or of each of two: what LoRAs may change
  bool from_picture = false;            // reads a mask of kMaskChannels and a picture's latents beside the noise

  /// Throws checkpoint.* when a file cannot be read, is of another kind, is not complete, is refused by this version,
  /// or does not fit the others (text width, latent channels, the other expert): one sentence, file named.
  static ModelFiles open(const ModelPaths& paths, FileUse use = FileUse::weights);

  /// Of what the text encoder makes and the transformer reads.
  Shape text_shape() const { return {text_len, text_dim}; }

  /// The first file that was cut short or changed since it was opened (Checkpoint::is_torn); null when all are whole.
  const Checkpoint* torn() const;
  /// Throws checkpoint.corrupt when one is torn: what was made of it must neither be kept nor shown.
  void require_whole() const;
};

}  // namespace rushes
