#include "models/wan_vae/latent_colours.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>

namespace rushes {
namespace {

constexpr int64_t kSide = 16, kPictures = 4, kPixels = 8;
// Latents of pictures are smooth: patches of several cells, one value each, tell more than one value per cell.
constexpr std::array<int64_t, kPictures> kPatches = {4, 4, 8, 2};
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

// The mean of the pixels of one cell; frames f32 [1, H, W, 3].
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
  std::normal_distribution<float> normal;
  Fit fit(static_cast<size_t>(channels) + 1);
  std::vector<double> cell(static_cast<size_t>(channels) + 1, 1.0);
  for (const int64_t patch : kPatches) {
    const Tensor latents = context.allocate(DType::f32, {channels, 1, kSide, kSide});
    float* values = latents.data<float>();
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t y = 0; y < kSide; ++y)
        for (int64_t x = 0; x < kSide; ++x) {
          float& value = values[(c * kSide + y) * kSide + x];
          if (y % patch)
            value = values[(c * kSide + y - 1) * kSide + x];
          else if (x % patch)
            value = *(&value - 1);
          else
            value = normal(engine);
        }
    vae.decode(context, latents, {}, [&](const Tensor& frames, int64_t) {
      for (int64_t y = 0; y < kSide; ++y)
        for (int64_t x = 0; x < kSide; ++x) {
          for (int64_t c = 0; c < channels; ++c) cell[static_cast<size_t>(c)] = values[(c * kSide + y) * kSide + x];
          fit.add(cell, mean_colour(frames, y, x));
        }
    });
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
