// Pixels to bytes: the same as the VAE's pixels through RGB and media/yuv.h, on every backend.
#include "ops/pixels/pixels.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "media/yuv.h"
#include "ops/check_context.h"
#include "ops/pixels/pixels_kernels.h"
#include "runtime/random.h"
#include "runtime/status.h"
#include "runtime/transfer.h"

using namespace rushes;

namespace {

/// One context for each backend whose kernels of the table run here.
std::vector<Context> contexts() {
  std::vector<Context> found;
  for (const auto& kernel : pixels_to_i420_kernels())
    if (check::can_check(kernel.info, CpuFeatures::host())) found.push_back(check::context_for(kernel.info, 2));
  return found;
}

}  // namespace

TEST_CASE("I420 of pixels is what the encoder makes of their RGB") {
  const int height = 18, width = 44, frames = 3;
  const Tensor pixels = check::random_tensor(Context(), {frames, height, width, 3}, 9, 0.8f);
  // Every tenth value lies halfway between two levels.
  for (int64_t i = 0; i < pixels.count(); i += 10)
    pixels.data<float>()[i] = (static_cast<float>(i % 255) + 0.5f) / 127.5f - 1;
  for (const Context& context : contexts()) {
    CAPTURE(backend_name(context.backend));
    const Tensor there = to_device(context, pixels);
    Tensor rgb = context.allocate(DType::u8, pixels.shape());
    Tensor planes = context.allocate(DType::u8, {frames, height * width * 3 / 2});
    CHECK(pixels_to_rgb(context, there, rgb));
    CHECK(pixels_to_i420(context, there, planes));
    const Tensor bytes = to_host(context, rgb), yuv = to_host(context, planes);
    for (int64_t i = 0; i < bytes.count(); ++i) {
      const float clamped = std::fmin(std::fmax(pixels.data<float>()[i], -1.0f), 1.0f);
      REQUIRE(bytes.data<uint8_t>()[i] == static_cast<uint8_t>(std::nearbyint((clamped + 1.0f) * 127.5f)));
    }
    const size_t area = size_t{height} * width;
    for (size_t frame = 0; frame < frames; ++frame) {
      I420Picture picture;
      rgb_to_i420({bytes.data<uint8_t>() + frame * area * 3, area * 3}, width, height, picture);
      const uint8_t* const made = yuv.data<uint8_t>() + frame * area * 3 / 2;
      CHECK(std::memcmp(made, picture.y.data(), area) == 0);
      CHECK(std::memcmp(made + area, picture.u.data(), area / 4) == 0);
      CHECK(std::memcmp(made + area * 5 / 4, picture.v.data(), area / 4) == 0);
    }
  }
}

TEST_CASE("a pixel that is not finite is told wherever it lies") {
  for (const Context& context : contexts())
    for (const float bad : {NAN, INFINITY, -INFINITY})
      for (const int64_t place : {0, 17, 6 * 34 * 3 - 1}) {
        const Tensor pixels = check::random_tensor(Context(), {1, 6, 34, 3}, 9, 0.8f);
        pixels.data<float>()[place] = bad;
        const Tensor there = to_device(context, pixels);
        Tensor rgb = context.allocate(DType::u8, pixels.shape()),
               planes = context.allocate(DType::u8, {1, 6 * 34 * 3 / 2});
        CHECK(!pixels_to_rgb(context, there, rgb));
        CHECK(!pixels_to_i420(context, there, planes));
      }
}

TEST_CASE("pixels refuse shapes that do not fit") {
  const Context context;
  const Tensor odd = context.allocate(DType::f32, {1, 3, 4, 3});
  Tensor bytes = context.allocate(DType::u8, {1, 18});
  CHECK_THROWS_AS(pixels_to_i420(context, odd, bytes), Error);
  CHECK_THROWS_AS(pixels_to_rgb(context, odd, bytes), Error);
}
