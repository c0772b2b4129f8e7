// Attention in plain loops with f64 sums: slow and obviously right. Each output row is one unit of work.
#include <omp.h>

#include <algorithm>
#include <cmath>

#include "ops/attention/attention_kernels.h"
#include "ops/attention/block_selection.h"

namespace rushes::attention {
namespace {

float element(const Tensor& x, int64_t index) {
  return x.type() == DType::f32 ? x.data<float>()[index] : static_cast<float>(x.data<bf16>()[index]);
}

void put(Tensor& x, int64_t index, double value) {
  if (x.type() == DType::f32)
    x.data<float>()[index] = static_cast<float>(value);
  else
    x.data<bf16>()[index] = bf16(static_cast<float>(value));
}

/// One head of a [L, heads * D] tensor as f32 [L, D].
void copy_head(const Tensor& x, int64_t head, int64_t head_size, float* out) {
  const int64_t rows = x.size(0), stride = x.size(1);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t d = 0; d < head_size; ++d) out[r * head_size + d] = element(x, r * stride + head * head_size + d);
}

double dot(const float* a, const float* b, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

/// Turns scores into exp(score - max) and returns their sum.
double exponentials(double* scores, int64_t count) {
  double top = scores[0], sum = 0;
  for (int64_t i = 1; i < count; ++i) top = std::max(top, scores[i]);
  for (int64_t i = 0; i < count; ++i) sum += scores[i] = std::exp(scores[i] - top);
  return sum;
}

/// softmax over D of one row (SLA's feature map).
void feature_row(const float* x, int64_t head_size, double* out) {
  for (int64_t d = 0; d < head_size; ++d) out[d] = x[d];
  const double sum = exponentials(out, head_size);
  for (int64_t d = 0; d < head_size; ++d) out[d] /= sum;
}

/// SageAttention's int8 quantizer in place: x becomes the whole numbers, one scale for all rows is returned.
float quantize(float* x, int64_t count) {
  float top = 0;
  for (int64_t i = 0; i < count; ++i) {
    if (!std::isfinite(x[i])) return NAN;
    top = std::max(top, std::abs(x[i]));
  }
  const float scale = top / 127.0f + 1e-7f;
  for (int64_t i = 0; i < count; ++i) x[i] = std::trunc(x[i] / scale + std::copysign(0.5f, x[i]));
  return scale;
}

/// One head of SLA: what both branches need of it.
struct Head {
  const float *q, *k, *v;          // [L, D]
  const float *score_q, *score_k;  // what the scores are made of: q and k, or their int8 values
  const float *q_scales, *k_scales;
  const float* pooled_keys;           // [D, key blocks]
  const double *state, *feature_sum;  // S [D, D] and z [D]
};

}  // namespace

void dense_reference(const Context& context, const DenseProblem& problem) {
  const int64_t size = problem.head_size, keys = problem.keys, queries = problem.queries;
  Tensor rows = context.allocate(DType::f32, {2 * keys + queries, size});
  Tensor scores = context.allocate(DType::f64, {context.threads, keys});
  if (context.dry_run) return;
  float *k = rows.data<float>(), *v = k + keys * size, *q = v + keys * size;
  for (int64_t head = 0; head < problem.heads; ++head) {
    copy_head(problem.k, head, size, k);
    copy_head(problem.v, head, size, v);
    copy_head(problem.q, head, size, q);
    const float* bias =
        problem.relative_bias ? problem.relative_bias->data<float>() + head * (queries + keys - 1) : nullptr;
#pragma omp parallel for num_threads(context.threads) schedule(dynamic)
    for (int64_t i = 0; i < queries; ++i) {
      if (context.is_cancelled()) continue;
      double* row = scores.data<double>() + omp_get_thread_num() * keys;
      for (int64_t j = 0; j < keys; ++j)
        row[j] = problem.scale * dot(q + i * size, k + j * size, size) + (bias ? bias[j - i + queries - 1] : 0.0f);
      const double sum = exponentials(row, keys);
      for (int64_t d = 0; d < size; ++d) {
        double value = 0;
        for (int64_t j = 0; j < keys; ++j) value += row[j] * v[j * size + d];
        put(problem.out, (i * problem.heads + head) * size + d, value / sum);
      }
    }
    context.check_cancelled();
  }
}

namespace {

/// One query block's choice, the same for its rows.
void chosen_blocks(const SparseProblem& problem, const Head& head, int64_t query_block, float* scores,
                   int32_t* chosen) {
  const int64_t size = problem.head_size, begin = query_block * kQueryRows;
  const int64_t rows = std::min(kQueryRows, problem.length - begin);
  const int64_t blocks = (problem.length + kPanelKeys - 1) / kPanelKeys;
  float mean[kLargestHead];
  sum_rows(head.q + begin * size, size, rows, size, mean);
  for (int64_t d = 0; d < size; ++d) mean[d] /= static_cast<float>(rows);
  block_scores(mean, head.pooled_keys, blocks, size, scores);
  choose_blocks(scores, blocks, kept_blocks(problem.settings.top_k, problem.length), chosen);
}

void sparse_row(const SparseProblem& problem, const Head& head, int64_t i, const int32_t* chosen, double* scores,
                double* out) {
  const int64_t size = problem.head_size, kept = kept_blocks(problem.settings.top_k, problem.length);
  const double scale = 1.0 / std::sqrt(static_cast<double>(size));
  int64_t count = 0;
  for (int64_t n = 0; n < kept; ++n) {
    const int64_t begin = chosen[n] * kPanelKeys, end = std::min(begin + kPanelKeys, problem.length);
    const double factor = scale * head.q_scales[i / kQueryRows] * head.k_scales[chosen[n]];
    for (int64_t j = begin; j < end; ++j)
      scores[count++] = factor * dot(head.score_q + i * size, head.score_k + j * size, size);
  }
  const double sum = exponentials(scores, count);
  for (int64_t d = 0; d < size; ++d) out[d] = 0;
  count = 0;
  for (int64_t n = 0; n < kept; ++n) {
    const int64_t begin = chosen[n] * kPanelKeys, end = std::min(begin + kPanelKeys, problem.length);
    for (int64_t j = begin; j < end; ++j, ++count)
      for (int64_t d = 0; d < size; ++d) out[d] += scores[count] / sum * head.v[j * size + d];
  }
}

void linear_row(const SparseProblem& problem, const Head& head, int64_t i, double* out) {
  const int64_t size = problem.head_size;
  double feature[kLargestHead], value[kLargestHead];
  feature_row(head.q + i * size, size, feature);
  double denominator = 1e-5;
  for (int64_t d = 0; d < size; ++d) denominator += feature[d] * head.feature_sum[d];
  for (int64_t c = 0; c < size; ++c) {
    value[c] = 0;
    for (int64_t d = 0; d < size; ++d) value[c] += feature[d] * head.state[d * size + c];
    value[c] /= denominator;
  }
  const float* weight = problem.settings.projection_weight->data<float>();
  for (int64_t c = 0; c < size; ++c) {
    out[c] = problem.settings.projection_bias->data<float>()[c];
    for (int64_t d = 0; d < size; ++d) out[c] += weight[c * size + d] * value[d];
  }
}

}  // namespace

void sparse_reference(const Context& context, const SparseProblem& problem) {
  const int64_t size = problem.head_size, length = problem.length;
  const int64_t key_blocks = (length + kPanelKeys - 1) / kPanelKeys,
                query_blocks = (length + kQueryRows - 1) / kQueryRows;
  const int64_t kept = kept_blocks(problem.settings.top_k, length);
  const bool sage = problem.settings.type == AttentionType::sagesla;
  Tensor rows = context.allocate(DType::f32, {5, length, size});
  Tensor sums = context.allocate(DType::f32, {2, key_blocks, size});
  Tensor scales = context.allocate(DType::f32, {query_blocks + key_blocks});
  Tensor block_score = context.allocate(DType::f32, {query_blocks, key_blocks});
  Tensor choice = context.allocate(DType::i32, {query_blocks, key_blocks});
  Tensor scores = context.allocate(DType::f64, {context.threads, kept * kPanelKeys});
  Tensor state = context.allocate(DType::f64, {size + 1, size});
  if (context.dry_run) return;
  float *q = rows.data<float>(), *k = q + length * size, *v = k + length * size, *q8 = v + length * size,
        *k8 = q8 + length * size;
  float *q_scales = scales.data<float>(), *k_scales = q_scales + query_blocks;
  double *features = state.data<double>(), *feature_sum = features + size * size;
  float mean[kLargestHead];
  for (int64_t h = 0; h < problem.heads; ++h) {
    copy_head(problem.q, h, size, q);
    copy_head(problem.k, h, size, k);
    copy_head(problem.v, h, size, v);
    float* pooled = sums.data<float>() + key_blocks * size;
    for (int64_t b = 0; b < key_blocks; ++b)
      sum_rows(k + b * kPanelKeys * size, size, std::min(kPanelKeys, length - b * kPanelKeys), size,
               sums.data<float>() + b * size);
    mean_of_blocks(sums.data<float>(), key_blocks, size, length, mean);
    pool_keys(sums.data<float>(), mean, key_blocks, size, length, pooled);
    std::fill(q_scales, q_scales + query_blocks + key_blocks, 1.0f);
    if (sage) {
      std::copy(q, q + length * size, q8);
      for (int64_t j = 0; j < length * size; ++j) k8[j] = k[j] - mean[j % size];
      for (int64_t b = 0; b < query_blocks; ++b)
        q_scales[b] = quantize(q8 + b * kQueryRows * size, std::min(kQueryRows, length - b * kQueryRows) * size);
      for (int64_t b = 0; b < key_blocks; ++b)
        k_scales[b] = quantize(k8 + b * kPanelKeys * size, std::min(kPanelKeys, length - b * kPanelKeys) * size);
    }
    std::fill(features, features + (size + 1) * size, 0.0);
    double feature[kLargestHead];
    for (int64_t j = 0; j < length; ++j) {
      feature_row(k + j * size, size, feature);
      for (int64_t d = 0; d < size; ++d) {
        feature_sum[d] += feature[d];
        for (int64_t c = 0; c < size; ++c) features[d * size + c] += feature[d] * v[j * size + c];
      }
    }
    const Head head{q, k, v, sage ? q8 : q, sage ? k8 : k, q_scales, k_scales, pooled, features, feature_sum};
    for (int64_t b = 0; b < query_blocks; ++b) {
      int32_t* chosen = choice.data<int32_t>() + b * key_blocks;
      chosen_blocks(problem, head, b, block_score.data<float>() + b * key_blocks, chosen);
      if (problem.parts.chosen)
        std::copy_n(chosen, kept, problem.parts.chosen->data<int32_t>() + (h * query_blocks + b) * kept);
    }
#pragma omp parallel for num_threads(context.threads) schedule(dynamic)
    for (int64_t i = 0; i < length; ++i) {
      if (context.is_cancelled()) continue;
      double sparse[kLargestHead], linear[kLargestHead];
      sparse_row(problem, head, i, choice.data<int32_t>() + i / kQueryRows * key_blocks,
                 scores.data<double>() + omp_get_thread_num() * kept * kPanelKeys, sparse);
      linear_row(problem, head, i, linear);
      const int64_t at = (i * problem.heads + h) * size;
      for (int64_t d = 0; d < size; ++d) {
        put(problem.out, at + d, sparse[d] + linear[d]);
        if (problem.parts.sparse) put(*problem.parts.sparse, at + d, sparse[d]);
        if (problem.parts.linear) put(*problem.parts.linear, at + d, linear[d]);
      }
    }
    context.check_cancelled();
  }
}

}  // namespace rushes::attention
