// Where the tiles of a tiled decode lie and how much each of them weighs in every row and column of pixels.
#pragma once
#include <cstdint>
#include <vector>

#include "models/wan_vae/wan_vae.h"

namespace rushes::wan_vae {

/// A part of the picture, in latent cells, and the share its pixels have in the blend: pixel (y, x) weighs
/// rows[y] * columns[x]; over all tiles these sum to 1.
struct Tile {
  int64_t top = 0, left = 0, height = 0, width = 0;
  std::vector<float> rows, columns;
};

/// Tiles of at most tiling.tile x tiling.tile cells, spread evenly, overlapping by tiling.overlap cells or more, with
/// linear ramps over the middle half of that overlap. One tile of the whole picture when tiling.tile is 0 or no side is
/// longer than it. Error settings.invalid unless tile >= 2 * overlap and overlap >= 1.
std::vector<Tile> lay_tiles(int64_t height, int64_t width, const VaeTiling& tiling, int64_t pixels_per_cell);

}  // namespace rushes::wan_vae
