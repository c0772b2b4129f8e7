// The packed weights of the VAE's two halves, as lists of stages in the order a frame passes them.
#pragma once
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "models/wan_vae/wan_vae.h"

namespace rushes::wan_vae {

using ConvolutionPtr = std::shared_ptr<const Convolution>;

/// norm, SiLU, causal 3x3x3, norm, SiLU, causal 3x3x3, plus the input (through a 1x1x1 where channels change).
struct ResidualStage {
  Tensor norm1, norm2;
  ConvolutionPtr convolution1, convolution2, shortcut;
};

/// Single-head attention over the pixels of one frame.
struct AttentionStage {
  Tensor norm;
  ConvolutionPtr query, key, value, projection;
};

/// Doubling of height and width (channels halved); with `even` and `odd`, the two halves of time_conv, of frames too.
struct UpsampleStage {
  ConvolutionPtr space, even, odd;
};

/// Halving of height and width; with `time`, of frames too.
struct DownsampleStage {
  ConvolutionPtr space, time;
};

using Stage = std::variant<ResidualStage, AttentionStage, UpsampleStage, DownsampleStage>;

/// entry (decoder only, 1x1x1) -> first (causal) -> stages -> norm, SiLU, last (causal) -> exit (encoder only, 1x1x1,
/// the mean's half of its outputs). The first `coarse` stages work at the entering frames' own resolution.
struct Half {
  ConvolutionPtr entry, first, last, exit;
  std::vector<Stage> stages;
  size_t coarse = 0;
  Tensor last_norm;
};

/// Packs and releases the mapped pages behind what was packed.
Half load_decoder(const Context& context, const WeightSet& weights);
Half load_encoder(const Context& context, const WeightSet& weights, const WanVaeConfig& config);

}  // namespace rushes::wan_vae
