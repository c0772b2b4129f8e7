// The formulas from RGB to 4:2:0 in BT.709's weights, limited range, in whole numbers: Y' = 0.2126 R + 0.7152 G +
// 0.0722 B, Cb = (B - Y') / 1.8556, Cr = (R - Y') / 1.5748 (ITU-R BT.709-6). Plain functions, compiled for the CPU and
// by nvcc.
#pragma once
#include <cstdint>

namespace rushes::bt709 {

/// round(numerator / denominator), halves up; both may be far from 32 bits.
constexpr int64_t rounded(int64_t numerator, int64_t denominator) {
  const int64_t doubled = 2 * numerator + denominator, divisor = 2 * denominator;
  return doubled >= 0 ? doubled / divisor : -((-doubled + divisor - 1) / divisor);
}

/// Y' of one pixel, 16..235.
constexpr uint8_t luma(int red, int green, int blue) {
  return static_cast<uint8_t>(16 + rounded(219ll * (2126 * red + 7152 * green + 722 * blue), 255ll * 10000));
}

/// Weights of the six pixels that make one chroma sample (1 2 1 across, in two rows) sum to this.
constexpr int64_t kChromaTaps = 8;

/// Cb and Cr, 16..240, of weighted sums of kChromaTaps pixels.
constexpr uint8_t chroma_blue(int64_t red, int64_t green, int64_t blue) {
  return static_cast<uint8_t>(128 +
                              rounded(224 * (9278 * blue - 2126 * red - 7152 * green), 255 * 18556 * kChromaTaps));
}
constexpr uint8_t chroma_red(int64_t red, int64_t green, int64_t blue) {
  return static_cast<uint8_t>(128 + rounded(224 * (7874 * red - 7152 * green - 722 * blue), 255 * 15748 * kChromaTaps));
}

}  // namespace rushes::bt709
