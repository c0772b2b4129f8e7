// The norms as plain loops with float64 sums: what every other kernel is compared with.
#include <cmath>

#include "ops/norm/norm_rows.h"
#include "runtime/dtype.h"

namespace rushes {
namespace {

struct Row {
  const NormRows& rows;
  int64_t index;

  double at(int64_t i) const {
    const int64_t e = index * rows.width + i;
    return rows.x_bf16 ? float(static_cast<const bf16*>(rows.x)[e]) : static_cast<const float*>(rows.x)[e];
  }
  void put(int64_t i, double value) const {
    const int64_t e = index * rows.width + i;
    if (rows.out_bf16)
      static_cast<bf16*>(rows.out)[e] = bf16(static_cast<float>(value));
    else
      static_cast<float*>(rows.out)[e] = static_cast<float>(value);
  }
  /// x * inverse * weight.
  double weighted(int64_t i, double inverse) const {
    const double normal = at(i) * inverse, weight = rows.scale[i];
    return rows.round_each ? rounded(rounded(normal) * weight) : normal * weight;
  }
  static double rounded(double value) { return float(bf16(static_cast<float>(value))); }
  double mean() const {
    double sum = 0;
    for (int64_t i = 0; i < rows.width; ++i) sum += at(i);
    return sum / rows.width;
  }
  /// 1 / sqrt(mean((x - center)^2) + epsilon)
  double inverse_deviation(double center) const {
    double sum = 0;
    for (int64_t i = 0; i < rows.width; ++i) sum += (at(i) - center) * (at(i) - center);
    return 1 / std::sqrt(sum / rows.width + rows.epsilon);
  }
};

}  // namespace

void layer_norm_reference(const NormRows& rows, int64_t begin, int64_t end) {
  for (int64_t r = begin; r < end; ++r) {
    const Row row{rows, r};
    const double mean = row.mean(), inverse = row.inverse_deviation(mean);
    for (int64_t i = 0; i < rows.width; ++i) row.put(i, (row.at(i) - mean) * inverse * rows.scale[i] + rows.shift[i]);
  }
}

void rms_norm_reference(const NormRows& rows, int64_t begin, int64_t end) {
  for (int64_t r = begin; r < end; ++r) {
    const Row row{rows, r};
    const double inverse = row.inverse_deviation(0);
    for (int64_t i = 0; i < rows.width; ++i) row.put(i, row.weighted(i, inverse));
  }
}

void rms_norm_rotary_reference(const NormRows& rows, int64_t begin, int64_t end) {
  const int64_t pairs = rows.head_size / 2;
  for (int64_t r = begin; r < end; ++r) {
    const Row row{rows, r};
    const double inverse = row.inverse_deviation(0);
    for (int64_t i = 0; i < rows.width; i += 2) {
      const double a = row.weighted(i, inverse), b = row.weighted(i + 1, inverse);
      const int64_t angle = r * pairs + i / 2 % pairs;
      const double cosine = rows.cosine[angle], sine = rows.sine[angle];
      row.put(i, a * cosine - b * sine);
      row.put(i + 1, a * sine + b * cosine);
    }
  }
}

}  // namespace rushes
