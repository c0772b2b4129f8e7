// The angles of Wan's 3-D rotary embedding.
#include <algorithm>
#include <cmath>

#include "ops/expect.h"
#include "ops/norm/norm.h"

namespace rushes {
namespace {

struct Axis {
  int64_t length, pairs, first;  // positions; pairs per head that turn with this axis; where they start in the head
};

}  // namespace

RotaryTable make_rotary_table(const Context& context, int64_t frames, int64_t height, int64_t width,
                              int64_t head_size) {
  expect(frames > 0 && height > 0 && width > 0, "make_rotary_table", "the grid must not be empty");
  expect(head_size >= 6 && head_size % 2 == 0, "make_rotary_table", "the head size must be even and at least 6");
  const int64_t pairs = head_size / 2, spatial = head_size / 6, temporal = pairs - 2 * spatial;
  const Axis axes[] = {{frames, temporal, 0}, {height, spatial, temporal}, {width, spatial, temporal + spatial}};
  const Shape shape{frames * height * width, pairs};
  RotaryTable table{context.allocate(DType::f32, shape), context.allocate(DType::f32, shape)};
  // Every token's angles are three pieces of per-axis rows, so only those are computed, in float64.
  const int64_t positions = std::max({frames, height, width});
  Tensor cosines = context.allocate(DType::f32, {3, positions, pairs}),
         sines = context.allocate(DType::f32, {3, positions, pairs});
  if (context.work) context.work->pass(static_cast<double>(table.cosine.bytes() + table.sine.bytes()));
  if (context.dry_run) return table;

  auto row_of = [&](const Tensor& values, int axis, int64_t position) {
    return values.data<float>() + (axis * positions + position) * pairs;
  };
  for (int a = 0; a < 3; ++a)
    for (int64_t position = 0; position < axes[a].length; ++position)
      for (int64_t i = 0; i < axes[a].pairs; ++i) {
        const double angle = position * std::pow(10000.0, -2.0 * i / (2.0 * axes[a].pairs));
        row_of(cosines, a, position)[i] = static_cast<float>(std::cos(angle));
        row_of(sines, a, position)[i] = static_cast<float>(std::sin(angle));
      }
#pragma omp parallel for num_threads(context.threads) schedule(static)
  for (int64_t token = 0; token < shape[0]; ++token) {
    const int64_t position[] = {token / (height * width), token / width % height, token % width};
    for (int a = 0; a < 3; ++a) {
      std::copy_n(row_of(cosines, a, position[a]), axes[a].pairs,
                  table.cosine.data<float>() + token * pairs + axes[a].first);
      std::copy_n(row_of(sines, a, position[a]), axes[a].pairs,
                  table.sine.data<float>() + token * pairs + axes[a].first);
    }
  }
  return table;
}

}  // namespace rushes
