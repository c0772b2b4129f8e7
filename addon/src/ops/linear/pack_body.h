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
RUSHES_INLINE void scatter_row(const std::byte* row, int64_t bytes, std::byte* to) {
  for (int64_t at = 0; at < bytes; at += kBytes, to += kBytes * kRows) __builtin_memcpy(to, row + at, kBytes);
}

template <int kLanes>
using Words = typename Vector<kLanes>::Int;

/// The words of two vectors in turn: a0 b0 a1 b1 ..., the first (kHalf 0) or the second kLanes of them.
template <int kLanes, int kHalf, int... kLane>
RUSHES_INLINE Words<kLanes> in_turn(Words<kLanes> a, Words<kLanes> b, std::integer_sequence<int, kLane...>) {
  return __builtin_shufflevector(a, b, (kLane % 2 * kLanes + kHalf * kLanes / 2 + kLane / 2)...);
}

/// The pairs of words of three vectors in turn, of 3 kLanes words those from kPart * kLanes on.
template <int kLanes, int kPart, int... kLane>
RUSHES_INLINE Words<kLanes> pairs_in_turn(Words<kLanes> a, Words<kLanes> b, Words<kLanes> c,
                                          std::integer_sequence<int, kLane...>) {
  constexpr auto vector = [](int lane) { return (kPart * kLanes + lane) / 2 % 3; };
  constexpr auto from = [](int lane) { return (kPart * kLanes + lane) / 6 * 2 + lane % 2; };
  const Words<kLanes> two =
      __builtin_shufflevector(a, b, (vector(kLane) == 2 ? 0 : vector(kLane) * kLanes + from(kLane))...);
  return __builtin_shufflevector(two, c, (vector(kLane) == 2 ? kLanes + from(kLane) : kLane)...);
}

/// All six rows of a panel at once: word w of row r to word 6 w + r. `words` is a multiple of kLanes.
template <int kLanes>
RUSHES_INLINE void interleave_six(const std::byte* rows, int64_t row_bytes, int64_t words, std::byte* to) {
  constexpr auto lanes = std::make_integer_sequence<int, kLanes>();
  for (int64_t word = 0; word < words; word += kLanes, to += 6 * sizeof(Words<kLanes>)) {
    Words<kLanes> row[6];
#pragma GCC unroll 6
    for (int r = 0; r < 6; ++r) std::memcpy(&row[r], rows + r * row_bytes + word * 4, sizeof row[r]);
    const auto store = [&]<int kHalf>(std::integral_constant<int, kHalf>) {
      const auto a = in_turn<kLanes, kHalf>(row[0], row[1], lanes), b = in_turn<kLanes, kHalf>(row[2], row[3], lanes),
                 c = in_turn<kLanes, kHalf>(row[4], row[5], lanes);
      const Words<kLanes> parts[] = {pairs_in_turn<kLanes, 0>(a, b, c, lanes), pairs_in_turn<kLanes, 1>(a, b, c, lanes),
                                     pairs_in_turn<kLanes, 2>(a, b, c, lanes)};
      std::memcpy(to + kHalf * sizeof parts, parts, sizeof parts);
    };
    store(std::integral_constant<int, 0>());
    store(std::integral_constant<int, 1>());
  }
}

/// `row_bytes` of each of `count` rows, `stride` bytes apart, as words of kBytes to their places among the kRows of
/// their panel; `to` is the first one's.
template <int kLanes, int kBytes, int kRows>
RUSHES_INLINE void scatter_rows(const std::byte* rows, int64_t stride, int64_t row_bytes, int count, std::byte* to) {
  if constexpr (kBytes == 4 && kRows == 6)
    if (count == kRows && row_bytes % (4 * kLanes) == 0) {
      interleave_six<kLanes>(rows, stride, row_bytes / 4, to);
      return;
    }
  for (int row = 0; row < count; ++row) scatter_row<kBytes, kRows>(rows + row * stride, row_bytes, to + row * kBytes);
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
  for (int row = 0; row < t.rows; ++row)
    for (int k = 0; k < kTile; k += kLanes) {
      const int at = row * kTile + k;
      const typename V::Float y = in_place ? V::from_bf16(t.x + (row * t.x_stride + k) * 2) : V::load(values + at);
      const typename V::Byte bytes = V::rounded_bytes(y * factor);
      std::memcpy(q + at, &bytes, sizeof bytes);
    }
  return a / 128.0f;
}

/// The sum of a tile's row.
RUSHES_INLINE int32_t sum_of(const int8_t* row) {
#ifdef __AVX512VNNI__
  const __m512i ones = _mm512_set1_epi8(1), low = _mm512_loadu_si512(row), high = _mm512_loadu_si512(row + 64);
  return _mm512_reduce_add_epi32(
      _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(_mm512_setzero_si512(), ones, low), ones, high));
#else
  int32_t sum = 0;
  for (int k = 0; k < kTile; ++k) sum += row[k];
  return sum;
#endif
}

/// int8 tiles into panels of kRows rows in groups of kGroup depths, as int8 or widened to int16.
template <int kLanes, int kRows, int kGroup, class Element, int kOffset>
void pack_int8(const PackTile& t) {
  alignas(64) int8_t q[(kTile + kRows) * kTile];
  const float scale = quantize_tile<kLanes>(t, q);
  std::memset(q + t.rows * kTile, 0, static_cast<size_t>(t.padded_rows - t.rows) * kTile);
  const int64_t tile = t.first_depth / kTile;
  for (int row = 0, count; row < t.padded_rows; row += count) {
    const int64_t panel = (t.first_row + row) / kRows, slot = (t.first_row + row) % kRows;
    count = kRows - static_cast<int>(slot);
    if (count > t.padded_rows - row) count = t.padded_rows - row;
    const int8_t* rows = q + row * kTile;
    const int64_t entry = (panel * t.depth_tiles + tile) * kRows + slot;
    for (int r = 0; r < count; ++r) {
      t.row_scales[entry + r] = scale;
      t.row_offsets[entry + r] = kOffset == 0 ? 0 : -kOffset * sum_of(rows + r * kTile);
    }
    alignas(64) Element wide[sizeof(Element) == 1 ? 1 : kRows * kTile];
    const auto* from = reinterpret_cast<const std::byte*>(rows);
    if constexpr (sizeof(Element) > 1) {
      for (int k = 0; k < count * kTile; ++k) wide[k] = rows[k];
      from = reinterpret_cast<const std::byte*>(wide);
    }
    constexpr int kWord = kGroup * static_cast<int>(sizeof(Element));
    scatter_rows<kLanes, kWord, kRows>(
        from, kTile * sizeof(Element), kTile * sizeof(Element), count,
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

/// PanelKernel::widen.
template <int kLanes, int kColumns>
void widen_pairs(const std::byte* from, int64_t words, float* to) {
  using V = Vector<kLanes>;
  for (int64_t word = 0; word < words; ++word, from += 4 * kColumns, to += 2 * kColumns) {
#pragma GCC unroll 4
    for (int column = 0; column < kColumns; column += kLanes) {
      typename V::Int pair;
      std::memcpy(&pair, from + 4 * column, sizeof pair);
      V::store(to + column, reinterpret_cast<typename V::Float>(pair << 16));
      V::store(to + kColumns + column, reinterpret_cast<typename V::Float>(pair >> 16 << 16));
    }
  }
}

/// f32 (kBf16 false) or bf16 values into panels of kRows rows in groups of kGroup depths.
template <int kLanes, int kRows, int kGroup, bool kBf16>
void pack_float(const PackTile& t) {
  using V = Vector<kLanes>;
  constexpr int kBytes = kBf16 ? 2 : 4;
  const int64_t row_bytes = t.padded_depth * kBytes;
  for (int row = 0, count; row < t.padded_rows; row += count) {
    const int64_t panel = (t.first_row + row) / kRows, slot = (t.first_row + row) % kRows;
    count = kRows - static_cast<int>(slot);
    if (count > t.padded_rows - row) count = t.padded_rows - row;
    std::byte* to = t.panels + panel * t.panel_bytes + (t.first_depth * kRows + slot * kGroup) * kBytes;
    // As they lie, where nothing has to be rounded or filled up.
    if constexpr (kBf16)
      if (t.x_type == DType::bf16 && row_bytes == kTile * kBytes && t.depth == kTile && row + count <= t.rows) {
        scatter_rows<kLanes, kGroup * kBytes, kRows>(t.x + row * t.x_stride * kBytes, t.x_stride * kBytes, row_bytes,
                                                     count, to);
        continue;
      }
    alignas(64) std::byte rows[kRows * kTile * kBytes];
    for (int r = 0; r < count; ++r) {
      alignas(64) float values[kTile] = {};
      if (row + r < t.rows) read_row<kLanes>(t, row + r, values);
      alignas(64) uint16_t halves[kTile];
      if constexpr (kBf16)
        for (int k = 0; k < kTile; k += kLanes) V::store_bf16(halves + k, V::load(values + k));
      const void* from = kBf16 ? static_cast<const void*>(halves) : static_cast<const void*>(values);
      std::memcpy(rows + r * row_bytes, from, static_cast<size_t>(row_bytes));
    }
    scatter_rows<kLanes, kGroup * kBytes, kRows>(rows, row_bytes, row_bytes, count, to);
  }
}

}  // namespace
}  // namespace rushes
