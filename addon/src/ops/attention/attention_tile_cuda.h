// What the attention kernels for bf16 share on a GPU: tiles in shared memory, their matrix fragments, the two products,
// the online softmax and the way out. Written for one warp that owns kRowTiles x 16 query rows, from dense and sparse
// attention:
//   panel_offset           where 8 columns of a row lie: tiles are panels of 64 columns, rows of 128 bytes whose
//   16-byte pieces
//                          are exchanged by (row & 7), so that neither copies nor ldmatrix meet in a bank (the layout
//                          that wgmma calls the 128-byte swizzle)
//   TileLoad               cp.async of rows x columns from global memory into such a tile; zeros beyond the edges
//   query_fragments        the 16-row operand of the next 16 columns (ldmatrix)
//   add_scores             S += Q K^T for all keys of a tile, queries in registers or in shared memory
//   mask_keys, add_relative_bias
//                          keys beyond the end, and umT5's bias by distance
//   SoftmaxRows, softmax_step, finish_rows
//                          one step of the online softmax (Milakov and Gimelshein 2018, "Online normalizer calculation
//                          for softmax"): S becomes exp2(factor * (S - max)), the output is rescaled only where the
//                          maximum moved
//   add_values             O += P V, with P made of S in registers and V read by transposing ldmatrix
//   store_rows             O / sum as bf16 (through shared memory, 16 bytes a store) or f32
// Fragments, with g = lane / 4 and t = lane % 4: S[m][n] and O[m][n] hold rows 16m + g (elements 0, 1) and 16m + g + 8
// (elements 2, 3) of the warp's rows, columns 8n + 2t and the next. Included by .cu files only.
#pragma once
#include <cmath>

#include "cuda/device.h"

namespace rushes::cuda {

constexpr int kPanelColumns = 64;
constexpr float kLog2E = 1.44269504088896341f;

/// Elements from the start of a tile of kRows rows to the 8 columns from 8 * `piece` on of `row`.
template <int kRows>
RUSHES_DEVICE int panel_offset(int row, int piece) {
  return (piece >> 3) * (kRows * kPanelColumns) + row * kPanelColumns + (((piece & 7) ^ (row & 7)) << 3);
}

/// Elements of a tile.
template <int kRows, int kColumns>
constexpr int kTileElements = kRows* kColumns;

/// Copies of a block's threads into tiles of kRows x kColumns (a multiple of 64); one per thread, made once, reused for
/// every tile.
template <int kRows, int kColumns, int kThreads>
class TileLoad {
  static constexpr int kPieces = kColumns / 8, kStep = kThreads / kPieces, kCopies = kRows / kStep;
  static_assert(kColumns % kPanelColumns == 0 && kThreads % kPieces == 0 && kStep % 8 == 0 && kRows % kStep == 0);

 public:
  /// `columns`: how many of kColumns exist (a multiple of 8); `stride`: elements from row to row of the matrix.
  RUSHES_DEVICE TileLoad(int stride, int columns)
      : shared_(panel_offset<kRows>(thread_index() / kPieces, thread_index() % kPieces)),
        row_(thread_index() % kPieces * 8 < columns ? thread_index() / kPieces : kRows),
        from_(thread_index() / kPieces * stride + thread_index() % kPieces * 8),
        stride_(stride) {}

  /// Starts the copies of `rows` rows (more than kRows counts as kRows) from `from`, the first row's first column.
  RUSHES_DEVICE void start(Shared<uint16_t> tile, const uint16_t* from, int rows) const {
    const int present = rows < kRows ? rows : kRows;
#pragma unroll
    for (int i = 0; i < kCopies; ++i) {
      const bool valid = row_ + i * kStep < present;
      // A row that is not there is not pointed at either.
      copy_async(tile, shared_ + i * kStep * kPanelColumns, valid ? from + (from_ + i * kStep * stride_) : from, valid);
    }
  }

 private:
  int shared_, row_, from_, stride_;  // row_ is kRows where the column does not exist
};

/// Where this lane's row of 16 bytes lies for ldmatrix of a 16 x 16 operand: of queries and values, and of keys (whose
/// pairs of 8 x 8 matrices go the other way). An operand at a row that is a multiple of 16 and at piece 2 * step is
/// found by one exclusive or.
RUSHES_DEVICE int operand_lane() {
  const int lane = lane_index();
  return (lane & 15) * kPanelColumns + (((lane >> 4) ^ (lane & 7)) << 3);
}
RUSHES_DEVICE int key_operand_lane() {
  const int lane = lane_index();
  return ((lane & 7) + ((lane >> 4) << 3)) * kPanelColumns + ((((lane >> 3) & 1) ^ (lane & 7)) << 3);
}
template <int kRows>
RUSHES_DEVICE int operand_offset(int lane_offset, int row, int step) {
  return (lane_offset ^ ((step & 3) << 4)) + (step >> 2) * (kRows * kPanelColumns) + row * kPanelColumns;
}

/// The 16 x 16 operand of rows row.. (a multiple of 16) and columns 16 * step.. of a tile of kRows rows.
template <int kRows>
RUSHES_DEVICE void query_fragments(uint32_t (&out)[4], Shared<uint16_t> tile, int row, int step) {
  load_matrix<4>(out, tile, operand_offset<kRows>(operand_lane(), row, step));
}

/// Operands of two products: columns 16 * step.. of the 16 keys from key.. on: out[0..1] for the first 8 keys, then the
/// others.
template <int kKeys>
RUSHES_DEVICE void key_fragments(uint32_t (&out)[4], Shared<uint16_t> keys, int key, int step) {
  load_matrix<4>(out, keys, operand_offset<kKeys>(key_operand_lane(), key, step));
}

/// Operands of two products: the 16 keys from key.. on, columns 16 * pair..: out[0..1] for the first 8 columns, then
/// the others.
template <int kKeys>
RUSHES_DEVICE void value_fragments(uint32_t (&out)[4], Shared<uint16_t> values, int key, int pair) {
  load_matrix_transposed<4>(out, values, operand_offset<kKeys>(operand_lane(), key, pair));
}

/// d[0] += a b[0..1], d[1] += a b[2..3].
RUSHES_DEVICE void mma_pair(float (&first)[4], float (&second)[4], const uint32_t (&a)[4], const uint32_t (&b)[4]) {
  const uint32_t low[2] = {b[0], b[1]}, high[2] = {b[2], b[3]};
  mma_bf16(first, a, low);
  mma_bf16(second, a, high);
}

template <int kRowTiles, int kTiles>
RUSHES_DEVICE void clear(float (&sums)[kRowTiles][kTiles][4]) {
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int n = 0; n < kTiles; ++n)
#pragma unroll
      for (int e = 0; e < 4; ++e) sums[m][n][e] = 0;
}

/// S += Q K^T over columns 16 * kSteps of a tile of kKeys keys. `query(a, m, step)` fills the fragments of row tile m.
template <int kRowTiles, int kKeys, int kSteps, class Query>
RUSHES_DEVICE void add_scores(float (&s)[kRowTiles][kKeys / 8][4], const Query& query, Shared<uint16_t> keys) {
#pragma unroll
  for (int step = 0; step < kSteps; ++step) {
    uint32_t a[kRowTiles][4];
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m) query(a[m], m, step);
#pragma unroll
    for (int key = 0; key < kKeys; key += 16) {
      uint32_t b[4];
      key_fragments<kKeys>(b, keys, key, step);
#pragma unroll
      for (int m = 0; m < kRowTiles; ++m) mma_pair(s[m][key / 8], s[m][key / 8 + 1], a[m], b);
    }
  }
}

/// Scores of keys from `keys` on become minus infinity: the last tile of a sequence.
template <int kRowTiles, int kKeyTiles>
RUSHES_DEVICE void mask_keys(float (&s)[kRowTiles][kKeyTiles][4], int keys) {
  const int first = (lane_index() & 3) * 2;
#pragma unroll
  for (int n = 0; n < kKeyTiles; ++n)
#pragma unroll
    for (int e = 0; e < 2; ++e)
      if (n * 8 + first + e >= keys)
#pragma unroll
        for (int m = 0; m < kRowTiles; ++m) s[m][n][e] = s[m][n][e + 2] = -INFINITY;
}

/// s = factor * s + log2(e) * bias, so that the softmax needs no factor any more. `bias` is the head's row of [queries
/// + keys - 1], the value for (i, j) at j - i + queries - 1; `row` is the first query of the warp, `key` the first key
/// of S. What lies outside is read at the edge, and masked or dropped afterwards.
template <int kRowTiles, int kKeyTiles>
RUSHES_DEVICE void add_relative_bias(float (&s)[kRowTiles][kKeyTiles][4], float factor, const float* bias, int queries,
                                     int keys, int row, int key) {
  const int g = lane_index() >> 2, t = lane_index() & 3, last = queries + keys - 2;
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int n = 0; n < kKeyTiles; ++n)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int i = row + m * 16 + (e >> 1) * 8 + g, j = key + n * 8 + 2 * t + (e & 1);
        const int index = j - i + queries - 1;
        s[m][n][e] = fused(s[m][n][e], factor, bias[index < 0 ? 0 : index > last ? last : index] * kLog2E);
      }
}

/// What the online softmax keeps of a warp's rows; [m][0] is row 16m + g, [m][1] row 16m + g + 8. Sums are this lane's
/// share.
template <int kRowTiles>
struct SoftmaxRows {
  float maximum[kRowTiles][2], sum[kRowTiles][2];
  RUSHES_DEVICE SoftmaxRows() {
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        maximum[m][half] = -INFINITY;
        sum[m][half] = 0;
      }
  }
};

/// The largest of the four lanes that share a row.
RUSHES_DEVICE float row_maximum(float value) {
  value = fmaxf(value, shuffle_xor(value, 1));
  return fmaxf(value, shuffle_xor(value, 2));
}
RUSHES_DEVICE float row_sum(float value) {
  value += shuffle_xor(value, 1);
  return value + shuffle_xor(value, 2);
}

/// Takes the scores of one tile of keys into the softmax. `factor` (> 0) turns a score into a power of two: scale *
/// log2(e). After it S holds exp2(factor * (score - maximum)), and O and the sums so far are relative to the new
/// maximum. Every row needs one finite score at least. Where no row of the warp has a new maximum the factors would all
/// be 1: nothing is multiplied.
template <int kRowTiles, int kKeyTiles, int kColumnTiles>
RUSHES_DEVICE void softmax_step(float (&s)[kRowTiles][kKeyTiles][4], float factor, SoftmaxRows<kRowTiles>& rows,
                                float (&o)[kRowTiles][kColumnTiles][4]) {
  float top[kRowTiles][2];
  bool moved = false;
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float most = fmaxf(s[m][0][2 * half], s[m][0][2 * half + 1]);
#pragma unroll
      for (int n = 1; n < kKeyTiles; ++n) most = fmaxf(most, fmaxf(s[m][n][2 * half], s[m][n][2 * half + 1]));
      top[m][half] = fmaxf(row_maximum(most), rows.maximum[m][half]);
      moved = moved || top[m][half] != rows.maximum[m][half];
    }
  if (warp_ballot(moved)) {
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const float smaller = exp2_quick((rows.maximum[m][half] - top[m][half]) * factor);
        rows.maximum[m][half] = top[m][half];
        rows.sum[m][half] *= smaller;
#pragma unroll
        for (int n = 0; n < kColumnTiles; ++n) {
          o[m][n][2 * half] *= smaller;
          o[m][n][2 * half + 1] *= smaller;
        }
      }
  }
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float base = -rows.maximum[m][half] * factor;
#pragma unroll
      for (int n = 0; n < kKeyTiles; ++n)
#pragma unroll
        for (int e = 2 * half; e < 2 * half + 2; ++e) {
          s[m][n][e] = exp2_quick(fused(s[m][n][e], factor, base));
          rows.sum[m][half] += s[m][n][e];
        }
    }
}

/// O += P V for a tile of kKeys keys; S holds P after softmax_step and is rounded to bf16 here.
template <int kRowTiles, int kKeys, int kColumnTiles>
RUSHES_DEVICE void add_values(float (&o)[kRowTiles][kColumnTiles][4], const float (&p)[kRowTiles][kKeys / 8][4],
                              Shared<uint16_t> values) {
#pragma unroll
  for (int key = 0; key < kKeys; key += 16) {
    uint32_t a[kRowTiles][4];
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const float(&from)[4] = p[m][key / 8 + half];
        a[m][2 * half] = pack_bf16(from[0], from[1]);
        a[m][2 * half + 1] = pack_bf16(from[2], from[3]);
      }
#pragma unroll
    for (int pair = 0; pair < kColumnTiles / 2; ++pair) {
      uint32_t b[4];
      value_fragments<kKeys>(b, values, key, pair);
#pragma unroll
      for (int m = 0; m < kRowTiles; ++m) mma_pair(o[m][2 * pair], o[m][2 * pair + 1], a[m], b);
    }
  }
}

/// 1 / sum over all keys, in every lane of the row.
template <int kRowTiles>
RUSHES_DEVICE void finish_rows(SoftmaxRows<kRowTiles>& rows) {
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half) rows.sum[m][half] = divide(1.0f, row_sum(rows.sum[m][half]));
}

/// out[row][column] = O * scale[row] for the warp's rows below `rows` and columns below `columns` (a multiple of 8);
/// f32.
template <int kRowTiles, int kColumnTiles>
RUSHES_DEVICE void store_rows_f32(const float (&o)[kRowTiles][kColumnTiles][4], const float (&scale)[kRowTiles][2],
                                  float* out, int64_t stride, int rows, int columns) {
  const int g = lane_index() >> 2, t = lane_index() & 3;
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = m * 16 + half * 8 + g;
      if (row >= rows) continue;
#pragma unroll
      for (int n = 0; n < kColumnTiles; ++n)
        if (n * 8 < columns) {
          const Words2 pair = {
              {float_bits(o[m][n][2 * half] * scale[m][half]), float_bits(o[m][n][2 * half + 1] * scale[m][half])}};
          *reinterpret_cast<Words2*>(out + row * stride + n * 8 + 2 * t) = pair;
        }
    }
}

/// The same as bf16. `stage` is a tile of kRows rows in which the rows first.. belong to this warp alone, which nobody
/// reads any more (that of the queries): the fragments become 16-byte pieces there.
template <int kRows, int kRowTiles, int kColumnTiles>
RUSHES_DEVICE void store_rows_bf16(const float (&o)[kRowTiles][kColumnTiles][4], const float (&scale)[kRowTiles][2],
                                   Shared<uint16_t> stage, int first, uint16_t* out, int64_t stride, int rows,
                                   int columns) {
  const int g = lane_index() >> 2, t = lane_index() & 3;
  sync_warp();
  const Shared<uint32_t> pairs = stage.template as<uint32_t>();
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half)
#pragma unroll
      for (int n = 0; n < kColumnTiles; ++n)
        pairs[panel_offset<kRows>(first + m * 16 + half * 8 + g, n) / 2 + t] =
            pack_bf16(o[m][n][2 * half] * scale[m][half], o[m][n][2 * half + 1] * scale[m][half]);
  sync_warp();
  const Shared<Words4> pieces = stage.template as<Words4>();
  constexpr int kStep = 32 / kColumnTiles;  // rows that a warp writes at once
  const int piece = lane_index() % kColumnTiles;
#pragma unroll
  for (int row = lane_index() / kColumnTiles; row < kRowTiles * 16; row += kStep)
    if (row < rows && piece * 8 < columns)
      *reinterpret_cast<Words4*>(out + row * stride + piece * 8) = pieces[panel_offset<kRows>(first + row, piece) / 8];
}

}  // namespace rushes::cuda
