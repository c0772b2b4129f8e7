// RGB pictures as the planes video encoders take and decoders give: 4:2:0, BT.709, limited range.
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

/// Planes that belong to somebody else; strides in bytes.
struct I420View {
  int width = 0, height = 0;
  const uint8_t *y = nullptr, *u = nullptr, *v = nullptr;
  int y_stride = 0, chroma_stride = 0;
};

/// rgb [height, width, 3] full range -> limited range (y 16..235, u and v 16..240) with ITU-R BT.709's weights, in
/// exact integer arithmetic, rounded to nearest (halves up). Chroma is sited on the left (MPEG-2's siting, what H.264
/// means when nothing is said): taps 1 2 1 across, edge repeated, and the mean of two rows. Width and height must be
/// even and positive, and rgb of the right size, else Error settings.invalid. `out` is reused when it has the size
/// already.
void rgb_to_i420(std::span<const uint8_t> rgb, int width, int height, I420Picture& out);

/// The way back, full range [height, width, 3]: chroma between its sites (left, and between two rows) is interpolated
/// linearly, edges are repeated, values out of range are clamped. Exact to one level. Width and height must be even and
/// positive. `rgb` is resized.
void i420_to_rgb(const I420View& picture, std::vector<uint8_t>& rgb);

}  // namespace rushes
