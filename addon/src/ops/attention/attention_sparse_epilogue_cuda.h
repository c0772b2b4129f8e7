// The end of the sparse attention kernels on tensor cores: one warp's rows of the sparse branch, in registers, get the
// linear branch added, phi(q) / (1e-5 + phi(q) z) times S W^T as bf16 products plus proj_l's bias, and are written.
// Fragments and tiles as in attention_tile_cuda.h.
#pragma once
#include "ops/attention/attention_sparse_rows_cuda.h"
#include "ops/attention/attention_sparse_stages_cuda.h"
#include "ops/attention/attention_tile_cuda.h"

namespace rushes::attention {

constexpr int kStateColumns = 64;  // of S W^T that lie in shared memory at once

/// What the epilogue writes through, at the first row of the query block and the first channel of the head.
struct EpilogueRows {
  int64_t offset;  // elements, the same for out and the parts
  int rows;        // of the query block
};

/// phi(q) / (1e-5 + phi(q) z) of this warp's rows first.. of the query block, as bf16 into `features`. Four lanes share
/// a row; `load(row, chunk)` gives eight bf16 of q, and may read the very place that is written.
template <int kSize, int kRowTiles, class Load>
RUSHES_DEVICE void query_features(const Load& load, cuda::Shared<uint16_t> features, const float* z, int head_size,
                                  int first) {
  using namespace cuda;
  const int part = lane_index() % 4;
  const Shared<Words4> to = features.template as<Words4>();
#pragma unroll 1
  for (int row = first + lane_index() / 4; row < first + kRowTiles * 16; row += 8) {
    float x[kSize / 4];
    float top = bits_float(kMinusInfinityBits);
#pragma unroll
    for (int c = 0; c < kSize / 32; ++c) {
      const int chunk = part + 4 * c;
      const Words4 words = load(row, chunk);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const uint32_t word = words.word[i / 2];
        x[8 * c + i] =
            chunk * 8 < head_size ? (i % 2 ? bf16_high(word) : bf16_low(word)) : bits_float(kMinusInfinityBits);
        top = larger(top, x[8 * c + i]);
      }
    }
    top = larger(top, shuffle_xor(top, 1));
    top = larger(top, shuffle_xor(top, 2));
    float sum = 0.0f, product = 0.0f;
#pragma unroll
    for (int c = 0; c < kSize / 32; ++c) {
      float weights[8];
      load_eight(z + (part + 4 * c) * 8, weights);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const float power = exp2_quick((x[8 * c + i] - top) * attention::kLog2E);
        x[8 * c + i] = power;
        sum += power;
        product = fused(power, weights[i], product);
      }
    }
    sum += shuffle_xor(sum, 1);
    sum += shuffle_xor(sum, 2);
    product += shuffle_xor(product, 1);
    product += shuffle_xor(product, 2);
    // power / sum / (1e-5 + product / sum)
    const float inverse = divide(1.0f, fused(1e-5f, sum, product));
#pragma unroll
    for (int c = 0; c < kSize / 32; ++c) {
      Words4 words;
#pragma unroll
      for (int i = 0; i < 4; ++i) words.word[i] = pack_bf16(x[8 * c + 2 * i] * inverse, x[8 * c + 2 * i + 1] * inverse);
      to[panel_offset<kBlockQueries>(row, part + 4 * c) / 8] = words;
    }
  }
}

/// Two neighbouring f32 of a part.
RUSHES_DEVICE void store_part(float* part, int64_t at, float first, float second) {
  *reinterpret_cast<cuda::Words2*>(part + at) = {{cuda::float_bits(first), cuda::float_bits(second)}};
}

/// The rest: `o` holds the finished sparse branch. `features` holds query_features of all rows that this warp owns;
/// `state_tile` has room for kSize x kStateColumns bf16 and is read by nobody once all warps are here.
template <int kSize, int kRowTiles, int kThreads>
RUSHES_DEVICE void add_linear_branch(const SparseSizes& sizes, const uint16_t* state, const SparseOutput& output,
                                     const EpilogueRows& place, cuda::Shared<uint16_t> features,
                                     cuda::Shared<uint16_t> state_tile, int first,
                                     float (&o)[kRowTiles][kSize / 8][4]) {
  using namespace cuda;
  const int group = lane_index() / 4, pair = lane_index() % 4 * 2;
  const TileLoad<kSize, kStateColumns, kThreads> load(kSize, kStateColumns);
#pragma unroll
  for (int pass = 0; pass < kSize / kStateColumns; ++pass) {
    sync_block();
    load.start(state_tile, state + pass * kStateColumns, kSize);
    copy_async_commit();
    copy_async_wait<0>();
    sync_block();
#pragma unroll
    for (int half = 0; half < kStateColumns / 32; ++half) {
      float linear[kRowTiles][4][4];
      clear(linear);
#pragma unroll
      for (int step = 0; step < kSize / 16; ++step) {
        uint32_t a[kRowTiles][4];
#pragma unroll
        for (int m = 0; m < kRowTiles; ++m) query_fragments<kBlockQueries>(a[m], features, first + 16 * m, step);
#pragma unroll
        for (int two = 0; two < 2; ++two) {
          uint32_t b[4];
          value_fragments<kSize>(b, state_tile, 16 * step, 2 * half + two);
#pragma unroll
          for (int m = 0; m < kRowTiles; ++m) mma_pair(linear[m][2 * two], linear[m][2 * two + 1], a[m], b);
        }
      }
#pragma unroll
      for (int n = 0; n < 4; ++n) {
        const int tile = pass * (kStateColumns / 8) + half * 4 + n, channel = tile * 8 + pair;
        if (tile * 8 >= sizes.head_size) continue;
        const float bias[2] = {output.bias[channel], output.bias[channel + 1]};
#pragma unroll
        for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
          for (int low = 0; low < 2; ++low) {
            float(&to)[4] = o[m][tile];
            const int row = first + 16 * m + 8 * low + group;
            const float added[2] = {linear[m][n][2 * low] + bias[0], linear[m][n][2 * low + 1] + bias[1]};
            const int64_t at = place.offset + static_cast<int64_t>(row) * sizes.stride + channel;
            if (output.sparse && row < place.rows) store_part(output.sparse, at, to[2 * low], to[2 * low + 1]);
            if (output.linear && row < place.rows) store_part(output.linear, at, added[0], added[1]);
            to[2 * low] += added[0];
            to[2 * low + 1] += added[1];
          }
      }
    }
  }
  float ones[kRowTiles][2];
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m) ones[m][0] = ones[m][1] = 1.0f;
  const int64_t at = place.offset + static_cast<int64_t>(first) * sizes.stride;
  if (output.bf16)
    store_rows_bf16<kBlockQueries>(o, ones, features, first, static_cast<uint16_t*>(output.out) + at, sizes.stride,
                                   place.rows - first, sizes.head_size);
  else
    store_rows_f32(o, ones, static_cast<float*>(output.out) + at, sizes.stride, place.rows - first, sizes.head_size);
}

}  // namespace rushes::attention
