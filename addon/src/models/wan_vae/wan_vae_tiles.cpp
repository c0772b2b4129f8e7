// Laying tiles: each axis alone, then their product.
#include "models/wan_vae/wan_vae_tiles.h"

#include <algorithm>

#include "runtime/status.h"

namespace rushes::wan_vae {
namespace {

struct Span {
  int64_t begin = 0, length = 0;
  std::vector<float> weights;  // of its pixels
};

std::vector<Span> cut(int64_t length, const VaeTiling& tiling, int64_t scale) {
  // As few spans as the largest tile allows, and these as short as the overlap allows.
  const auto divided_up = [](int64_t a, int64_t b) { return (a + b - 1) / b; };
  const int64_t count = length <= tiling.tile ? 1 : divided_up(length - tiling.overlap, tiling.tile - tiling.overlap);
  const int64_t size = divided_up(length + (count - 1) * tiling.overlap, count);
  std::vector<Span> spans(static_cast<size_t>(count));
  std::vector<double> total(static_cast<size_t>(length * scale));
  // Beside a cut lies what saw least of the picture beyond it: a quarter of the overlap counts for nothing, and the
  // ramp rises over the half in its middle.
  const double blind = static_cast<double>(tiling.overlap * scale) / 4, ramp = 2 * blind;
  // Weight of pixel i of a span before all spans' weights are brought to a sum of 1.
  const auto weight = [&](const Span& span, int64_t i) {
    const double before = static_cast<double>(i) + 0.5, after = static_cast<double>(span.length * scale) - before;
    double w = 1;
    if (span.begin > 0) w = std::min(w, (before - blind) / ramp);
    if (span.begin + span.length < length) w = std::min(w, (after - blind) / ramp);
    return std::max(w, 0.0);
  };
  for (int64_t k = 0; k < count; ++k) {
    Span& span = spans[static_cast<size_t>(k)];
    span = {count == 1 ? 0 : k * (length - size) / (count - 1), size, {}};
    for (int64_t i = 0; i < size * scale; ++i) total[static_cast<size_t>(span.begin * scale + i)] += weight(span, i);
  }
  for (Span& span : spans)
    for (int64_t i = 0; i < size * scale; ++i)
      span.weights.push_back(static_cast<float>(weight(span, i) / total[static_cast<size_t>(span.begin * scale + i)]));
  return spans;
}

}  // namespace

std::vector<Tile> lay_tiles(int64_t height, int64_t width, const VaeTiling& tiling, int64_t pixels_per_cell) {
  if (tiling.tile == 0 || (height <= tiling.tile && width <= tiling.tile)) return {{0, 0, height, width, {}, {}}};
  if (tiling.overlap < 1 || tiling.tile < 2 * tiling.overlap)
    throw Error("settings.invalid",
                "A tile of the VAE must be at least twice as large as its overlap, and the overlap at least 1.");
  std::vector<Tile> tiles;
  for (const Span& row : cut(height, tiling, pixels_per_cell))
    for (const Span& column : cut(width, tiling, pixels_per_cell))
      tiles.push_back({row.begin, column.begin, row.length, column.length, row.weights, column.weights});
  return tiles;
}

}  // namespace rushes::wan_vae
