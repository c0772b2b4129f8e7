// The colours of latents without decoding them: a linear map from a latent cell to the mean colour of its 8x8 pixels.
#pragma once
#include <span>
#include <vector>

#include "models/wan_vae/wan_vae.h"

namespace rushes {

/// Of one VAE. Good enough to see where things are and which colour they have; edges are as coarse as the cells, and a
/// VAE whose latents hold colours in a way that is not linear gets the nearest linear one.
class LatentColours {
 public:
  /// Fits the map to what the VAE itself makes of a few small patchworks of known colours. The same VAE always gives the
  /// same map. Packs the VAE's encoder, and costs the encoding of 30 frames of 64x64.
  static LatentColours fit(const Context& context, const WanVae& vae);
  /// Latents f32 [channels, T, h, w], of which frame t >= 1 -> h * w * 3 bytes of RGB. (The first latent
  /// frame of a clip stands for one frame and not for four; the map is not made for it.)
  std::vector<uint8_t> picture(std::span<const float> latents, const Shape& shape, int64_t t) const;

 private:
  std::vector<double> weights_;  // [channels + 1, 3]: the last row is the constant; colours in [-1, 1]
};

}  // namespace rushes
