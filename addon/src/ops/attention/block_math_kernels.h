// The one source of the block operations of block_math.h, as templates over a set of lanes that each instruction set
// describes. Everything is in an unnamed namespace: every file that includes this compiles its own copies with its own
// instructions, and the linker can never mix them.
#pragma once
#include <cstdint>
#include <cstring>

#include "ops/attention/block_math.h"

namespace rushes::attention {
namespace {

// exp2(x) = 2^n p(f), n = round(x), f = x - n in [-1/2, 1/2]; p is the degree 5 polynomial with p(0) = 1 of least
// relative error (fitted by iteratively reweighted least squares): 9.2e-8 exactly, 1.9e-7 evaluated in f32.
constexpr float kExp2[] = {1.0f,
                           0.6931470036506653f,
                           0.24022242426872253f,
                           0.05550733581185341f,
                           0.009671512991189957f,
                           0.001326472731307149f};
constexpr float kLog2E = 1.4426950408889634f;
constexpr float kMinusInfinity = -__builtin_inff();

/// Where a set of lanes has no exponent scaling of its own: 2^x is zero below -126 (subnormals are cut off).
constexpr float kSmallestExponent = -126.0f;

inline uint32_t float_bits(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  return bits;
}
inline float bits_float(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}
inline uint16_t round_to_bf16(float x) {
  const uint32_t bits = float_bits(x);
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  return static_cast<uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? (bits >> 16) | 0x40u : rounded);
}

// Operand sums of kRows rows and kVectors vectors of columns over `words` words of depth, kept in registers.
template <class Lanes, int kRows, int kVectors>
inline void multiply_tile(const char* a, int64_t a_stride, const char* b, int64_t b_stride, int64_t words,
                          typename Lanes::Sum (&sum)[kRows][kVectors]) {
  for (int64_t w = 0; w < words; ++w) {
    typename Lanes::Operand right[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) right[v] = Lanes::load_operand(b + v * Lanes::kVectorBytes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const typename Lanes::Operand left = Lanes::broadcast_word(a + r * a_stride);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sum[r][v] = Lanes::multiply_add(left, right[v], sum[r][v]);
    }
    a += 4;
    b += b_stride;
  }
}

/// The arguments of BlockMath::product, for one run of rows.
struct ProductRows {
  const char* a;
  int64_t a_stride;
  const void* const* panels;
  int64_t panel_count, columns, words;
  Update update;
  const float* row_factor;
  float* c;
  int64_t c_stride;
};

template <class Lanes, int kRows>
void product_rows(const ProductRows& p) {
  constexpr int kVectors = Lanes::kTileVectors;
  constexpr int64_t kWidth = Lanes::kWidth;
  for (int64_t n = 0; n < p.columns; n += kVectors * kWidth) {
    typename Lanes::Sum sum[kRows][kVectors];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sum[r][v] = Lanes::zero_sum();
    for (int64_t panel = 0; panel < p.panel_count; ++panel)
      multiply_tile<Lanes, kRows, kVectors>(p.a + panel * p.words * 4, p.a_stride,
                                            static_cast<const char*>(p.panels[panel]) + n * 4, p.columns * 4, p.words,
                                            sum);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      float* row = p.c + r * p.c_stride + n;
      const auto factor = Lanes::broadcast(p.update == Update::rescale_and_add ? p.row_factor[r] : 1.0f);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        typename Lanes::Vector value = sum[r][v];
        if (p.update != Update::replace) value = Lanes::fused(Lanes::load(row + v * kWidth), factor, value);
        Lanes::store(row + v * kWidth, value);
      }
    }
  }
}

template <class Lanes, int kRows>
void product_tail(const ProductRows& p, int64_t rows) {
  if constexpr (kRows > 0) {
    if (rows == kRows)
      product_rows<Lanes, kRows>(p);
    else
      product_tail<Lanes, kRows - 1>(p, rows);
  }
}

template <class Lanes>
void product(const void* a, int64_t a_stride, int64_t rows, const void* const* panels, int64_t panel_count,
             int64_t columns, int64_t depth, Update update, const float* row_factor, float* c, int64_t c_stride) {
  constexpr int kRows = Lanes::kTileRows;
  ProductRows p{static_cast<const char*>(a),  a_stride, panels,     panel_count, columns,
                depth / Lanes::kWordElements, update,   row_factor, c,           c_stride};
  for (; rows >= kRows; rows -= kRows) {
    product_rows<Lanes, kRows>(p);
    p.a += kRows * a_stride;
    if (p.row_factor) p.row_factor += kRows;
    p.c += kRows * c_stride;
  }
  product_tail<Lanes, kRows - 1>(p, rows);
}

template <class Lanes>
inline typename Lanes::Vector exp2_polynomial(typename Lanes::Vector f) {
  auto p = Lanes::broadcast(kExp2[5]);
  for (int i = 4; i >= 0; --i) p = Lanes::fused(p, f, Lanes::broadcast(kExp2[i]));
  return p;
}

template <class Lanes>
inline float exp2_scalar(float x) {
  alignas(64) float lanes[Lanes::kWidth];
  Lanes::store(lanes, Lanes::exp2(Lanes::broadcast(x)));
  return lanes[0];
}

template <class Lanes>
void softmax_step(const float* scores, int64_t stride, int64_t rows, int64_t columns, float scale, float* row_max,
                  float* row_sum, float* row_factor, void* weights, int64_t weights_stride) {
  constexpr int64_t kWidth = Lanes::kWidth;
  const auto scales = Lanes::broadcast(scale);
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = scores + r * stride;
    auto* out = static_cast<char*>(weights) + r * weights_stride;
    auto top0 = Lanes::load(row), top1 = Lanes::load(row + kWidth);
    for (int64_t c = 2 * kWidth; c < columns; c += 2 * kWidth) {
      top0 = Lanes::largest(top0, Lanes::load(row + c));
      top1 = Lanes::largest(top1, Lanes::load(row + c + kWidth));
    }
    const float found = Lanes::reduce_largest(Lanes::largest(top0, top1)) * scale;
    const float before = row_max[r], top = found > before ? found : before;
    const auto shift = Lanes::broadcast(-top);
    auto sum0 = Lanes::broadcast(0.0f), sum1 = sum0;
    for (int64_t c = 0; c < columns; c += 2 * kWidth) {
      const auto p0 = Lanes::exp2(Lanes::fused(Lanes::load(row + c), scales, shift));
      const auto p1 = Lanes::exp2(Lanes::fused(Lanes::load(row + c + kWidth), scales, shift));
      sum0 = Lanes::add(sum0, p0);
      sum1 = Lanes::add(sum1, p1);
      Lanes::store_pair(out + c * 4 / Lanes::kWordElements, p0, p1);
    }
    const float factor = exp2_scalar<Lanes>(before - top);
    row_factor[r] = factor;
    row_sum[r] = row_sum[r] * factor + Lanes::reduce_sum(Lanes::add(sum0, sum1));
    row_max[r] = top;
  }
}

[[maybe_unused]] void load_rows(const void* source, bool from_bf16, int64_t source_stride, int64_t rows,
                                int64_t columns, float* out, int64_t padded_rows, int64_t padded) {
  // Rows of one head lie a whole row of all heads apart, each on a page of its own: asked for some rows ahead.
  constexpr int64_t kRowsAhead = 8, kLine = 64;
  const int64_t element = from_bf16 ? 2 : 4, bytes = columns * element;
  for (int64_t r = 0; r < rows; ++r) {
    float* row = out + r * padded;
    if (r + kRowsAhead < rows) {
      const char* ahead = static_cast<const char*>(source) + (r + kRowsAhead) * source_stride * element;
      for (int64_t at = 0; at < bytes; at += kLine) __builtin_prefetch(ahead + at);
    }
    if (from_bf16) {
      const uint16_t* x = static_cast<const uint16_t*>(source) + r * source_stride;
      for (int64_t c = 0; c < columns; ++c) row[c] = bits_float(static_cast<uint32_t>(x[c]) << 16);
    } else {
      std::memcpy(row, static_cast<const float*>(source) + r * source_stride, static_cast<size_t>(columns) * 4);
    }
    std::memset(row + columns, 0, static_cast<size_t>(padded - columns) * 4);
  }
  std::memset(out + rows * padded, 0, static_cast<size_t>((padded_rows - rows) * padded) * 4);
}

template <bool kFactor, bool kBias>
void write_row(const float* x, int64_t columns, float factor, const float* bias, void* out, bool to_bf16) {
  const auto value = [=](int64_t c) { return (kFactor ? x[c] * factor : x[c]) + (kBias ? bias[c] : 0.0f); };
  if (to_bf16)
    for (int64_t c = 0; c < columns; ++c) static_cast<uint16_t*>(out)[c] = round_to_bf16(value(c));
  else
    for (int64_t c = 0; c < columns; ++c) static_cast<float*>(out)[c] = value(c);
}

[[maybe_unused]] void write_rows(const float* x, int64_t padded, int64_t rows, int64_t columns, const float* factor,
                                 const float* bias, void* out, bool to_bf16, int64_t out_stride) {
  auto* to = static_cast<char*>(out);
  for (int64_t r = 0; r < rows; ++r, x += padded, to += out_stride * (to_bf16 ? 2 : 4)) {
    if (factor && bias)
      write_row<true, true>(x, columns, factor[r], bias, to, to_bf16);
    else if (factor)
      write_row<true, false>(x, columns, factor[r], bias, to, to_bf16);
    else if (bias)
      write_row<false, true>(x, columns, 1.0f, bias, to, to_bf16);
    else
      write_row<false, false>(x, columns, 1.0f, bias, to, to_bf16);
  }
}

template <class Lanes>
void store_elements(const float* x, int64_t stride, int64_t rows, int64_t columns, void* out) {
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = x + r * stride;
    if constexpr (Lanes::kWordElements == 1) {
      std::memcpy(static_cast<float*>(out) + r * columns, row, static_cast<size_t>(columns) * 4);
    } else {
      auto* to = static_cast<uint16_t*>(out) + r * columns;
      for (int64_t c = 0; c < columns; ++c) to[c] = round_to_bf16(row[c]);
    }
  }
}

template <class Lanes>
void pack_right(const float* x, int64_t depth, int64_t columns, void* out) {
  if constexpr (Lanes::kWordElements == 1) {
    std::memcpy(out, x, static_cast<size_t>(depth * columns) * 4);
  } else {
    auto* words = static_cast<uint32_t*>(out);
    for (int64_t k = 0; k < depth; k += 2) {
      const float *low = x + k * columns, *high = low + columns;
      uint32_t* to = words + k / 2 * columns;
      for (int64_t c = 0; c < columns; ++c)
        to[c] = round_to_bf16(low[c]) | static_cast<uint32_t>(round_to_bf16(high[c])) << 16;
    }
  }
}

[[maybe_unused]] void transpose_words(const uint32_t* x, int64_t words, uint32_t* out) {
  // Squares of 16 x 16 words: one cache line of each side at a time.
  for (int64_t key = 0; key < kPanelKeys; key += 16)
    for (int64_t w = 0; w < words; w += 16)
      for (int64_t j = 0; j < 16; ++j)
        for (int64_t i = 0; i < 16; ++i) out[(w + j) * kPanelKeys + key + i] = x[(key + i) * words + w + j];
}

template <class Lanes>
void feature_map(float* x, int64_t rows, int64_t columns, int64_t padded) {
  constexpr int64_t kWidth = Lanes::kWidth;
  const auto scales = Lanes::broadcast(kLog2E);
  for (int64_t r = 0; r < rows; ++r) {
    float* row = x + r * padded;
    for (int64_t c = columns; c < padded; ++c) row[c] = kMinusInfinity;
    auto top = Lanes::load(row);
    for (int64_t c = kWidth; c < padded; c += kWidth) top = Lanes::largest(top, Lanes::load(row + c));
    const auto shift = Lanes::broadcast(Lanes::reduce_largest(top) * -kLog2E);
    auto sum = Lanes::broadcast(0.0f);
    for (int64_t c = 0; c < padded; c += kWidth) {
      const auto p = Lanes::exp2(Lanes::fused(Lanes::load(row + c), scales, shift));
      sum = Lanes::add(sum, p);
      Lanes::store(row + c, p);
    }
    const float inverse = 1.0f / Lanes::reduce_sum(sum);
    for (int64_t c = 0; c < padded; ++c) row[c] *= inverse;
  }
}

[[maybe_unused]] float quantize_block(float* x, const float* shift, int64_t rows, int64_t columns, int64_t padded_rows,
                                      int64_t padded, int32_t offset, int8_t* q) {
  std::memset(q, offset, static_cast<size_t>(padded_rows * padded));
  // The bits of a non-negative float are ordered as the float is, infinities and NaN above all.
  uint32_t top = 0;
  for (int64_t r = 0; r < rows; ++r) {
    float* row = x + r * padded;
    if (shift)
      for (int64_t c = 0; c < columns; ++c) row[c] -= shift[c];
    for (int64_t c = 0; c < columns; ++c) {
      const uint32_t magnitude = float_bits(row[c]) & 0x7fffffffu;
      top = magnitude > top ? magnitude : top;
    }
  }
  if (top >= 0x7f800000u) return __builtin_nanf("");
  const float scale = bits_float(top) / 127.0f + 1e-7f;
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = x + r * padded;
    int8_t* to = q + r * padded;
    for (int64_t c = 0; c < columns; ++c) {
      // 0.5 with the sign of x; x = 0 gives trunc(0.5) = 0 as sign(0) = 0 does.
      const float half = bits_float((float_bits(row[c]) & 0x80000000u) | 0x3f000000u);
      to[c] = static_cast<int8_t>(static_cast<int32_t>(row[c] / scale + half) + offset);
    }
  }
  return scale;
}

// Int8 products share the tile of the float ones; key_offset * sum q is taken off at the end (as a starting value it
// made the compiler spill the sums).
template <class Lanes, int kRows>
void int8_rows(const char* q, int64_t depth, const char* k, int64_t columns, const int32_t* query_sums, float factor,
               float* c, int64_t c_stride) {
  constexpr int kVectors = Lanes::kTileVectors;
  constexpr int64_t kWidth = Lanes::kWidth;
  for (int64_t n = 0; n < columns; n += kVectors * kWidth) {
    typename Lanes::Sum sum[kRows][kVectors];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sum[r][v] = Lanes::zero_sum();
    multiply_tile<Lanes, kRows, kVectors>(q, depth, k + n * 4, columns * 4, depth / 4, sum);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const int32_t offset = Lanes::kKeyOffset * query_sums[r];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v)
        Lanes::store_scaled(c + r * c_stride + n + v * kWidth, sum[r][v], offset, factor);
    }
  }
}

template <class Lanes>
void int8_product(const int8_t* q, int64_t rows, const void* k, int64_t columns, int64_t depth,
                  const int32_t* query_sums, float factor, float* c, int64_t c_stride) {
  constexpr int kRows = Lanes::kTileRows;
  const auto* left = reinterpret_cast<const char*>(q);
  const auto* right = static_cast<const char*>(k);
  int64_t r = 0;
  for (; r + kRows <= rows; r += kRows)
    int8_rows<Lanes, kRows>(left + r * depth, depth, right, columns, query_sums + r, factor, c + r * c_stride,
                            c_stride);
  for (; r < rows; ++r)
    int8_rows<Lanes, 1>(left + r * depth, depth, right, columns, query_sums + r, factor, c + r * c_stride, c_stride);
}

template <class Lanes>
constexpr BlockMath make_block_math() {
  return {Lanes::kWordElements == 2,
          Lanes::kWordElements,
          nullptr,
          nullptr,
          product<Lanes>,
          softmax_step<Lanes>,
          load_rows,
          store_elements<Lanes>,
          pack_right<Lanes>,
          write_rows,
          transpose_words,
          feature_map<Lanes>};
}

template <class Lanes>
constexpr Int8Math make_int8_math() {
  return {Lanes::kKeyOffset, nullptr, nullptr, int8_product<Lanes>, quantize_block};
}

}  // namespace
}  // namespace rushes::attention
