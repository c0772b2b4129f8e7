// The register tile of the AMX convolution over a Tiles type (runtime/amx_tiles.h, or a plain C++ model of it): 32
// pixels x 32 or 16 outputs. A tile of rows is 16 pixels x 32 channels as they lie in the gathered segment; a tile of
// columns 16 channel pairs x 16 outputs as they lie in the packed weights.
#pragma once
#include <cstddef>

#include "ops/convolution/convolution_kernel.h"

namespace rushes::convolution_tiles {
namespace {

constexpr int kAmxPixels = 32, kAmxChannels = 32;

/// Sums are in tiles 0-3 (pixel half * 2 + output half), pixels in 4-5, weights in 6-7.
template <class Tiles, bool kWide>
void amx_block(const TileCall& call, const std::byte* x, std::byte* sums) {
  constexpr int64_t kRowBytes = kWide ? 128 : 64;  // of sums, and of a pair of channels of the weights
  const int64_t pixel_bytes = call.pixel_stride * 2;
  Tiles::template load<0>(sums, kRowBytes);
  Tiles::template load<2>(sums + 16 * kRowBytes, kRowBytes);
  if constexpr (kWide) {
    Tiles::template load<1>(sums + 64, kRowBytes);
    Tiles::template load<3>(sums + 16 * kRowBytes + 64, kRowBytes);
  }
  for (int tap = 0; tap < call.taps; ++tap) {
    const std::byte* from = x + tap * call.tap_stride * 2;
    const std::byte* w = static_cast<const std::byte*>(call.weights) + tap * call.weight_tap_stride * 2;
    for (int64_t c = 0; c < call.channels; c += kAmxChannels, from += 64, w += 16 * kRowBytes) {
      Tiles::template load<4>(from, pixel_bytes);
      Tiles::template load<6>(w, kRowBytes);
      Tiles::template dot_bf16<0, 4, 6>();
      Tiles::template load<5>(from + 16 * pixel_bytes, pixel_bytes);
      Tiles::template dot_bf16<2, 5, 6>();
      if constexpr (kWide) {
        Tiles::template load<7>(w + 64, kRowBytes);
        Tiles::template dot_bf16<1, 4, 7>();
        Tiles::template dot_bf16<3, 5, 7>();
      }
    }
  }
  Tiles::template store<0>(sums, kRowBytes);
  Tiles::template store<2>(sums + 16 * kRowBytes, kRowBytes);
  if constexpr (kWide) {
    Tiles::template store<1>(sums + 64, kRowBytes);
    Tiles::template store<3>(sums + 16 * kRowBytes + 64, kRowBytes);
  }
}

template <class Tiles>
void amx_tile(const TileCall& call) {
  for (int64_t p = 0; p < call.pixels; p += kAmxPixels) {
    const std::byte* x = static_cast<const std::byte*>(call.x) + p * call.pixel_stride * 2;
    std::byte* sums = reinterpret_cast<std::byte*>(call.sums + p * call.vectors * 16);
    if (call.vectors == 2)
      amx_block<Tiles, true>(call, x, sums);
    else
      amx_block<Tiles, false>(call, x, sums);
  }
}

/// A kernel that has everything but `store` and the conversions.
template <class Tiles>
constexpr TileKernel amx_kernel() {
  return {.bf16 = true,
          .lanes = 16,
          .channel_multiple = kAmxChannels,
          .pixels = {0, kAmxPixels, kAmxPixels, 0, 0},
          .tile = amx_tile<Tiles>,
          .enter = Tiles::enter,
          .leave = Tiles::leave};
}

}  // namespace
}  // namespace rushes::convolution_tiles
