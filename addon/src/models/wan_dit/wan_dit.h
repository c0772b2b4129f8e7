// The Wan diffusion transformer (Wan-Video/Wan2.1:wan/modules/model.py, with TurboDiffusion's SLA).
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "models/low_rank.h"
#include "models/weights.h"
#include "ops/attention/attention.h"
#include "ops/linear/linear.h"

namespace rushes {

struct WanDitConfig {
  int64_t dim = 0, heads = 0, head_size = 128, ffn = 0, layers = 0, in_channels = 0, out_channels = 0, text_dim = 0,
          frequency_dim = 256;
  bool has_sla = false;           // proj_l present
  bool has_image_branch = false;  // img_emb (2.1 I2V): recognised, refused by this version
};

/// How one forward pass attends.
struct DitAttention {
  AttentionType type = AttentionType::original;
  double top_k = 0.1;
};

/// One block's keys and values of the text, [text_len, dim], the keys after their norm.
struct TextKeys {
  Tensor k, v;
  static TextKeys allocate(const Context& context, const Shape& shape) {
    return {context.allocate(context.compute, shape), context.allocate(context.compute, shape)};
  }
};

/// The text after the transformer's own embedding, [text_len, dim]: it does not change from step to step. Neither do
/// the blocks' keys and values of it: kept when there is memory for them, else (`blocks` empty) made in every step.
struct DitText {
  Tensor rows;
  std::vector<TextKeys> blocks{};
};

/// One quantized layer as the log and the history show it.
struct QuantizedLayer {
  std::string name;
  int64_t out_features = 0, in_features = 0;
};

/// Where the blocks' weights are while a cuda context works. `streamed`: in pinned host memory, two at a time on the
/// card, with the same results; on other backends the same as resident.
enum class DitPlacement { resident, streamed };

class WanDit {
 public:
  /// Every size comes from the tensors' shapes. `format` applies to the ten linears of each block; the rest
  /// (embeddings, time projection, head) stays at context.compute precision.
  static std::shared_ptr<WanDit> load(const Context& context, std::shared_ptr<const Checkpoint> file,
                                      LinearFormat format, const std::function<void(double)>& progress = {},
                                      DitPlacement placement = DitPlacement::resident);
  virtual ~WanDit() = default;
  const WanDitConfig& config() const { return config_; }
  const std::vector<QuantizedLayer>& quantized_layers() const { return quantized_; }
  /// Bytes of the block linears at 16 bit, and as they are held.
  uint64_t linear_bytes_16bit() const { return bytes_16bit_; }
  uint64_t linear_bytes_held() const { return bytes_held_; }
  /// From now on the layers do what these LoRAs make of them, and nothing of earlier ones; an empty list leaves the
  /// model as it is in its file. What they hold counts as weights and lies where kernels read it, also where blocks
  /// stream. Not while a pass runs. Errors: LoraFile::match's and LowRankChange::pack's; no LoRA is applied then.
  virtual void adapt(const Context& context, const std::vector<AppliedLora>& loras) = 0;
  bool is_adapted_with(const std::vector<AppliedLora>& loras) const { return loras_ == loras; }
  /// text f32 [text_len, text_dim], the umT5 context with its zero rows -> what the blocks attend to. Once per job.
  /// `keep_keys`: with every block's keys and values, layers x 2 x text_len x dim elements; the velocity is the same
  /// to the last bit without them.
  virtual DitText embed_text(const Context& context, const Tensor& text, bool keep_keys = false) const = 0;
  /// latents f32 [in_channels, T, H, W] (H, W even), timestep 0..1000 -> velocity f32 [out_channels, T, H, W]. Calls
  /// `progress` with 0..1 block by block and checks cancellation there. Errors: settings.invalid (a shape or an
  /// attention this model does not have), output.not_finite (names the block).
  virtual Tensor velocity(const Context& context, const Tensor& latents, float timestep, const DitText& text,
                          const DitAttention& attention, const std::function<void(double)>& progress = {}) const = 0;
  /// The same with the text embedded for this one call.
  Tensor velocity(const Context& context, const Tensor& latents, float timestep, const Tensor& text,
                  const DitAttention& attention, const std::function<void(double)>& progress = {}) const {
    return velocity(context, latents, timestep, embed_text(context, text), attention, progress);
  }

 protected:
  WanDitConfig config_;
  std::vector<QuantizedLayer> quantized_;
  uint64_t bytes_16bit_ = 0, bytes_held_ = 0;
  std::vector<AppliedLora> loras_;
};

}  // namespace rushes
