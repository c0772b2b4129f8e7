// The keys' side of SLA's linear branch on tensor cores, in the same pass over k and v as the sums that pooling and the
// quantizers need: phi(k)^T v with phi rounded to bf16 and f32 sums, z as the sum of the same rounded phi; and S W^T,
// so that proj_l is paid once a head instead of once a row.
#include "cuda/launch.h"
#include "ops/attention/attention_sparse_rows_cuda.h"
#include "ops/attention/attention_sparse_stages_cuda.h"

namespace rushes::attention {

using namespace cuda;

namespace {

constexpr int kThreads = 256, kWarps = 8;

// Elements of one key block's tile of bf16, and shared bytes: two stages of k and v, and phi(k).
template <int kSize>
constexpr int kTileBytes = kBlockKeys* kSize * 2;
template <int kSize>
constexpr int kSumShared = 5 * kTileBytes<kSize>;

// One stage: keys, then values, as swizzled rows of bf16. Rows beyond the last token and channels beyond the head are
// zero.
template <int kSize>
RUSHES_DEVICE void load_block(const SparseSizes& sizes, const uint16_t* k, const uint16_t* v, int head, int block,
                              Shared<uint16_t> stage) {
  // A thread's rows are a multiple of 8 apart, so that its place among the swizzled chunks is one for all of them.
  constexpr int kChunks = kSize / 8, kStep = kThreads / kChunks;
  static_assert(kStep % 8 == 0);
  const int row = thread_index() / kChunks, chunk = thread_index() % kChunks, token = block * kBlockKeys + row;
  const int present = chunk * 8 < sizes.head_size ? sizes.length - token : 0;
  const int64_t from = static_cast<int64_t>(token) * sizes.stride + head * sizes.head_size + chunk * 8;
  const int to = tile_chunk<2 * kSize>(row, chunk) * 8;
#pragma unroll
  for (int i = 0; i < kBlockKeys / kStep; ++i) {
    const bool valid = i * kStep < present;
    const int64_t at = valid ? from + static_cast<int64_t>(i * kStep) * sizes.stride : 0;
    copy_async(stage, to + i * kStep * kSize, k + at, valid);
    copy_async(stage, kBlockKeys * kSize + to + i * kStep * kSize, v + at, valid);
  }
}

// Columns 2 pair and 2 pair + 1 of a row of a tile, as one word of two bf16.
template <int kSize>
RUSHES_DEVICE uint32_t word_at(Shared<uint32_t> tile, int row, int pair) {
  return tile[tile_chunk<2 * kSize>(row, pair / 4) * 4 + pair % 4];
}

// phi of the keys' rows: four lanes share a row.
template <int kSize>
RUSHES_DEVICE void feature_tile(const SparseSizes& sizes, Shared<uint16_t> keys, Shared<uint16_t> features, int rows) {
  const int row = thread_index() / 4, part = thread_index() % 4;
  const Shared<Words4> from = keys.template as<Words4>(), to = features.template as<Words4>();
  // The elements stay packed and each power is taken twice: as floats they would not fit beside the products' sums.
  Words4 words[kSize / 32];
  const auto power = [&](int c, int i, float base) {
    const uint32_t word = words[c].word[i / 2];
    const float x = i % 2 ? bf16_high(word) : bf16_low(word);
    return (part + 4 * c) * 8 < sizes.head_size ? exp2_quick(fused(x, kLog2E, base)) : 0.0f;
  };
  float top = bits_float(kMinusInfinityBits);
#pragma unroll
  for (int c = 0; c < kSize / 32; ++c) {
    words[c] = from[tile_chunk<2 * kSize>(row, part + 4 * c)];
    if ((part + 4 * c) * 8 < sizes.head_size)
#pragma unroll
      for (int i = 0; i < 4; ++i) top = larger(top, larger(bf16_low(words[c].word[i]), bf16_high(words[c].word[i])));
  }
  top = larger(top, shuffle_xor(top, 1));
  top = larger(top, shuffle_xor(top, 2));
  const float base = -top * kLog2E;
  float sum = 0.0f;
#pragma unroll
  for (int c = 0; c < kSize / 32; ++c)
#pragma unroll
    for (int i = 0; i < 8; ++i) sum += power(c, i, base);
  sum += shuffle_xor(sum, 1);
  sum += shuffle_xor(sum, 2);
  const float inverse = row < rows ? divide(1.0f, sum) : 0.0f;  // no keys beyond the last token
#pragma unroll
  for (int c = 0; c < kSize / 32; ++c) {
    Words4 out;
#pragma unroll
    for (int i = 0; i < 4; ++i)
      out.word[i] = pack_bf16(power(c, 2 * i, base) * inverse, power(c, 2 * i + 1, base) * inverse);
    to[tile_chunk<2 * kSize>(row, part + 4 * c)] = out;
  }
}

// phi^T v of one block added to a warp's sums: 16 channels of phi x kColumns channels of v.
template <int kSize, int kColumns>
RUSHES_DEVICE void add_products(Shared<uint16_t> features, Shared<uint16_t> values, int first_row, int first_column,
                                float (&sum)[kColumns / 8][4]) {
  const int lane = lane_index(), matrix = lane / 8, row = lane % 8;
#pragma unroll
  for (int key = 0; key < kBlockKeys; key += 16) {
    uint32_t a[4];
    load_matrix_transposed<4>(a, features,
                              tile_chunk<2 * kSize>(key + matrix / 2 * 8 + row, first_row / 8 + matrix % 2) * 8);
#pragma unroll
    for (int j = 0; j < kColumns / 16; ++j) {
      uint32_t b[4];
      load_matrix_transposed<4>(
          b, values, tile_chunk<2 * kSize>(key + matrix % 2 * 8 + row, first_column / 8 + 2 * j + matrix / 2) * 8);
      mma_bf16(sum[2 * j], a, {b[0], b[1]});
      mma_bf16(sum[2 * j + 1], a, {b[2], b[3]});
    }
  }
}

template <int kSize>
RUSHES_KERNEL(kThreads, 2)
sum_keys_kernel(SparseSizes sizes, SparseScratch scratch, const uint16_t* k, const uint16_t* v) {
  constexpr int kTile = kBlockKeys * kSize, kPairs = kSize / 2;
  constexpr int kRowWarps = kSize / 16, kColumns = kSize / (kWarps / kRowWarps);
  const int chunk = block_x(), head = block_y(), thread = thread_index();
  const Shared<uint16_t> features = shared_memory<uint16_t>(0, kTile);
  const auto stage = [](int i) { return shared_memory<uint16_t>(kTileBytes<kSize> * (1 + 2 * (i % 2)), 2 * kTile); };
  const int first = chunk * sizes.chunk_blocks, end = smaller(first + sizes.chunk_blocks, sizes.key_blocks);
  const int first_row = warp_index() % kRowWarps * 16, first_column = warp_index() / kRowWarps * kColumns;

  float sum[kColumns / 8][4] = {};
  // Threads below kPairs sum phi's columns, those of the second half of the block follow the values' range.
  float feature_sum[2] = {}, low[2], high[2];
  low[0] = low[1] = -bits_float(kMinusInfinityBits);
  high[0] = high[1] = bits_float(kMinusInfinityBits);
  load_block<kSize>(sizes, k, v, head, first, stage(0));
  copy_async_commit();
  for (int block = first; block < end; ++block) {
    copy_async_wait<0>();
    sync_block();  // the tile is there, and nobody reads the other stage or phi any more
    if (block + 1 < end) load_block<kSize>(sizes, k, v, head, block + 1, stage(block + 1 - first));
    copy_async_commit();
    const Shared<uint16_t> tile = stage(block - first);
    const int rows = smaller(kBlockKeys, sizes.length - block * kBlockKeys);
    feature_tile<kSize>(sizes, tile, features, rows);
    if (thread < kPairs) {
      // In ascending order and in f32: block_selection.h's sum_rows.
      float low_sum = 0.0f, high_sum = 0.0f;
      const Shared<uint32_t> keys = tile.template as<uint32_t>();
#pragma unroll 4
      for (int row = 0; row < rows; ++row) {
        const uint32_t word = word_at<kSize>(keys, row, thread);
        low_sum = add(low_sum, bf16_low(word));
        high_sum = add(high_sum, bf16_high(word));
      }
      if (2 * thread < sizes.head_size) {
        float* to =
            scratch.block_sums + (static_cast<int64_t>(head) * sizes.key_blocks + block) * sizes.head_size + 2 * thread;
        to[0] = low_sum;
        to[1] = high_sum;
      }
    } else if (scratch.value_range && thread >= kThreads / 2 && thread < kThreads / 2 + kPairs) {
      const Shared<uint32_t> values = tile.part(kTile).template as<uint32_t>();
#pragma unroll 4
      for (int row = 0; row < rows; ++row) {
        const uint32_t word = word_at<kSize>(values, row, thread - kThreads / 2);
        const float x[2] = {bf16_low(word), bf16_high(word)};
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          low[i] = x[i] < low[i] ? x[i] : low[i];
          high[i] = x[i] > high[i] ? x[i] : high[i];
        }
      }
    }
    sync_block();
    add_products<kSize, kColumns>(features, tile.part(kTile), first_row, first_column, sum);
    if (thread < kPairs) {
#pragma unroll 4
      for (int row = 0; row < kBlockKeys; ++row) {
        const uint32_t word = word_at<kSize>(features.template as<uint32_t>(), row, thread);
        feature_sum[0] += bf16_low(word);
        feature_sum[1] += bf16_high(word);
      }
    }
  }

  const int64_t unit = static_cast<int64_t>(head) * sizes.chunks + chunk;
  float* partial = scratch.partial + unit * kSize * kSize;
  const int row = first_row + lane_index() / 4, column = first_column + lane_index() % 4 * 2;
#pragma unroll
  for (int j = 0; j < kColumns / 8; ++j)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const Words2 words{{float_bits(sum[j][2 * half]), float_bits(sum[j][2 * half + 1])}};
      *reinterpret_cast<Words2*>(partial + (row + 8 * half) * kSize + column + 8 * j) = words;
    }
  if (thread < kPairs) {
    scratch.partial_sum[unit * kSize + 2 * thread] = feature_sum[0];
    scratch.partial_sum[unit * kSize + 2 * thread + 1] = feature_sum[1];
  } else if (scratch.value_range && thread >= kThreads / 2 && thread < kThreads / 2 + kPairs) {
    float* range = scratch.value_range + unit * 2 * kSize + 2 * (thread - kThreads / 2);
    for (int i = 0; i < 2; ++i) {
      range[i] = low[i];
      range[kSize + i] = high[i];
    }
  }
}

constexpr int kFoldRows = 16, kFoldColumns = 64, kFoldDepth = 32;

// 16 rows x 64 columns of S W^T: four rows a thread, sums in ascending order of depth.
template <class Element>
RUSHES_KERNEL(kThreads, 2)
fold_projection_kernel(SparseSizes sizes, SparseScratch scratch, const float* weight) {
  const int size = sizes.padded, first_row = block_x() * kFoldRows, first_column = block_y() * kFoldColumns,
            head = block_z(), thread = thread_index();
  const int column = thread % kFoldColumns, group = thread / kFoldColumns;
  const Shared<float> rows = shared_memory<float>(0, kFoldRows * kFoldDepth);
  const Shared<float> weights = shared_memory<float>(4 * kFoldRows * kFoldDepth, kFoldColumns * (kFoldDepth + 1));
  const int64_t square = static_cast<int64_t>(size) * size;
  const float* partial = scratch.partial + head * sizes.chunks * square;
  float sum[4] = {};
  for (int depth = 0; depth < size; depth += kFoldDepth) {
    sync_block();
    for (int unit = thread; unit < kFoldRows * kFoldDepth; unit += kThreads) {
      const float* from = partial + (first_row + unit / kFoldDepth) * size + depth + unit % kFoldDepth;
      float value = from[0];
#pragma unroll 4
      for (int chunk = 1; chunk < sizes.chunks; ++chunk) value = add(value, from[chunk * square]);
      rows[unit] = value;
    }
    for (int unit = thread; unit < kFoldColumns * kFoldDepth; unit += kThreads) {
      const int out = first_column + unit / kFoldDepth, in = depth + unit % kFoldDepth;
      weights[unit / kFoldDepth * (kFoldDepth + 1) + unit % kFoldDepth] =
          out < sizes.head_size && in < sizes.head_size ? weight[out * sizes.head_size + in] : 0.0f;
    }
    sync_block();
#pragma unroll 4
    for (int in = 0; in < kFoldDepth; ++in) {
      const float right = weights[column * (kFoldDepth + 1) + in];
#pragma unroll
      for (int r = 0; r < 4; ++r) sum[r] = fused(rows[(group * 4 + r) * kFoldDepth + in], right, sum[r]);
    }
  }
  for (int r = 0; r < 4; ++r) {
    const int64_t to = head * square + (first_row + group * 4 + r) * size + first_column + column;
    if constexpr (sizeof(Element) == 2)
      static_cast<uint16_t*>(scratch.state)[to] = to_bf16(sum[r]);
    else
      static_cast<float*>(scratch.state)[to] = sum[r];
  }
}

}  // namespace

void sum_keys(StreamHandle stream, const SparseSizes& sizes, const SparseScratch& scratch, const void* k,
              const void* v) {
  const auto start = [&](auto kernel, int bytes) {
    launch(stream, "sla_sum_keys", kernel, Grid{sizes.chunks, sizes.heads, 1}, kThreads, bytes, sizes, scratch,
           static_cast<const uint16_t*>(k), static_cast<const uint16_t*>(v));
  };
  if (sizes.padded == 128)
    start(sum_keys_kernel<128>, kSumShared<128>);
  else
    start(sum_keys_kernel<64>, kSumShared<64>);
}

void fold_projection(StreamHandle stream, const SparseSizes& sizes, const SparseScratch& scratch, const float* weight,
                     bool bf16) {
  const Grid grid{sizes.padded / kFoldRows, sizes.padded / kFoldColumns, sizes.heads};
  constexpr int kBytes = 4 * (kFoldRows * kFoldDepth + kFoldColumns * (kFoldDepth + 1));
  const auto start = [&](auto kernel) {
    launch(stream, "sla_fold_projection", kernel, grid, kThreads, kBytes, sizes, scratch, weight);
  };
  if (bf16)
    start(fold_projection_kernel<uint16_t>);
  else
    start(fold_projection_kernel<float>);
}

}  // namespace rushes::attention
