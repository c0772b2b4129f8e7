// SLA's block selection (thu-ml/TurboDiffusion:turbodiffusion/SLA/utils.py, get_block_map), in f32.
#include "ops/attention/block_selection.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "ops/attention/block_math.h"
#include "ops/simd/wide_clones.h"

namespace rushes::attention {

int64_t kept_blocks(double top_k, int64_t length) {
  const int64_t blocks = (length + kPanelKeys - 1) / kPanelKeys;
  const auto wanted = static_cast<int64_t>(top_k * static_cast<double>(blocks));
  return std::clamp<int64_t>(wanted, 1, blocks);
}

RUSHES_WIDE_CLONES void sum_rows(const float* x, int64_t stride, int64_t rows, int64_t columns, float* sum) {
  std::fill(sum, sum + columns, 0.0f);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) sum[c] += x[r * stride + c];
}

RUSHES_WIDE_CLONES void mean_of_blocks(const float* sums, int64_t blocks, int64_t columns, int64_t length,
                                       float* mean) {
  double total[kLargestHead] = {};
  for (int64_t b = 0; b < blocks; ++b)
    for (int64_t c = 0; c < columns; ++c) total[c] += sums[b * columns + c];
  for (int64_t c = 0; c < columns; ++c) mean[c] = static_cast<float>(total[c] / static_cast<double>(length));
}

RUSHES_WIDE_CLONES void pool_keys(const float* sums, const float* mean, int64_t blocks, int64_t columns, int64_t length,
                                  float* pooled) {
  for (int64_t b = 0; b < blocks; ++b) {
    const auto count = static_cast<float>(std::min(kPanelKeys, length - b * kPanelKeys));
    for (int64_t c = 0; c < columns; ++c) pooled[c * blocks + b] = sums[b * columns + c] / count - mean[c];
  }
}

RUSHES_WIDE_CLONES void block_scores(const float* query, const float* pooled, int64_t blocks, int64_t columns,
                                     float* scores) {
  std::fill(scores, scores + blocks, 0.0f);
  for (int64_t c = 0; c < columns; ++c)
    for (int64_t b = 0; b < blocks; ++b) scores[b] += query[c] * pooled[c * blocks + b];
}

void choose_blocks(float* scores, int64_t blocks, int64_t kept, int32_t* chosen) {
  std::iota(chosen, chosen + blocks, 0);
  if (kept >= blocks) return;
  for (int64_t b = 0; b < blocks; ++b)
    if (std::isnan(scores[b])) scores[b] = -std::numeric_limits<float>::infinity();
  std::nth_element(chosen, chosen + kept, chosen + blocks,
                   [scores](int32_t a, int32_t b) { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; });
  std::sort(chosen, chosen + kept);
}

}  // namespace rushes::attention
