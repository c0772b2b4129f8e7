#include "models/wan_vae/latent_colours.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>

namespace rushes {
namespace {

constexpr int64_t kSide = 8, kPixels = 8, kFrames = 5;  // cells of a picture, pixels of a cell, frames of two latents
// Sizes of the patches of each picture, in cells: large ones as in skies and walls, small ones as in the rest.
constexpr std::array<int64_t, 6> kPatches = {8, 4, 4, 2, 2, 1};
constexpr double kRidge = 1e-3;

// Least squares of colours on latents, collected cell by cell.
class Fit {
 public:
  explicit Fit(size_t unknowns) : size_(unknowns), squares_(unknowns * unknowns), products_(unknowns * 3) {}

  void add(std::span<const double> cell, const std::array<double, 3>& colour) {
    for (size_t i = 0; i < size_; ++i) {
      for (size_t j = 0; j < size_; ++j) squares_[i * size_ + j] += cell[i] * cell[j];
      for (size_t c = 0; c < 3; ++c) products_[i * 3 + c] += cell[i] * colour[c];
    }
    ++count_;
  }

  // By elimination; the ridge keeps the matrix regular, so no pivot is near zero.
  std::vector<double> solve() {
    for (size_t i = 0; i < size_; ++i) squares_[i * size_ + i] += kRidge * static_cast<double>(count_);
    for (size_t i = 0; i < size_; ++i)
      for (size_t row = i + 1; row < size_; ++row) {
        const double factor = squares_[row * size_ + i] / squares_[i * size_ + i];
        for (size_t j = i; j < size_; ++j) squares_[row * size_ + j] -= factor * squares_[i * size_ + j];
        for (size_t c = 0; c < 3; ++c) products_[row * 3 + c] -= factor * products_[i * 3 + c];
      }
    for (size_t i = size_; i-- > 0;)
      for (size_t c = 0; c < 3; ++c) {
        for (size_t j = i + 1; j < size_; ++j) products_[i * 3 + c] -= squares_[i * size_ + j] * products_[j * 3 + c];
        products_[i * 3 + c] /= squares_[i * size_ + i];
      }
    return products_;
  }

 private:
  size_t size_, count_ = 0;
  std::vector<double> squares_, products_;
};

// A clip that stands still: square patches of one colour each, around a brightness and as colourful as chance has it.
Tensor patchwork(const Context& context, std::mt19937_64& engine, int64_t patch) {
  std::uniform_real_distribution<float> uniform(-1, 1);
  constexpr int64_t kWidth = kSide * kPixels;
  const Tensor clip = context.allocate(DType::f32, {kFrames, kWidth, kWidth, 3});
  const float brightness = 0.8f * uniform(engine), spread = (1 + uniform(engine)) / 2;
  float* pixels = clip.data<float>();
  for (int64_t y = 0; y < kWidth; ++y)
    for (int64_t x = 0; x < kWidth; ++x)
      for (int64_t c = 0; c < 3; ++c) {
        float* value = pixels + (y * kWidth + x) * 3 + c;
        if (y % patch)
          *value = *(value - kWidth * 3);
        else if (x % patch)
          *value = *(value - 3);
        else
          *value = std::clamp(brightness + spread * uniform(engine), -1.0f, 1.0f);
      }
  for (int64_t frame = 1; frame < kFrames; ++frame)
    std::copy_n(pixels, kWidth * kWidth * 3, pixels + frame * kWidth * kWidth * 3);
  return clip;
}

// The mean of the pixels of one cell; frames f32 [F, H, W, 3], of which the first counts.
std::array<double, 3> mean_colour(const Tensor& frames, int64_t y, int64_t x) {
  std::array<double, 3> sum{};
  for (int64_t i = 0; i < kPixels; ++i)
    for (int64_t j = 0; j < kPixels; ++j)
      for (int64_t c = 0; c < 3; ++c)
        sum[c] += frames.data<float>()[((y * kPixels + i) * frames.size(2) + x * kPixels + j) * 3 + c];
  for (double& value : sum) value /= kPixels * kPixels;
  return sum;
}

}  // namespace

LatentColours LatentColours::fit(const Context& context, const WanVae& vae) {
  const int64_t channels = vae.config().latent_channels;
  std::mt19937_64 engine(1);
  Fit fit(static_cast<size_t>(channels) + 1);
  std::vector<double> cell(static_cast<size_t>(channels) + 1, 1.0);
  for (const int64_t patch : kPatches) {
    const Tensor clip = patchwork(context.on_host(), engine, patch * kPixels);
    const Tensor latents = vae.encode(context, clip);
    const float* values = latents.data<float>();
    for (int64_t y = 0; y < kSide; ++y)
      for (int64_t x = 0; x < kSide; ++x) {
        for (int64_t c = 0; c < channels; ++c)
          cell[static_cast<size_t>(c)] = values[((c * 2 + 1) * kSide + y) * kSide + x];
        fit.add(cell, mean_colour(clip, y, x));
      }
  }
  LatentColours colours;
  colours.weights_ = fit.solve();
  return colours;
}

std::vector<uint8_t> LatentColours::picture(std::span<const float> latents, const Shape& shape, int64_t t) const {
  const int64_t channels = shape[0], cells = shape[2] * shape[3];
  std::vector<uint8_t> rgb(static_cast<size_t>(cells * 3));
  for (int64_t i = 0; i < cells; ++i)
    for (int64_t colour = 0; colour < 3; ++colour) {
      double value = weights_[static_cast<size_t>(channels * 3 + colour)];
      for (int64_t c = 0; c < channels; ++c)
        value += weights_[static_cast<size_t>(c * 3 + colour)] *
                 latents[static_cast<size_t>((c * shape[1] + t) * cells + i)];
      // Values that are not numbers become black.
      const double level = std::isfinite(value) ? (std::clamp(value, -1.0, 1.0) + 1) * 127.5 : 0;
      rgb[static_cast<size_t>(i * 3 + colour)] = static_cast<uint8_t>(std::lround(level));
    }
  return rgb;
}

}  // namespace rushes
