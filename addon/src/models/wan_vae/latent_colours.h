// The colours of latents without decoding them: a linear map from a latent cell to the mean colour of its 8x8 pixels.
#pragma once
#include <span>
#include <vector>

#include "models/wan_vae/wan_vae.h"

namespace rushes {

/// Of one VAE. Good enough to see where things are and which colour they have; edges are as coarse as the cells.
class LatentColours {
 public:
  /// Fits the map to the VAE itself: what it makes of a few small patchworks of random latents. The same VAE always
  /// gives the same map. Costs the decoding of four pictures of 128x128.
  static LatentColours fit(const Context& context, const WanVae& vae);
  /// Latents f32 [channels, T, h, w], of which frame t -> h * w * 3 bytes of RGB.
  std::vector<uint8_t> picture(std::span<const float> latents, const Shape& shape, int64_t t) const;

 private:
  std::vector<double> weights_;  // [channels + 1, 3]: the last row is the constant; colours in [-1, 1]
};

}  // namespace rushes
