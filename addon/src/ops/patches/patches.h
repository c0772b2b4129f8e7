// Latents to the tokens of a transformer and back, in patches of 1 x 2 x 2 cells. The two orders inside a token differ.
#pragma once
#include "runtime/context.h"
#include "runtime/kernel.h"
#include "runtime/tensor.h"

namespace rushes {

/// The tokens of a latent clip: frames x height x width patches of 1 x 2 x 2 cells, in that order.
struct TokenGrid {
  int64_t frames = 0, height = 0, width = 0;
  int64_t count() const { return frames * height * width; }
};

/// latents f32 [C, T, 2h, 2w] -> tokens [T*h*w, 4C] of the context's compute type; inside a token the channel is
/// slowest: (c, row, column).
Tensor patches_of(const Context& context, const Tensor& latents, const TokenGrid& grid);

/// tokens f32 [T*h*w, 4C] -> latents f32 [C, T, 2h, 2w]; inside a token the channel is fastest: (row, column, c).
Tensor latents_of(const Context& context, const Tensor& tokens, const TokenGrid& grid);

void append_patches_checks(const CpuFeatures& features, std::vector<KernelCheck>& checks);

}  // namespace rushes
