// The AVX-VNNI int8 kernel over an Instruction type that gives its one instruction, vpdpbusd on 256 bits: the real one,
// or a plain C++ model of it on machines that lack it.
#pragma once
#include "ops/linear/finish_body.h"
#include "ops/linear/pack_body.h"
#include "ops/linear/product_body.h"

namespace rushes {
namespace {

/// 6 rows x 16 columns in 12 registers. Weights are unsigned (value + 128); every row's sum starts at -128 times the
/// sum of its activations, so nothing but the weights is kept.
template <class Instruction>
struct AvxVnniInt8 {
  static constexpr int kRows = 6, kVectors = 2, kLanes = 8, kDepth = 4, kWeightBytes = 32;
  using Sum = typename Instruction::Register;
  using Weights = typename Instruction::Register;
  using Row = typename Instruction::Register;
  static RUSHES_INLINE Sum start(int32_t value) { return Instruction::all(value); }
  static RUSHES_INLINE Weights weights(const std::byte* from) { return Instruction::load(from); }
  static RUSHES_INLINE Row row(const std::byte* from) {
    int32_t group;
    std::memcpy(&group, from, 4);
    return Instruction::all(group);
  }
  static RUSHES_INLINE void add(Sum& sum, Weights w, Row a) { Instruction::dot(sum, w, a); }
};

template <class Instruction>
constexpr PanelKernel int8_avxvnni_kernel() {
  return {.format = LinearFormat::int8_tiles,
          .product = DType::i8,
          .activation = DType::i8,
          .weight = DType::i8,
          .rows = 6,
          .columns = 16,
          .row_group = 4,
          .column_group = 4,
          .weight_offset = 128,
          .pack = pack_int8<8, 6, 4, int8_t, 128>,
          .interleave = interleave_words<8>,
          .quantize = quantize_tile<8>,
          .multiply = multiply_int8<AvxVnniInt8<Instruction>>,
          .finish = finish_panel<8, 16>};
}

}  // namespace
}  // namespace rushes
