#include "models/umt5/relative_position.h"

#include <algorithm>
#include <cmath>

namespace rushes {

int64_t relative_position_bucket(int64_t offset, int64_t buckets) {
  constexpr double kFarthest = 128;
  const int64_t half = buckets / 2, exact = half / 2, distance = std::abs(offset), side = offset > 0 ? half : 0;
  if (distance < exact) return side + distance;
  // float32, as the reference: the logarithm decides where a bucket ends.
  const float place = std::log(static_cast<float>(distance) / static_cast<float>(exact)) /
                      static_cast<float>(std::log(kFarthest / static_cast<double>(exact))) *
                      static_cast<float>(half - exact);
  return side + std::min(half - 1, exact + static_cast<int64_t>(place));
}

void relative_position_bias(const Context& context, const Tensor& table, int64_t length, Tensor& out) {
  if (context.dry_run) return;
  const int64_t buckets = table.size(0), heads = table.size(1), width = 2 * length - 1;
  for (int64_t i = 0; i < width; ++i) {
    const float* row = table.data<float>() + relative_position_bucket(i - (length - 1), buckets) * heads;
    for (int64_t h = 0; h < heads; ++h) out.data<float>()[h * width + i] = row[h];
  }
}

}  // namespace rushes
