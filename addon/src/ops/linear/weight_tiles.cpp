// Weights of a layer tile by tile, whatever the file holds: floating types, or TurboDiffusion's int8 tiles.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "ops/linear/packed_linear.h"

namespace rushes {

WeightTiles::WeightTiles(const LinearSource& source)
    : source_(source), rows_(source.weight.shape[0]), depth_(source.weight.shape[1]) {}

void WeightTiles::read(int64_t row_tile, int64_t depth_tile, float* values) const {
  const int64_t first = row_tile * kTile, depth = depth_tile * kTile;
  const int64_t rows = std::min<int64_t>(kTile, rows_ - first), count = std::min<int64_t>(kTile, depth_ - depth);
  std::fill(values, values + kTile * kTile, 0.0f);
  if (source_.weight.type == DType::i8) {
    alignas(64) int8_t q[kTile * kTile];
    const float scale = read_int8(row_tile, depth_tile, q);
    for (int i = 0; i < kTile * kTile; ++i) values[i] = static_cast<float>(q[i]) * scale;
    return;
  }
  for (int64_t row = 0; row < rows; ++row) {
    TensorView part = source_.weight;
    part.shape = {count};
    part.data += ((first + row) * depth_ + depth) * static_cast<int64_t>(dtype_size(part.type));
    to_float(part, {values + row * kTile, static_cast<size_t>(count)});
  }
  if (!source_.scale) return;
  const float scale = whole_scale(source_);
  for (int i = 0; i < kTile * kTile; ++i) values[i] *= scale;
}

float WeightTiles::read_int8(int64_t row_tile, int64_t depth_tile, int8_t* q) const {
  const int64_t first = row_tile * kTile, depth = depth_tile * kTile;
  const int64_t rows = std::min<int64_t>(kTile, rows_ - first), count = std::min<int64_t>(kTile, depth_ - depth);
  if (source_.weight.type == DType::i8) {
    if (rows < kTile || count < kTile) std::memset(q, 0, kTile * kTile);
    for (int64_t row = 0; row < rows; ++row)
      std::memcpy(q + row * kTile, source_.weight.data + (first + row) * depth_ + depth, static_cast<size_t>(count));
    return scale(row_tile, depth_tile);
  }
  alignas(64) float values[kTile * kTile];
  read(row_tile, depth_tile, values);
  float a = 0;
  for (const float value : values) {
    if (!std::isfinite(value)) {  // the scale says so, as that of activations does
      std::memset(q, 0, kTile * kTile);
      return std::numeric_limits<float>::quiet_NaN();
    }
    a = std::max(a, std::fabs(value));
  }
  a = std::max(a, 1e-8f);
  const float factor = 128.0f / a;
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, ties to even
  for (int i = 0; i < kTile * kTile; ++i) {
    const float rounded = (values[i] * factor + kRound) - kRound;
    q[i] = static_cast<int8_t>(std::clamp(rounded, -128.0f, 127.0f));
  }
  return a / 128.0f;
}

float WeightTiles::scale(int64_t row_tile, int64_t depth_tile) const {
  if (source_.weight.type != DType::i8) return 0;
  float scale;
  const int64_t tiles = (depth_ + kTile - 1) / kTile;
  std::memcpy(&scale, source_.scale->data + (row_tile * tiles + depth_tile) * 4, 4);
  return scale;
}

float whole_scale(const LinearSource& source) {
  float scale;
  std::memcpy(&scale, source.scale->data, sizeof scale);
  return scale;
}

Tensor load_bias(const Context& context, const LinearSource& source, int64_t padded) {
  if (!source.bias) return {};
  Tensor bias = context.allocate(DType::f32, {padded}, MemoryUse::weights);
  if (context.dry_run) return bias;
  std::fill(bias.data<float>(), bias.data<float>() + padded, 0.0f);
  to_float(*source.bias, {bias.data<float>(), static_cast<size_t>(source.bias->count())});
  return bias;
}

}  // namespace rushes
