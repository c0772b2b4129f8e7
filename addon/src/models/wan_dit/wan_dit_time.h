// The timestep's embedding, in f32 whatever the activations are: bf16 here would move every modulation.
#pragma once
#include <memory>

#include "models/wan_dit/wan_dit_loader.h"

namespace rushes {

/// What a timestep is to the network: `embedding` f32 [1, dim] for the head, `modulation` f32 [6, dim] for the blocks.
struct DitTime {
  Tensor embedding, modulation;
};

/// time_embedding (Linear, SiLU, Linear) of the sinusoid, then time_projection (SiLU, Linear).
class TimeEmbedding {
 public:
  explicit TimeEmbedding(const WanDitLoader& loader);
  /// timestep in 0..1000.
  DitTime operator()(const Context& context, float timestep) const;
  /// LoRAs' changes of them are in f32.
  std::vector<AdaptedLinear*> linears() { return {&first_.linear, &second_.linear, &projection_.linear}; }

 private:
  struct Layer {
    AdaptedLinear linear;  // without a bias
    Tensor bias;           // f32 [1, N]
  };
  static Layer layer(const WanDitLoader& loader, const std::string& name);
  static Tensor apply(const Context& context, const Layer& layer, const Tensor& x);

  Layer first_, second_, projection_;
};

}  // namespace rushes
