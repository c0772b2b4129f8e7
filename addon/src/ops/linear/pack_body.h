// Packing of activations: rounding to bf16, TurboDiffusion's int8 tile quantizer (thu-ml/TurboDiffusion:turbodiffusion/
// ops/quant/quant.hpp), and the interleaving of rows into panels. Written once for all vector widths; see
// vector_body.h.
#pragma once
#include <utility>

#include "ops/linear/panel_kernel.h"
#include "ops/linear/vector_body.h"

namespace rushes {
namespace {

/// Words of `kBytes` (a group of one row) from a row to its place among the rows of its panel.
template <int kBytes, int kRows>
RUSHES_INLINE void scatter_row(const std::byte* row, int bytes, std::byte* to) {
  for (int at = 0; at < bytes; at += kBytes, to += kBytes * kRows) __builtin_memcpy(to, row + at, kBytes);
}

/// One row of the tile as f32, rounded to bf16 when asked; zeros from `depth` to 128. Rows need no alignment.
template <int kLanes>
RUSHES_INLINE void read_row(const PackTile& t, int row, float* to) {
  using V = Vector<kLanes>;
  int k = 0;
  if (t.x_type == DType::bf16) {
    const std::byte* from = t.x + row * t.x_stride * 2;
    for (; k + kLanes <= t.depth; k += kLanes) V::store(to + k, V::from_bf16(from + k * 2));
    for (; k < t.depth; ++k) {
      to[k] = 0;
      std::memcpy(reinterpret_cast<std::byte*>(to + k) + 2, from + k * 2, 2);
    }
  } else {
    const std::byte* from = t.x + row * t.x_stride * 4;
    if (t.depth < kTile) std::memset(to, 0, sizeof(float) * kTile);
    std::memcpy(to, from, sizeof(float) * t.depth);
    if (t.round_to_bf16)
      for (k = 0; k < kTile; k += kLanes)
        V::store(to + k, reinterpret_cast<typename V::Float>(V::bf16_bits(V::load(to + k)) << 16));
    return;
  }
  for (; k < kTile; ++k) to[k] = 0;
}

/// Quantizes one tile: q = saturate(rne(x * (128 / a))), a = max(1e-8, max|x|) in f32, scale = a / 128. A tile with a
/// value that is not finite gets the scale NaN and zeros, so that the caller's finite check sees it in the output.
/// `q` [128][128]; rows beyond the tile's are not written. Returns the scale.
template <int kLanes>
float quantize_tile(const PackTile& t, int8_t* q) {
  using V = Vector<kLanes>;
  // bf16 is read twice where it lies; what has to be rounded first is kept as f32.
  const bool in_place = t.x_type == DType::bf16 && t.depth == kTile;
  alignas(64) float values[kTile * kTile];
  uint32_t bits = 0;
  if (in_place) {
    typename V::Half largest = {};
    for (int row = 0; row < t.rows; ++row)
      for (int k = 0; k < kTile; k += kLanes) {
        typename V::Half half;
        std::memcpy(&half, t.x + (row * t.x_stride + k) * 2, sizeof half);
        half &= 0x7fff;
        largest = half > largest ? half : largest;
      }
    for (int i = 0; i < kLanes; ++i) bits = largest[i] > bits ? largest[i] : bits;
    bits <<= 16;
  } else {
    typename V::Int largest = {};
    for (int row = 0; row < t.rows; ++row) {
      float* to = values + row * kTile;
      read_row<kLanes>(t, row, to);
      for (int k = 0; k < kTile; k += kLanes) {
        const typename V::Int magnitude = reinterpret_cast<typename V::Int>(V::load(to + k)) & 0x7fffffff;
        largest = magnitude > largest ? magnitude : largest;
      }
    }
    for (int i = 0; i < kLanes; ++i) bits = static_cast<uint32_t>(largest[i]) > bits ? largest[i] : bits;
  }
  if (bits >= 0x7f800000) {
    std::memset(q, 0, static_cast<size_t>(t.rows) * kTile);
    return __builtin_nanf("");
  }
  float a;
  std::memcpy(&a, &bits, 4);
  if (!(a > 1e-8f)) a = 1e-8f;
  const float factor = 128.0f / a;
  const typename V::Float round = V::all(12582912.0f);
  for (int row = 0; row < t.rows; ++row)
    for (int k = 0; k < kTile; k += kLanes) {
      const int at = row * kTile + k;
      typename V::Float y = in_place ? V::from_bf16(t.x + (row * t.x_stride + k) * 2) : V::load(values + at);
      y = (y * factor + round) - round;
      y = y > 127.0f ? V::all(127.0f) : y;
      y = y < -128.0f ? V::all(-128.0f) : y;
      const typename V::Byte bytes =
          __builtin_convertvector(__builtin_convertvector(y, typename V::Int), typename V::Byte);
      std::memcpy(q + at, &bytes, sizeof bytes);
    }
  return a / 128.0f;
}

/// int8 tiles into panels of kRows rows in groups of kGroup depths, as int8 or widened to int16.
template <int kLanes, int kRows, int kGroup, class Element, int kOffset>
void pack_int8(const PackTile& t) {
  alignas(64) int8_t q[kTile * kTile];
  const float scale = quantize_tile<kLanes>(t, q);
  const int64_t tile = t.first_depth / kTile;
  for (int row = 0; row < t.padded_rows; ++row) {
    alignas(64) Element values[kTile] = {};
    int32_t sum = 0;
    if (row < t.rows) {
      for (int k = 0; k < kTile; ++k) values[k] = q[row * kTile + k];
      if constexpr (kOffset != 0)
        for (int k = 0; k < kTile; ++k) sum += q[row * kTile + k];
    }
    const int64_t panel = (t.first_row + row) / kRows, slot = (t.first_row + row) % kRows;
    const int64_t entry = (panel * t.depth_tiles + tile) * kRows + slot;
    t.row_scales[entry] = scale;
    t.row_offsets[entry] = -kOffset * sum;
    constexpr int kWord = kGroup * static_cast<int>(sizeof(Element));
    scatter_row<kWord, kRows>(
        reinterpret_cast<const std::byte*>(values), sizeof values,
        t.panels + panel * t.panel_bytes + (t.first_depth * kRows + slot * kGroup) * sizeof(Element));
  }
}

/// One step of transposing a square: what two rows kStep apart exchange, as their new values.
template <int kLanes, int kStep, int... kLane>
RUSHES_INLINE void exchange(typename Vector<kLanes>::Int& a, typename Vector<kLanes>::Int& b,
                            std::integer_sequence<int, kLane...>) {
  const auto low = __builtin_shufflevector(a, b, (kLane & kStep ? kLanes + kLane - kStep : kLane)...);
  b = __builtin_shufflevector(a, b, (kLane & kStep ? kLanes + kLane : kLane + kStep)...);
  a = low;
}

template <int kLanes, int kStep>
RUSHES_INLINE void exchange_rows(typename Vector<kLanes>::Int (&square)[kLanes]) {
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i)
    if ((i & kStep) == 0)
      exchange<kLanes, kStep>(square[i], square[i + kStep], std::make_integer_sequence<int, kLanes>());
}

/// PanelKernel::interleave, by squares of kLanes words.
template <int kLanes>
void interleave_words(const std::byte* from, int64_t from_stride, int rows, int64_t words, uint32_t flip, std::byte* to,
                      int64_t to_stride) {
  using Int = typename Vector<kLanes>::Int;
  for (int row = 0; row < rows; row += kLanes) {
    for (int64_t word = 0; word < words; word += kLanes) {
      Int square[kLanes];
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) {
        std::memcpy(&square[i], from + (row + i) * from_stride + word * 4, sizeof(Int));
        square[i] ^= static_cast<int32_t>(flip);
      }
      exchange_rows<kLanes, 1>(square);
      exchange_rows<kLanes, 2>(square);
      exchange_rows<kLanes, 4>(square);
      if constexpr (kLanes > 8) exchange_rows<kLanes, 8>(square);
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) std::memcpy(to + (word + i) * to_stride + row * 4, &square[i], sizeof(Int));
    }
  }
}

/// f32 (kBf16 false) or bf16 values into panels of kRows rows in groups of kGroup depths.
template <int kLanes, int kRows, int kGroup, bool kBf16>
void pack_float(const PackTile& t) {
  using V = Vector<kLanes>;
  constexpr int kBytes = kBf16 ? 2 : 4;
  for (int row = 0; row < t.padded_rows; ++row) {
    alignas(64) float values[kTile];
    alignas(64) uint16_t halves[kTile];
    if (row < t.rows)
      read_row<kLanes>(t, row, values);
    else
      std::memset(values, 0, sizeof values);
    if constexpr (kBf16)
      for (int k = 0; k < kTile; k += kLanes) V::store_bf16(halves + k, V::load(values + k));
    const int64_t panel = (t.first_row + row) / kRows, slot = (t.first_row + row) % kRows;
    const std::byte* from =
        kBf16 ? reinterpret_cast<const std::byte*>(halves) : reinterpret_cast<const std::byte*>(values);
    scatter_row<kGroup * kBytes, kRows>(
        from, t.padded_depth * kBytes,
        t.panels + panel * t.panel_bytes + (t.first_depth * kRows + slot * kGroup) * kBytes);
  }
}

}  // namespace
}  // namespace rushes
