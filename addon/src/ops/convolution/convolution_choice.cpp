#include "ops/convolution/convolution_choice.h"

namespace rushes::convolution_tiles {
namespace {

constexpr int64_t kFoursOfTurn = 4, kMostTurns = 8;

int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace

int convolution_columns(int64_t outputs) {
  int best = 32;
  for (const int columns : {96, 128})
    if (round_up(outputs, columns) <= round_up(outputs, best)) best = columns;
  return best;
}

int convolution_rows(const DeviceInfo& card, int64_t pixels, int64_t padded_outputs, int columns, int64_t frames) {
  const int64_t blocks = (pixels + 255) / 256 * (padded_outputs / columns) * frames;
  return blocks >= int64_t{2} * card.multiprocessors ? 256 : 128;
}

int channel_norm_lanes(int64_t channels) {
  if (channels % kFoursOfTurn || channels > 32 * kFoursOfTurn * kMostTurns) return 0;
  for (const int lanes : {8, 16})
    if (channels <= lanes * kFoursOfTurn * kMostTurns / 2) return lanes;
  return 32;
}

int doubling_bytes(int64_t pixel_bytes) { return pixel_bytes % 16 == 0 ? 16 : pixel_bytes % 4 == 0 ? 4 : 2; }

}  // namespace rushes::convolution_tiles
