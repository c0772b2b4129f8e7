// rgb_to_i420 against BT.709 in float64, its corner colours, chroma siting, and what it refuses.
#include "media/yuv.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "runtime/status.h"

using namespace rushes;

namespace {

std::vector<uint8_t> flat(int width, int height, uint8_t r, uint8_t g, uint8_t b) {
  std::vector<uint8_t> rgb;
  for (int i = 0; i < width * height; ++i) rgb.insert(rgb.end(), {r, g, b});
  return rgb;
}

}  // namespace

TEST_CASE("flat colours have BT.709's limited-range values") {
  const struct {
    uint8_t r, g, b, y, u, v;
  } colours[] = {{0, 0, 0, 16, 128, 128},     {255, 255, 255, 235, 128, 128}, {255, 0, 0, 63, 102, 240},
                 {0, 255, 0, 173, 42, 26},    {0, 0, 255, 32, 240, 118},      {255, 255, 0, 219, 16, 138},
                 {0, 255, 255, 188, 154, 16}, {128, 128, 128, 126, 128, 128}};
  for (const auto& c : colours) {
    I420Picture picture;
    rgb_to_i420(flat(6, 4, c.r, c.g, c.b), 6, 4, picture);
    CAPTURE(int(c.r));
    CAPTURE(int(c.g));
    CAPTURE(int(c.b));
    for (const uint8_t y : picture.y) REQUIRE(int(y) == int(c.y));
    for (const uint8_t u : picture.u) REQUIRE(int(u) == int(c.u));
    for (const uint8_t v : picture.v) REQUIRE(int(v) == int(c.v));
  }
}

TEST_CASE("random pictures agree with the formula in float64, chroma sited on the left") {
  const int width = 30, height = 14;
  std::mt19937 engine(7);
  std::vector<uint8_t> rgb(static_cast<size_t>(width * height * 3));
  for (auto& byte : rgb) byte = static_cast<uint8_t>(engine());
  I420Picture picture;
  rgb_to_i420(rgb, width, height, picture);
  const auto channel = [&](int row, int column, int c) {
    column = std::min(std::max(column, 0), width - 1);
    return rgb[static_cast<size_t>((row * width + column) * 3 + c)] / 255.0;
  };
  for (int row = 0; row < height; ++row)
    for (int column = 0; column < width; ++column) {
      const double y =
          0.2126 * channel(row, column, 0) + 0.7152 * channel(row, column, 1) + 0.0722 * channel(row, column, 2);
      REQUIRE(std::abs(picture.y[static_cast<size_t>(row * width + column)] - (16 + 219 * y)) <= 0.5 + 1e-9);
    }
  for (int row = 0; row < height / 2; ++row)
    for (int column = 0; column < width / 2; ++column) {
      double sum[3] = {};
      for (int c = 0; c < 3; ++c)
        for (int below = 0; below < 2; ++below)
          for (int x = -1; x <= 1; ++x) sum[c] += channel(2 * row + below, 2 * column + x, c) * (x ? 1 : 2) / 8;
      const double y = 0.2126 * sum[0] + 0.7152 * sum[1] + 0.0722 * sum[2];
      const auto i = static_cast<size_t>(row * width / 2 + column);
      REQUIRE(std::abs(picture.u[i] - (128 + 224 * (sum[2] - y) / 1.8556)) <= 0.5 + 1e-9);
      REQUIRE(std::abs(picture.v[i] - (128 + 224 * (sum[0] - y) / 1.5748)) <= 0.5 + 1e-9);
    }
}

TEST_CASE("odd sizes and short pictures are refused") {
  I420Picture picture;
  CHECK_THROWS_AS(rgb_to_i420(flat(5, 4, 0, 0, 0), 5, 4, picture), Error);
  CHECK_THROWS_AS(rgb_to_i420(flat(4, 3, 0, 0, 0), 4, 3, picture), Error);
  CHECK_THROWS_AS(rgb_to_i420(flat(4, 2, 0, 0, 0), 4, 4, picture), Error);
  CHECK_THROWS_AS(rgb_to_i420({}, 0, 0, picture), Error);
}
