// RGB to I420 and back in BT.709's weights. The way there is exact, by the formulas of ops/pixels/bt709.h.
#include "media/yuv.h"

#include <algorithm>

#include "ops/pixels/bt709.h"
#include "runtime/status.h"

namespace rushes {
namespace {

struct Sum {
  int64_t red = 0, green = 0, blue = 0;
  void add(const uint8_t* pixel, int weight) {
    red += weight * pixel[0];
    green += weight * pixel[1];
    blue += weight * pixel[2];
  }
};

// The way back in units of 2^-16. Chroma comes as eight times its value (see chroma_row).
constexpr int32_t fixed(double value) { return static_cast<int32_t>(value * 65536 + (value < 0 ? -0.5 : 0.5)); }
constexpr int32_t kLuma = fixed(255.0 / 219);
constexpr double kChroma = 255.0 / 224 / 8;
constexpr int32_t kRedFromCr = fixed(1.5748 * kChroma), kBlueFromCb = fixed(1.8556 * kChroma);
constexpr int32_t kGreenFromCb = fixed(-0.0722 * 1.8556 / 0.7152 * kChroma),
                  kGreenFromCr = fixed(-0.2126 * 1.5748 / 0.7152 * kChroma);

uint8_t level(int32_t value) { return static_cast<uint8_t>(std::clamp((value + 32768) >> 16, 0, 255)); }

// One row of chroma for every luma column, eight times and without its offset of 128: three parts of the nearer row and
// one of the farther; even columns lie on a site, odd ones between two.
void chroma_row(const uint8_t* nearer, const uint8_t* farther, int width, std::vector<int32_t>& out) {
  const int columns = width / 2;
  const auto at = [&](int column) { return 3 * nearer[column] + farther[column] - 4 * 128; };
  for (int column = 0; column < columns; ++column) {
    const int32_t here = at(column), next = at(std::min(column + 1, columns - 1));
    out[static_cast<size_t>(2 * column)] = 2 * here;
    out[static_cast<size_t>(2 * column + 1)] = here + next;
  }
}

}  // namespace

void rgb_to_i420(std::span<const uint8_t> rgb, int width, int height, I420Picture& out) {
  if (width <= 0 || height <= 0 || width % 2 || height % 2)
    throw Error("settings.invalid", "A video's width and height must be even, but this picture has " +
                                        std::to_string(width) + " x " + std::to_string(height) + " pixels.");
  const auto pixels = static_cast<size_t>(width) * static_cast<size_t>(height);
  if (rgb.size() != pixels * 3)
    throw Error("settings.invalid", "The picture has " + std::to_string(rgb.size()) + " bytes, but its size needs " +
                                        std::to_string(pixels * 3) + ".");
  out.width = width;
  out.height = height;
  out.y.resize(pixels);
  out.u.resize(pixels / 4);
  out.v.resize(pixels / 4);

  for (size_t i = 0; i < pixels; ++i) {
    const uint8_t* p = &rgb[3 * i];
    out.y[i] = bt709::luma(p[0], p[1], p[2]);
  }
  const auto at = [&](int row, int column) {
    return &rgb[3 * (static_cast<size_t>(row) * width + std::clamp(column, 0, width - 1))];
  };
  for (int row = 0; row < height; row += 2)
    for (int column = 0; column < width; column += 2) {
      Sum sum;
      for (int below = 0; below < 2; ++below) {
        sum.add(at(row + below, column - 1), 1);
        sum.add(at(row + below, column), 2);
        sum.add(at(row + below, column + 1), 1);
      }
      const auto i = static_cast<size_t>(row / 2) * static_cast<size_t>(width / 2) + static_cast<size_t>(column / 2);
      out.u[i] = bt709::chroma_blue(sum.red, sum.green, sum.blue);
      out.v[i] = bt709::chroma_red(sum.red, sum.green, sum.blue);
    }
}

void i420_to_rgb(const I420View& picture, std::vector<uint8_t>& rgb) {
  const int width = picture.width, height = picture.height;
  if (width <= 0 || height <= 0 || width % 2 || height % 2)
    throw Error("settings.invalid", "A video's width and height must be even.");
  rgb.resize(static_cast<size_t>(width) * static_cast<size_t>(height) * 3);
  std::vector<int32_t> cb(static_cast<size_t>(width)), cr(static_cast<size_t>(width));
  uint8_t* out = rgb.data();
  for (int row = 0; row < height; ++row) {
    const int near_row = row / 2, far_row = std::clamp(row % 2 ? near_row + 1 : near_row - 1, 0, height / 2 - 1);
    const ptrdiff_t nearer = ptrdiff_t{near_row} * picture.chroma_stride,
                    farther = ptrdiff_t{far_row} * picture.chroma_stride;
    chroma_row(picture.u + nearer, picture.u + farther, width, cb);
    chroma_row(picture.v + nearer, picture.v + farther, width, cr);
    const uint8_t* luma = picture.y + ptrdiff_t{row} * picture.y_stride;
    for (size_t column = 0; column < static_cast<size_t>(width); ++column, out += 3) {
      const int32_t y = (luma[column] - 16) * kLuma;
      out[0] = level(y + cr[column] * kRedFromCr);
      out[1] = level(y + cb[column] * kGreenFromCb + cr[column] * kGreenFromCr);
      out[2] = level(y + cb[column] * kBlueFromCb);
    }
  }
}

}  // namespace rushes
