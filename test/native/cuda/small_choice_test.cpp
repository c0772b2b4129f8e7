// Tiles of convolutions and lanes of norms for cards that are not here.
#include <doctest/doctest.h>

#include "ops/convolution/convolution_choice.h"
#include "ops/norm/norm_choice.h"

namespace rushes {

using namespace convolution_tiles;

TEST_CASE("a convolution's tiles cover its outputs with little padding and fit every card's shared memory") {
  for (int64_t outputs = 1; outputs <= 1024; ++outputs) {
    CAPTURE(outputs);
    const int columns = convolution_columns(outputs);
    CHECK((columns == 32 || columns == 96 || columns == 128));
    CHECK((outputs + columns - 1) / columns * columns - outputs < 32);
  }
  // The VAE's layers: whole tiles, the widest that are.
  CHECK(convolution_columns(96) == 96);
  CHECK(convolution_columns(192) == 96);
  CHECK(convolution_columns(384) == 128);
  CHECK(convolution_columns(3) == 32);
  constexpr int kLeastSharedBytes = 99 << 10;  // a block's on 86, 89 and 120
  for (const int rows : {128, 256})
    for (const int columns : {32, 96, 128}) CHECK(kStages * bf16_stage_bytes(rows, columns) <= kLeastSharedBytes);
}

TEST_CASE("large pictures are convolved 256 pixels a block, and small ones 128 so that a card has more of them") {
  DeviceInfo card;
  for (const int multiprocessors : {24, 46, 132}) {
    card.multiprocessors = multiprocessors;
    CAPTURE(multiprocessors);
    CHECK(convolution_rows(card, 832 * 480, 96, 96, 1) == 256);
    CHECK(convolution_rows(card, 8 * 8, 384, 128, 1) == 128);
    // Where it changes: two blocks of 256 a multiprocessor.
    CHECK(convolution_rows(card, int64_t{2} * multiprocessors * 256, 96, 96, 1) == 256);
    CHECK(convolution_rows(card, int64_t{2} * multiprocessors * 256 - 256, 96, 96, 1) == 128);
    CHECK(convolution_rows(card, int64_t{multiprocessors} * 256, 96, 96, 2) == 256);
  }
}

TEST_CASE("a channel norm's lanes hold a pixel in eight turns of four channels, or read it twice") {
  for (int64_t channels = 1; channels <= 1200; ++channels) {
    CAPTURE(channels);
    const int lanes = channel_norm_lanes(channels);
    if (lanes == 0)
      CHECK((channels % 4 != 0 || channels > 1024));
    else
      CHECK(lanes * 4 * 8 >= channels);
    if (lanes > 8) CHECK(channels > lanes / 2 * 4 * 4);
  }
  CHECK(channel_norm_lanes(96) == 8);
  CHECK(channel_norm_lanes(192) == 16);
  CHECK(channel_norm_lanes(384) == 32);
  for (const int64_t bytes : {2, 4, 6, 12, 16, 192, 200, 384}) CHECK(bytes % doubling_bytes(bytes) == 0);
  CHECK(doubling_bytes(192) == 16);
}

TEST_CASE("a norm's threads hold a row of any width, and no more than a block's") {
  for (int64_t width = 1; width <= kWidestNorm; width += width < 3000 ? 1 : 61)
    for (const bool aligned : {false, true}) {
      const NormRowChoice choice = choose_norm_rows(width, aligned);
      const int threads = choice.threads(width);
      if (static_cast<int64_t>(threads) * choice.elements >= width && threads % 32 == 0 &&
          threads <= kNormMostThreads && (!choice.warp_row || threads == 32) && (aligned || choice.elements == 32))
        continue;
      FAIL_CHECK("width " << width << ": " << threads << " threads of " << choice.elements);
    }
  CHECK(choose_norm_rows(128, true).warp_row);
  CHECK(choose_norm_rows(1536, true).threads(1536) == 96);
  CHECK(choose_norm_rows(5120, true).elements == 16);
  CHECK(choose_norm_rows(kWidestNorm, true).threads(kWidestNorm) == kNormMostThreads);
}
}  // namespace rushes
