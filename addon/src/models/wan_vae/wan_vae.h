// The Wan2.1 causal video VAE (Wan-Video/Wan2.1:wan/modules/vae.py): pixels <-> latents, a few frames at a time.
#pragma once
#include <functional>
#include <memory>

#include "models/weights.h"
#include "ops/convolution/convolution.h"

namespace rushes {

struct WanVaeConfig {
  int64_t base = 0, latent_channels = 16;
};

/// Spatial tiling of a decode, in latent cells; tile 0 = the whole picture at once. Otherwise tile >= 2 * overlap and
/// overlap >= 1. The layers at the latents' own resolution, attention among them, still see whole frames. Memory is
/// then bounded by the tile, 12 bytes per pixel of the clip and what those layers found (4 * base numbers of the
/// compute type per latent cell); all frames are delivered at the end. Pictures differ from an untiled decode by a
/// fraction of a grey level (PITFALLS.md).
struct VaeTiling {
  int64_t tile = 0, overlap = 8;
};

/// The half of a VAE that is packed when it is loaded; the other one when it is first asked for.
enum class VaeHalf { decoder, encoder };

class WanVae {
 public:
  static std::shared_ptr<WanVae> load(const Context& context, std::shared_ptr<const Checkpoint> file,
                                      VaeHalf first = VaeHalf::decoder);
  virtual ~WanVae() = default;
  const WanVaeConfig& config() const { return config_; }
  /// Whether that half is packed; and packs it, before it is asked for.
  virtual bool holds(VaeHalf half) const = 0;
  virtual void pack(const Context& context, VaeHalf half) const = 0;
  /// Frames in the order they are made: f32 [count, height, width, 3] in [-1, 1], `first` = index of the first one.
  using FrameSink = std::function<void(const Tensor& frames, int64_t first)>;
  /// latents f32 [16, T, h, w] (normalised) -> 4T-3 frames of 8h x 8w; latent frame by latent frame, every temporal
  /// convolution carrying a cache of two frames. `progress` gets 0..1, after every stage of every frame. The context
  /// must have the backend and compute type of load. While planning (dry_run) the sink is not called.
  virtual void decode(const Context& context, const Tensor& latents, const VaeTiling& tiling, const FrameSink& sink,
                      const std::function<void(double)>& progress = {}) const = 0;
  /// frames f32 [F, H, W, 3] in [-1, 1], F = 4n+1, H and W multiples of 8 -> latents f32 [16, n+1, H/8, W/8].
  virtual Tensor encode(const Context& context, const Tensor& frames,
                        const std::function<void(double)>& progress = {}) const = 0;
  /// A picture f32 [H, W, 3] in [-1, 1] and `count` - 1 frames of zeros after it, as image-to-video transformers were
  /// trained with (Wan-Video/Wan2.1:wan/image2video.py) -> latents f32 [16, (count - 1) / 4 + 1, H/8, W/8], the bits
  /// that encode gives. What the layers find in equal frames is computed once: of 81 frames about a quarter of the work.
  virtual Tensor encode_picture(const Context& context, const Tensor& picture, int64_t count,
                                const std::function<void(double)>& progress = {}) const = 0;

 protected:
  WanVaeConfig config_;
};

}  // namespace rushes
