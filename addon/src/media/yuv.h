// RGB pictures as the planes a video encoder takes: 4:2:0, BT.709, limited range.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace rushes {

/// Three planes without padding: y [height, width], u and v [height / 2, width / 2].
struct I420Picture {
  int width = 0, height = 0;
  std::vector<uint8_t> y, u, v;
};

/// rgb [height, width, 3] full range -> limited range (y 16..235, u and v 16..240) with ITU-R BT.709's weights, in
/// exact integer arithmetic, rounded to nearest (halves up). Chroma is sited on the left (MPEG-2's siting, what H.264
/// means when nothing is said): taps 1 2 1 across, edge repeated, and the mean of two rows. Width and height must be
/// even and positive, and rgb of the right size, else Error settings.invalid. `out` is reused when it has the size
/// already.
void rgb_to_i420(std::span<const uint8_t> rgb, int width, int height, I420Picture& out);

}  // namespace rushes
