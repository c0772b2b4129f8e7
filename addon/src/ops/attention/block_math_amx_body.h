// Products for AMX over Tiles that gives the few tile instructions: the real ones, or a plain C++ model of them where
// the machine lacks them. Tiles: enter() and leave() set and drop the shape of all eight tiles, 16 rows of 64 bytes;
// template <int> zero(), load(from, stride), store(to, stride); template <int, int, int> dot_bf16() and dot_int8()
// (sums, rows, columns).
//
// A block is 32 rows x 32 columns: tiles 0-3 hold its sums (row half * 2 + column half), 4-5 the rows, 6-7 the columns.
// Both operands are already in the form the tiles want (block_math.h).
#pragma once
#include "ops/attention/block_math_kernels.h"

namespace rushes::attention {
namespace {

constexpr int64_t kTileWords = 16;  // words of a tile's row
constexpr int64_t kTileBlock = 32;  // rows and columns of a block of sums
static_assert(kRowStep % kTileBlock == 0 && kColumnStep % kTileBlock == 0 && kColumnStep % (4 * kTileWords) == 0);

template <class Tiles>
inline void zero_block() {
  Tiles::template zero<0>();
  Tiles::template zero<1>();
  Tiles::template zero<2>();
  Tiles::template zero<3>();
}

template <class Tiles>
inline void load_block(const char* from, int64_t stride) {
  Tiles::template load<0>(from, stride);
  Tiles::template load<1>(from + 64, stride);
  Tiles::template load<2>(from + 16 * stride, stride);
  Tiles::template load<3>(from + 16 * stride + 64, stride);
}

template <class Tiles>
inline void store_block(char* to, int64_t stride) {
  Tiles::template store<0>(to, stride);
  Tiles::template store<1>(to + 64, stride);
  Tiles::template store<2>(to + 16 * stride, stride);
  Tiles::template store<3>(to + 16 * stride + 64, stride);
}

/// Adds A [32 rows, words] B [words, 32 columns] to the sums; b_stride bytes from one word of depth to the next.
template <class Tiles, bool kInt8>
inline void multiply_block(const char* a, int64_t a_stride, const char* b, int64_t b_stride, int64_t words) {
  for (int64_t w = 0; w < words; w += kTileWords) {
    Tiles::template load<4>(a + 4 * w, a_stride);
    Tiles::template load<6>(b + w * b_stride, b_stride);
    Tiles::template load<7>(b + w * b_stride + 64, b_stride);
    Tiles::template load<5>(a + 4 * w + 16 * a_stride, a_stride);
    if constexpr (kInt8) {
      Tiles::template dot_int8<0, 4, 6>();
      Tiles::template dot_int8<1, 4, 7>();
      Tiles::template dot_int8<2, 5, 6>();
      Tiles::template dot_int8<3, 5, 7>();
    } else {
      Tiles::template dot_bf16<0, 4, 6>();
      Tiles::template dot_bf16<1, 4, 7>();
      Tiles::template dot_bf16<2, 5, 6>();
      Tiles::template dot_bf16<3, 5, 7>();
    }
  }
}

/// BlockMath::product in bf16.
template <class Tiles>
void amx_product(const void* a, int64_t a_stride, int64_t rows, const void* const* panels, int64_t panel_count,
                 int64_t columns, int64_t depth, Update update, const float* row_factor, float* c, int64_t c_stride) {
  const int64_t words = depth / 2;
  for (int64_t r = 0; r < rows; r += kTileBlock) {
    if (update == Update::rescale_and_add)
      for (int64_t i = r; i < r + kTileBlock && i < rows; ++i)
        for (int64_t n = 0; n < columns; ++n) c[i * c_stride + n] *= row_factor[i];
    for (int64_t n = 0; n < columns; n += kTileBlock) {
      auto* sums = reinterpret_cast<char*>(c + r * c_stride + n);
      if (update == Update::replace)
        zero_block<Tiles>();
      else
        load_block<Tiles>(sums, c_stride * 4);
      for (int64_t p = 0; p < panel_count; ++p)
        multiply_block<Tiles, false>(static_cast<const char*>(a) + r * a_stride + p * words * 4, a_stride,
                                     static_cast<const char*>(panels[p]) + n * 4, columns * 4, words);
      store_block<Tiles>(sums, c_stride * 4);
    }
  }
}

/// Int8Math::product; both sides signed.
template <class Tiles>
void amx_int8_product(const int8_t* q, int64_t rows, const void* k, int64_t columns, int64_t depth, const int32_t*,
                      float factor, float* c, int64_t c_stride) {
  alignas(64) int32_t sums[kTileBlock * kTileBlock];
  for (int64_t r = 0; r < rows; r += kTileBlock)
    for (int64_t n = 0; n < columns; n += kTileBlock) {
      zero_block<Tiles>();
      multiply_block<Tiles, true>(reinterpret_cast<const char*>(q) + r * depth, depth,
                                  static_cast<const char*>(k) + n * 4, columns * 4, depth / 4);
      store_block<Tiles>(reinterpret_cast<char*>(sums), kTileBlock * 4);
      for (int64_t i = 0; i < kTileBlock; ++i)
        for (int64_t j = 0; j < kTileBlock; ++j)
          c[(r + i) * c_stride + n + j] = static_cast<float>(sums[i * kTileBlock + j]) * factor;
    }
}

/// The block operations of `Lanes` (bf16 elements) with products in tiles.
template <class Tiles, class Lanes>
constexpr BlockMath make_amx_math() {
  static_assert(Lanes::kWordElements == 2);
  BlockMath math = make_block_math<Lanes>();
  math.enter = Tiles::enter;
  math.leave = Tiles::leave;
  math.product = amx_product<Tiles>;
  return math;
}

template <class Tiles>
constexpr Int8Math make_amx_int8_math() {
  return {0, Tiles::enter, Tiles::leave, amx_int8_product<Tiles>, quantize_block};
}

}  // namespace
}  // namespace rushes::attention
