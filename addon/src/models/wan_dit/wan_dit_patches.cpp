#include "models/wan_dit/wan_dit_patches.h"

#include "ops/elementwise/elementwise.h"
#include "runtime/transfer.h"

namespace rushes {
namespace {

// Calls visit(token, row, column, place in one channel's plane) for every latent cell.
template <class Visit>
void for_cells(const Context& context, const TokenGrid& grid, Visit visit) {
#pragma omp parallel for num_threads(context.threads) schedule(static)
  for (int64_t token = 0; token < grid.count(); ++token) {
    const int64_t x = token % grid.width, line = token / grid.width;  // line = frame * height + y
    for (int64_t row = 0; row < 2; ++row)
      for (int64_t column = 0; column < 2; ++column)
        visit(token, row, column, (line * 2 + row) * grid.width * 2 + x * 2 + column);
  }
}

}  // namespace

Tensor patches_of(const Context& context, const Tensor& latents, const TokenGrid& grid) {
  const int64_t channels = latents.size(0), plane = grid.count() * 4;
  Tensor tokens = context.on_host().allocate(DType::f32, {grid.count(), channels * 4});
  if (!context.dry_run)
    for_cells(context, grid, [&](int64_t token, int64_t row, int64_t column, int64_t place) {
      for (int64_t c = 0; c < channels; ++c)
        tokens.data<float>()[(token * channels + c) * 4 + row * 2 + column] = latents.data<float>()[c * plane + place];
    });
  tokens = to_device(context, tokens);
  if (context.compute == DType::f32) return tokens;
  Tensor rounded = context.allocate(context.compute, tokens.shape());
  convert(context, tokens, rounded);
  return rounded;
}

Tensor latents_of(const Context& context, const Tensor& given, const TokenGrid& grid) {
  const Tensor tokens = to_host(context, given);
  const int64_t channels = tokens.size(1) / 4, plane = grid.count() * 4;
  Tensor latents = context.on_host().allocate(DType::f32, {channels, grid.frames, grid.height * 2, grid.width * 2});
  if (context.dry_run) return latents;
  for_cells(context, grid, [&](int64_t token, int64_t row, int64_t column, int64_t place) {
    for (int64_t c = 0; c < channels; ++c)
      latents.data<float>()[c * plane + place] = tokens.data<float>()[(token * 4 + row * 2 + column) * channels + c];
  });
  return latents;
}

}  // namespace rushes
