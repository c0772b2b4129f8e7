// The micro-kernels over vector registers, written once; an Engine gives them the instructions. See panel_kernel.h.
//
// Engine: kRows, kVectors (vectors of a block's width), kLanes (32-bit lanes of a vector), kDepth (depths in a 32-bit
// lane of a packed activation), kWeightBytes (bytes of one vector of packed weights);
//   Sum, Weights, Row: vector types;  Sum zero(), Sum start(int32_t) (int8);  Weights weights(const std::byte*);
//   Row row(const std::byte*): one group of an activation in every lane;  void add(Sum&, Weights, Row).
#pragma once
#include "ops/linear/panel_kernel.h"
#include "ops/linear/vector_body.h"

namespace rushes {
namespace {

/// int8: for each depth tile, in rising order, the exact int32 sum s of its 128 products, then
/// sums = sums + float(s) * (row_scale * column_scale), each operation rounded to f32. Every int8 kernel follows this
/// order, so all give the same bits.
template <class Engine>
void multiply_int8(const PanelProduct& p) {
  constexpr int kRows = Engine::kRows, kVectors = Engine::kVectors, kLanes = Engine::kLanes;
  constexpr int kColumns = kVectors * kLanes, kGroups = kTile / Engine::kDepth;
  using V = Vector<kLanes>;
  const std::byte* weights = p.weights + p.depth_begin / Engine::kDepth * (kVectors * Engine::kWeightBytes);
  const std::byte* activations = p.activations + p.depth_begin / Engine::kDepth * (kRows * 4);
  for (int64_t tile = p.depth_begin / kTile; tile < p.depth_end / kTile; ++tile) {
    typename Engine::Sum sum[kRows][kVectors];
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kVectors; ++v) sum[r][v] = Engine::start(p.row_offsets[tile * kRows + r]);
    for (int g = 0; g < kGroups; ++g) {
      typename Engine::Weights w[kVectors];
      for (int v = 0; v < kVectors; ++v) w[v] = Engine::weights(weights + v * Engine::kWeightBytes);
      for (int r = 0; r < kRows; ++r) {
        const typename Engine::Row a = Engine::row(activations + r * 4);
        for (int v = 0; v < kVectors; ++v) Engine::add(sum[r][v], w[v], a);
      }
      weights += kVectors * Engine::kWeightBytes;
      activations += kRows * 4;
    }
    const bool first = p.first && tile == p.depth_begin / kTile;
    for (int r = 0; r < kRows; ++r) {
      const float scale = p.row_scales[tile * kRows + r] * p.column_scales[tile];
      for (int v = 0; v < kVectors; ++v) {
        float* to = p.sums + r * kColumns + v * kLanes;
        typename V::Int words;
        std::memcpy(&words, &sum[r][v], sizeof words);
        const typename V::Float part = __builtin_convertvector(words, typename V::Float) * scale;
        V::store(to, first ? part : V::load(to) + part);
      }
    }
  }
}

/// f32 sums of f32 or bf16 products, depths in rising order within each lane.
template <class Engine>
void multiply_float(const PanelProduct& p) {
  constexpr int kRows = Engine::kRows, kVectors = Engine::kVectors, kLanes = Engine::kLanes;
  constexpr int kColumns = kVectors * kLanes;
  using V = Vector<kLanes>;
  const std::byte* weights = p.weights + p.depth_begin / Engine::kDepth * (kVectors * Engine::kWeightBytes);
  const std::byte* activations = p.activations + p.depth_begin / Engine::kDepth * (kRows * 4);
  typename Engine::Sum sum[kRows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      typename V::Float value = {};
      if (!p.first) value = V::load(p.sums + r * kColumns + v * kLanes);
      sum[r][v] =
          reinterpret_cast<typename Engine::Sum>(value);  // by value: a sum whose address is taken leaves its register
    }
  for (int64_t g = p.depth_begin / Engine::kDepth; g < p.depth_end / Engine::kDepth; ++g) {
    typename Engine::Weights w[kVectors];
    for (int v = 0; v < kVectors; ++v) w[v] = Engine::weights(weights + v * Engine::kWeightBytes);
    for (int r = 0; r < kRows; ++r) {
      const typename Engine::Row a = Engine::row(activations + r * 4);
      for (int v = 0; v < kVectors; ++v) Engine::add(sum[r][v], w[v], a);
    }
    weights += kVectors * Engine::kWeightBytes;
    activations += kRows * 4;
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v)
      V::store(p.sums + r * kColumns + v * kLanes, reinterpret_cast<typename V::Float>(sum[r][v]));
}

}  // namespace
}  // namespace rushes
