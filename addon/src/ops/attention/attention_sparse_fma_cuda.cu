// Sparse attention by f32 multiply-adds: for f32 input, whose results hold the tolerances of f32, and for heads above
// 128 channels. Plain tiles of 64 x 64; any head size up to 512. int8 scores are sums of whole numbers below 2^24,
// exact in f32.
#include "cuda/launch.h"
#include "ops/attention/attention_sparse_rows_cuda.h"
#include "ops/attention/attention_sparse_stages_cuda.h"

namespace rushes::attention {

using namespace cuda;

namespace {

constexpr int kThreads = 256, kWarps = 8;
constexpr int kTile = 64;                                                       // rows, keys and channels of a tile
constexpr int kDepth = 32, kDepthStride = kDepth + 1, kTileStride = kTile + 1;  // odd: no two rows in one bank

// A row's phi as two numbers: phi = exp2(x log2 e - first) * second. One warp a row.
template <class Element>
RUSHES_KERNEL(kThreads, 2)
feature_rows_kernel(SparseSizes sizes, const Element* x, const float* feature_sum, float* out) {
  const int row = block_x() * kWarps + warp_index(), head = block_y();
  if (row >= sizes.length) return;
  const Element* from = x + static_cast<int64_t>(row) * sizes.stride + head * sizes.head_size;
  float top = bits_float(kMinusInfinityBits);
  for (int d = lane_index(); d < sizes.head_size; d += 32) top = larger(top, load_one(from + d));
  const float base = warp_largest(top) * kLog2E;
  float sum = 0.0f, product = 0.0f;
  for (int d = lane_index(); d < sizes.head_size; d += 32) {
    const float power = exp2_quick(fused(load_one(from + d), kLog2E, -base));
    sum += power;
    if (feature_sum) product = fused(power, feature_sum[head * sizes.padded + d], product);
  }
  sum = warp_sum(sum);
  product = warp_sum(product);
  if (lane_index() != 0) return;
  float* to = out + (static_cast<int64_t>(head) * sizes.length + row) * 2;
  to[0] = base;
  to[1] = divide(1.0f, feature_sum ? fused(1e-5f, sum, product) : sum);
}

// Threads form 16 x 16: `ty` owns rows 4 ty.., `tx` columns tx, tx + 16, ...: neighbours read neighbouring banks.
RUSHES_DEVICE int thread_column() { return thread_index() % 16; }
RUSHES_DEVICE int thread_row() { return thread_index() / 16 * 4; }

// 64 x 64 of phi(k)^T v over one chunk; the tiles of the first column also sum phi(k) and the raw keys.
template <class Element>
RUSHES_KERNEL(kThreads, 2)
sum_keys_fma_kernel(SparseSizes sizes, SparseScratch scratch, const Element* k, const Element* v) {
  const int chunk = block_x(), head = block_y(), tiles = sizes.padded / kTile;
  const int first_row = block_z() / tiles * kTile, first_column = block_z() % tiles * kTile, thread = thread_index();
  const bool sums = first_column == 0;
  const Shared<float> keys = shared_memory<float>(0, kTile * kTileStride);
  const Shared<float> values = shared_memory<float>(4 * kTile * kTileStride, kTile * kTileStride);
  const int first = chunk * sizes.chunk_blocks, end = smaller(first + sizes.chunk_blocks, sizes.key_blocks);
  float sum[4][4] = {}, feature_sum = 0.0f;
  for (int block = first; block < end; ++block) {
    const int token = block * kBlockKeys, rows = smaller(kBlockKeys, sizes.length - token);
    sync_block();
    for (int unit = thread; unit < kTile * kTile; unit += kThreads) {
      const int row = unit / kTile, channel = unit % kTile;
      const int64_t at = static_cast<int64_t>(token + row) * sizes.stride + head * sizes.head_size;
      const bool is_key = row < rows && first_row + channel < sizes.head_size;
      const bool is_value = row < rows && first_column + channel < sizes.head_size;
      keys[row * kTileStride + channel] = is_key ? load_one(k + at + first_row + channel) : 0.0f;
      values[row * kTileStride + channel] = is_value ? load_one(v + at + first_column + channel) : 0.0f;
    }
    sync_block();
    if (sums && thread < kTile && first_row + thread < sizes.head_size) {
      float total = 0.0f;  // block_selection.h's sum_rows
      for (int row = 0; row < rows; ++row) total = add(total, keys[row * kTileStride + thread]);
      scratch
          .block_sums[(static_cast<int64_t>(head) * sizes.key_blocks + block) * sizes.head_size + first_row + thread] =
          total;
    }
    sync_block();
    const float* features = scratch.key_rows + (static_cast<int64_t>(head) * sizes.length + token) * 2;
    for (int unit = thread; unit < rows * kTile; unit += kThreads) {
      const int row = unit / kTile, channel = unit % kTile;
      if (first_row + channel >= sizes.head_size) continue;
      const float x = keys[row * kTileStride + channel];
      keys[row * kTileStride + channel] = exp2_quick(fused(x, kLog2E, -features[2 * row])) * features[2 * row + 1];
    }
    sync_block();
    for (int row = 0; row < rows; ++row) {
      float left[4], right[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        left[i] = keys[row * kTileStride + thread_row() + i];
        right[i] = values[row * kTileStride + thread_column() + 16 * i];
      }
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) sum[i][j] = fused(left[i], right[j], sum[i][j]);
    }
    if (sums && thread < kTile)
      for (int row = 0; row < rows; ++row) feature_sum += keys[row * kTileStride + thread];
  }
  const int64_t unit = static_cast<int64_t>(head) * sizes.chunks + chunk;
  float* partial = scratch.partial + unit * sizes.padded * sizes.padded;
#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j)
      partial[(first_row + thread_row() + i) * sizes.padded + first_column + thread_column() + 16 * j] = sum[i][j];
  if (sums && thread < kTile) scratch.partial_sum[unit * sizes.padded + first_row + thread] = feature_sum;
}

// Adds the products of 64 x 64 over the channels below depth_end; `left(row, column)` and `right(row, column)` give
// elements, zero beyond the edges. Sums s[i][j] are for row thread_row() + i and right row thread_column() + 16 j.
template <class Left, class Right>
RUSHES_DEVICE void add_products(float (&s)[4][4], int depth_end, Shared<float> left_tile, Shared<float> right_tile,
                                const Left& left, const Right& right) {
  for (int depth = 0; depth < depth_end; depth += kDepth) {
    sync_block();
    for (int unit = thread_index(); unit < kTile * kDepth; unit += kThreads) {
      const int row = unit / kDepth, column = unit % kDepth;
      left_tile[row * kDepthStride + column] = left(row, depth + column);
      right_tile[row * kDepthStride + column] = right(row, depth + column);
    }
    sync_block();
#pragma unroll 8
    for (int d = 0; d < kDepth; ++d) {
      float a[4], b[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        a[i] = left_tile[(thread_row() + i) * kDepthStride + d];
        b[i] = right_tile[(thread_column() + 16 * i) * kDepthStride + d];
      }
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) s[i][j] = fused(a[i], b[j], s[i][j]);
    }
  }
}

// Half a query block: 64 rows. kSize: the padded head size.
template <class Element, int kSize, bool kInt8>
RUSHES_KERNEL(kThreads, 1)
attend_fma_kernel(SparseSizes sizes, SparseScratch scratch, SparseOutput output, float scale, const Element* q,
                  const Element* k, const Element* v) {
  constexpr int kParts = kSize / kTile;
  const int query_block = block_x() / 2, head = block_y(), first = block_x() * kTile;
  const int rows = smaller(kTile, sizes.length - first), size = sizes.head_size;
  if (rows <= 0) return;
  const int64_t column = static_cast<int64_t>(head) * size;
  const Shared<float> left_tile = shared_memory<float>(0, kTile * kDepthStride);
  const Shared<float> right_tile = shared_memory<float>(4 * kTile * kDepthStride, kTile * kDepthStride);
  const Shared<float> weights = shared_memory<float>(8 * kTile * kDepthStride, kTile * kTileStride);
  const Shared<float> values = shared_memory<float>(8 * kTile * kDepthStride + 4 * kTile * kTileStride, kTile * kTile);
  const int32_t* list = scratch.chosen + (static_cast<int64_t>(head) * sizes.query_blocks + query_block) * sizes.kept;

  float o[kParts][4][4] = {}, top[4], sum[4] = {};
  for (int i = 0; i < 4; ++i) top[i] = bits_float(kMinusInfinityBits);
  for (int step = 0; step < sizes.kept; ++step) {
    const int block = list[step], token = block * kBlockKeys, keys = smaller(kBlockKeys, sizes.length - token);
    float s[4][4] = {}, factor = scale * kLog2E;
    if constexpr (kInt8) {
      const int64_t query_at = static_cast<int64_t>(head) * sizes.query_blocks + query_block,
                    key_at = static_cast<int64_t>(head) * sizes.key_blocks + block;
      factor = factor * scratch.query_scales[query_at] * scratch.key_scales[key_at];
      const int8_t* q8 = scratch.queries + (query_at * kBlockQueries + first % kBlockQueries) * kSize;
      const int8_t* k8 = scratch.keys + key_at * kBlockKeys * kSize;
      add_products(
          s, size, left_tile, right_tile, [&](int row, int d) { return load_one(q8 + row * kSize + d); },
          [&](int row, int d) { return load_one(k8 + row * kSize + d); });
    } else {
      const auto element = [&](const Element* x, int count, int from, int row, int d) {
        return row < count && d < size ? load_one(x + static_cast<int64_t>(from + row) * sizes.stride + column + d)
                                       : 0.0f;
      };
      add_products(
          s, size, left_tile, right_tile, [&](int row, int d) { return element(q, rows, first, row, d); },
          [&](int row, int d) { return element(k, keys, token, row, d); });
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      float most = bits_float(kMinusInfinityBits);
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        s[i][j] = thread_column() + 16 * j < keys ? s[i][j] * factor : bits_float(kMinusInfinityBits);
        most = larger(s[i][j], most);
      }
      // The 16 lanes of a row agree on its largest score.
#pragma unroll
      for (int mask = 8; mask > 0; mask >>= 1) most = larger(shuffle_xor(most, mask), most);
      const float now = larger(most, top[i]), smaller_factor = exp2_quick(top[i] - now);
      top[i] = now;
      sum[i] *= smaller_factor;
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const float weight = exp2_quick(s[i][j] - now);
        sum[i] += weight;
        weights[(thread_row() + i) * kTileStride + thread_column() + 16 * j] = weight;
      }
#pragma unroll
      for (int part = 0; part < kParts; ++part)
#pragma unroll
        for (int j = 0; j < 4; ++j) o[part][i][j] *= smaller_factor;
    }
#pragma unroll
    for (int part = 0; part < kParts; ++part) {
      sync_block();
      for (int unit = thread_index(); unit < kTile * kTile; unit += kThreads) {
        const int row = unit / kTile, d = part * kTile + unit % kTile;
        values[unit] =
            row < keys && d < size ? load_one(v + static_cast<int64_t>(token + row) * sizes.stride + column + d) : 0.0f;
      }
      sync_block();
#pragma unroll 4
      for (int key = 0; key < kTile; ++key) {
        float a[4], b[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          a[i] = weights[(thread_row() + i) * kTileStride + key];
          b[i] = values[key * kTile + thread_column() + 16 * i];
        }
#pragma unroll
        for (int i = 0; i < 4; ++i)
#pragma unroll
          for (int j = 0; j < 4; ++j) o[part][i][j] = fused(a[i], b[j], o[part][i][j]);
      }
    }
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
#pragma unroll
    for (int mask = 8; mask > 0; mask >>= 1) sum[i] += shuffle_xor(sum[i], mask);
    sum[i] = divide(1.0f, sum[i]);
  }

  const float* features = scratch.query_rows + (static_cast<int64_t>(head) * sizes.length + first) * 2;
  const float* state = static_cast<const float*>(scratch.state) + static_cast<int64_t>(head) * kSize * kSize;
#pragma unroll
  for (int part = 0; part < kParts; ++part) {
    float linear[4][4] = {};
    add_products(
        linear, size, left_tile, right_tile,
        [&](int row, int d) {
          if (row >= rows || d >= size) return 0.0f;
          const float x = load_one(q + static_cast<int64_t>(first + row) * sizes.stride + column + d);
          return exp2_quick(fused(x, kLog2E, -features[2 * row])) * features[2 * row + 1];
        },
        [&](int row, int d) { return state[d * kSize + part * kTile + row]; });
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const int row = thread_row() + i, d = part * kTile + thread_column() + 16 * j;
        if (row >= rows || d >= size) continue;
        const int64_t at = static_cast<int64_t>(first + row) * sizes.stride + column + d;
        const float sparse = o[part][i][j] * sum[i], added = linear[i][j] + output.bias[d];
        if (output.sparse) output.sparse[at] = sparse;
        if (output.linear) output.linear[at] = added;
        if (output.bf16)
          static_cast<uint16_t*>(output.out)[at] = to_bf16(sparse + added);
        else
          static_cast<float*>(output.out)[at] = sparse + added;
      }
  }
}

template <class Element>
void launch_attend(StreamHandle stream, const SparseSizes& sizes, const SparseScratch& scratch, float scale,
                   const Element* q, const Element* k, const Element* v, const SparseOutput& output) {
  const auto start = [&](auto kernel) {
    launch(stream, "sla_attend_fma", kernel, Grid{2 * sizes.query_blocks, sizes.heads, 1}, kThreads,
           attend_shared_bytes(SparseArithmetic::fma, sizes.padded, kTile), sizes, scratch, output, scale, q, k, v);
  };
  const bool int8 = scratch.keys != nullptr;
  switch (sizes.padded) {
    case 64:
      return start(int8 ? attend_fma_kernel<Element, 64, true> : attend_fma_kernel<Element, 64, false>);
    case 128:
      return start(int8 ? attend_fma_kernel<Element, 128, true> : attend_fma_kernel<Element, 128, false>);
    case 256:
      return start(int8 ? attend_fma_kernel<Element, 256, true> : attend_fma_kernel<Element, 256, false>);
    default:
      return start(int8 ? attend_fma_kernel<Element, 512, true> : attend_fma_kernel<Element, 512, false>);
  }
}

template <class Element>
void launch_features(StreamHandle stream, const SparseSizes& sizes, const SparseScratch& scratch, const Element* x,
                     bool queries) {
  launch(stream, "sla_feature_rows", feature_rows_kernel<Element>,
         Grid{(sizes.length + kWarps - 1) / kWarps, sizes.heads, 1}, kThreads, 0, sizes, x,
         queries ? scratch.feature_sum : nullptr, queries ? scratch.query_rows : scratch.key_rows);
}

template <class Element>
void launch_sums(StreamHandle stream, const SparseSizes& sizes, const SparseScratch& scratch, const Element* k,
                 const Element* v) {
  const int tiles = sizes.padded / kTile;
  launch(stream, "sla_sum_keys_fma", sum_keys_fma_kernel<Element>, Grid{sizes.chunks, sizes.heads, tiles * tiles},
         kThreads, 8 * kTile * kTileStride, sizes, scratch, k, v);
}

}  // namespace

void feature_rows(StreamHandle stream, const SparseSizes& sizes, const SparseScratch& scratch, const void* x, bool bf16,
                  bool queries) {
  if (bf16)
    launch_features(stream, sizes, scratch, static_cast<const uint16_t*>(x), queries);
  else
    launch_features(stream, sizes, scratch, static_cast<const float*>(x), queries);
}

void sum_keys_fma(StreamHandle stream, const SparseSizes& sizes, const SparseScratch& scratch, const void* k,
                  const void* v, bool bf16) {
  if (bf16)
    launch_sums(stream, sizes, scratch, static_cast<const uint16_t*>(k), static_cast<const uint16_t*>(v));
  else
    launch_sums(stream, sizes, scratch, static_cast<const float*>(k), static_cast<const float*>(v));
}

void attend_chosen_fma(StreamHandle stream, const SparseSizes& sizes, const SparseScratch& scratch, const void* q,
                       const void* k, const void* v, bool bf16, float scale, const SparseOutput& output) {
  if (bf16)
    launch_attend(stream, sizes, scratch, scale, static_cast<const uint16_t*>(q), static_cast<const uint16_t*>(k),
                  static_cast<const uint16_t*>(v), output);
  else
    launch_attend(stream, sizes, scratch, scale, static_cast<const float*>(q), static_cast<const float*>(k),
                  static_cast<const float*>(v), output);
}

}  // namespace rushes::attention
