// Panel kernels in plain C++, for CPUs without the instructions of the others.
#include "ops/linear/finish_body.h"
#include "ops/linear/pack_body.h"
#include "ops/linear/panel_kernels.h"
#include "ops/linear/product_body.h"

namespace rushes {
namespace {

constexpr int kWidth = 8;

// Two depths a lane, as the 16-bit multiply-add of every SIMD set has it.
struct PortableInt8 {
  static constexpr int kRows = 2, kVectors = 1, kLanes = kWidth, kDepth = 2, kWeightBytes = kWidth * 2;
  struct Sum {
    int32_t lane[kWidth];
  };
  struct Weights {
    int16_t value[kWidth][2];
  };
  struct Row {
    int16_t value[2];
  };
  static Sum start(int32_t value) {
    Sum sum;
    for (int i = 0; i < kWidth; ++i) sum.lane[i] = value;
    return sum;
  }
  static Weights weights(const std::byte* from) {
    Weights w;
    for (int i = 0; i < kWidth * 2; ++i) w.value[i / 2][i % 2] = static_cast<int8_t>(from[i]);
    return w;
  }
  static Row row(const std::byte* from) {
    Row a;
    std::memcpy(&a, from, sizeof a);
    return a;
  }
  static void add(Sum& sum, const Weights& w, const Row& a) {
    for (int i = 0; i < kWidth; ++i)
      sum.lane[i] += int32_t{w.value[i][0]} * a.value[0] + int32_t{w.value[i][1]} * a.value[1];
  }
};

struct PortableFloat {
  static constexpr int kRows = 4, kVectors = 1, kLanes = kWidth, kDepth = 1, kWeightBytes = kWidth * 4;
  using V = Vector<kWidth>;
  using Sum = V::Float;
  using Weights = V::Float;
  using Row = float;
  static Weights weights(const std::byte* from) { return V::load(reinterpret_cast<const float*>(from)); }
  static Row row(const std::byte* from) {
    float a;
    std::memcpy(&a, from, sizeof a);
    return a;
  }
  static void add(Sum& sum, Weights w, Row a) { sum = sum + w * a; }
};

}  // namespace

const PanelKernel kInt8Portable = {.format = LinearFormat::int8_tiles,
                                   .product = DType::i8,
                                   .activation = DType::i16,
                                   .weight = DType::i8,
                                   .rows = 2,
                                   .columns = kWidth,
                                   .row_group = 2,
                                   .column_group = 2,
                                   .weight_offset = 0,
                                   .pack = pack_int8<kWidth, 2, 2, int16_t, 0>,
                                   .quantize = quantize_tile<kWidth>,
                                   .multiply = multiply_int8<PortableInt8>,
                                   .finish = finish_panel<kWidth, kWidth>};
const PanelKernel kF32Portable = {.format = LinearFormat::f32,
                                  .product = DType::f32,
                                  .activation = DType::f32,
                                  .weight = DType::f32,
                                  .rows = 4,
                                  .columns = kWidth,
                                  .row_group = 1,
                                  .column_group = 1,
                                  .weight_offset = 0,
                                  .pack = pack_float<kWidth, 4, 1, false>,
                                  .interleave = interleave_words<kWidth>,
                                  .multiply = multiply_float<PortableFloat>,
                                  .finish = finish_panel<kWidth, kWidth>};
const PanelKernel kBf16WidenedPortable = {.format = LinearFormat::bf16,
                                          .product = DType::f32,
                                          .activation = DType::f32,
                                          .weight = DType::bf16,
                                          .rows = 4,
                                          .columns = kWidth,
                                          .row_group = 1,
                                          .column_group = 2,
                                          .weight_offset = 0,
                                          .pack = pack_float<kWidth, 4, 1, false>,
                                          .interleave = interleave_words<kWidth>,
                                          .widen = widen_pairs<kWidth, kWidth>,
                                          .multiply = multiply_float<PortableFloat>,
                                          .finish = finish_panel<kWidth, kWidth>};

}  // namespace rushes
