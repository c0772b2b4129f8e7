// SLA's block selection on the GPU: the mean of the keys, pooled queries, block scores and top-k. Sums are taken in the
// order of block_selection.h with every operation rounded by itself, so that the same blocks are kept as on the CPU,
// for equal scores too, and whatever the tile.
#include "cuda/launch.h"
#include "ops/attention/attention_sparse_rows_cuda.h"
#include "ops/attention/attention_sparse_stages_cuda.h"

namespace rushes::attention {

using namespace cuda;

namespace {

constexpr int kFinishThreads = 32;
// Far below any value's scale, and its inverse is finite: a channel without spread is stored as zeros.
constexpr float kLeastScale = 1e-30f;

// One channel a thread.
RUSHES_KERNEL(kFinishThreads, 1)
finish_sums_kernel(SparseSizes sizes, SparseScratch scratch, float value_limit) {
  const int head = block_y(), channel = block_x() * kFinishThreads + thread_index();
  float z = 0.0f;
  for (int chunk = 0; chunk < sizes.chunks; ++chunk)
    z = add(z, scratch.partial_sum[(static_cast<int64_t>(head) * sizes.chunks + chunk) * sizes.padded + channel]);
  scratch.feature_sum[head * sizes.padded + channel] = z;
  if (value_limit > 0.0f) {
    const float* range = scratch.value_range + static_cast<int64_t>(head) * sizes.chunks * 2 * sizes.padded + channel;
    float low = range[0], high = range[sizes.padded];
    for (int chunk = 1; chunk < sizes.chunks; ++chunk) {
      low = -larger(-low, -range[chunk * 2 * sizes.padded]);
      high = larger(high, range[(chunk * 2 + 1) * sizes.padded]);
    }
    const float shift = 0.5f * low + 0.5f * high;
    scratch.value_shift[head * sizes.padded + channel] = shift;
    scratch.value_scale[head * sizes.padded + channel] =
        larger(divide(larger(high - shift, shift - low), value_limit), kLeastScale);
  }
  if (channel >= sizes.head_size) return;
  const float* sums = scratch.block_sums + static_cast<int64_t>(head) * sizes.key_blocks * sizes.head_size + channel;
  double total = 0;
#pragma unroll 8
  for (int block = 0; block < sizes.key_blocks; ++block) total += sums[static_cast<int64_t>(block) * sizes.head_size];
  scratch.mean[head * sizes.head_size + channel] = static_cast<float>(total / static_cast<double>(sizes.length));
}

constexpr int kThreads = 128, kWarps = kThreads / 32;
constexpr int kDepth = 32;              // channels of pooled keys held at once
constexpr int kKeyStride = kDepth + 1;  // odd: 32 keys' equal channels lie in 32 banks

// Ascending with the score; -0 as +0, NaN as the lowest, as choose_blocks compares them.
RUSHES_DEVICE uint32_t ordered(float score) {
  const uint32_t bits = score == score ? float_bits(add(score, 0.0f)) : kMinusInfinityBits;
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

template <class T>
RUSHES_DEVICE T warp_total(T value) {
#pragma unroll
  for (int mask = 16; mask > 0; mask >>= 1) value += shuffle_xor(value, mask);
  return value;
}

/// The `kept` largest of keys[0..count) by one warp, ascending by index; of equal ones the lower index.
RUSHES_DEVICE void choose_largest(Shared<uint32_t> keys, int count, int kept, int32_t* chosen) {
  const int lane = lane_index();
  // The kept-th largest value, bit by bit from the top.
  uint32_t threshold = 0;
  for (int bit = 31; bit >= 0; --bit) {
    const uint32_t candidate = threshold | (1u << bit);
    int32_t found = 0;
    for (int i = lane; i < count; i += 32) found += keys[i] >= candidate ? 1 : 0;
    if (warp_total(found) >= kept) threshold = candidate;
  }
  // Every lane looks through a run of its own, of odd length so that the lanes read different banks.
  const int run = ((count + 31) / 32) | 1, begin = smaller(lane * run, count), end = smaller(begin + run, count);
  int32_t above = 0, equal = 0;
  for (int i = begin; i < end; ++i) {
    const uint32_t key = keys[i];
    above += key > threshold ? 1 : 0;
    equal += key == threshold ? 1 : 0;
  }
  int32_t above_before = above, equal_before = equal;  // inclusive sums over the lanes, made exclusive below
#pragma unroll
  for (int distance = 1; distance < 32; distance <<= 1) {
    const int from = lane >= distance ? lane - distance : 0;
    const int32_t more_above = shuffle(above_before, from), more_equal = shuffle(equal_before, from);
    above_before += lane >= distance ? more_above : 0;
    equal_before += lane >= distance ? more_equal : 0;
  }
  const int32_t wanted_equal = kept - shuffle(above_before, 31);
  above_before -= above;
  equal_before -= equal;
  int at = above_before + smaller(equal_before, wanted_equal);
  for (int i = begin; i < end; ++i) {
    const uint32_t key = keys[i];
    const bool is_equal = key == threshold;
    if (key > threshold || (is_equal && equal_before < wanted_equal)) chosen[at++] = i;
    equal_before += is_equal ? 1 : 0;
  }
}

// kTile query blocks of one head. Shared: query means [head size][kTile], scores [kTile][key blocks], pooled keys
// [128][kKeyStride] and the mean of their channels.
template <class Element, int kTile>
RUSHES_KERNEL(kThreads, 2)
choose_blocks_kernel(SparseSizes sizes, SparseScratch scratch, const Element* q) {
  const int head = block_y(), first = block_x() * kTile, size = sizes.head_size, blocks = sizes.key_blocks;
  const Shared<float> means = shared_memory<float>(0, size * kTile);
  const Shared<float> scores = shared_memory<float>(4 * size * kTile, (kTile * blocks + 3) / 4 * 4);
  const Shared<float> pooled =
      shared_memory<float>(4 * (size * kTile + (kTile * blocks + 3) / 4 * 4), kThreads * kKeyStride);
  const int tile = smaller(kTile, sizes.query_blocks - first), thread = thread_index();

  for (int unit = thread; unit < kTile * (size / 8); unit += kThreads) {
    const int query_block = unit / (size / 8), channel = unit % (size / 8) * 8;
    const int begin = (first + query_block) * kBlockQueries,
              rows = query_block < tile ? smaller(kBlockQueries, sizes.length - begin) : 0;
    float sum[8] = {};
    const Element* row = q + static_cast<int64_t>(begin) * sizes.stride + head * size + channel;
#pragma unroll 8
    for (int r = 0; r < rows; ++r) {
      float x[8];
      load_eight(row + static_cast<int64_t>(r) * sizes.stride, x);
#pragma unroll
      for (int i = 0; i < 8; ++i) sum[i] = add(sum[i], x[i]);
    }
    for (int i = 0; i < 8; ++i)
      means[(channel + i) * kTile + query_block] = rows > 0 ? divide(sum[i], static_cast<float>(rows)) : 0.0f;
  }

  const float* sums = scratch.block_sums + static_cast<int64_t>(head) * blocks * size;
  const float* mean = scratch.mean + head * size;
  for (int key_first = 0; key_first < blocks; key_first += kThreads) {
    float score[kTile] = {};
    for (int depth = 0; depth < size; depth += kDepth) {
      const int channels = smaller(kDepth, size - depth);
      sync_block();
      for (int unit = thread; unit < kThreads * kDepth; unit += kThreads) {
        const int key = unit / kDepth, channel = unit % kDepth, block = key_first + key;
        if (block >= blocks || channel >= channels) continue;
        const float sum = sums[static_cast<int64_t>(block) * size + depth + channel];
        const int rows = smaller(kBlockKeys, sizes.length - block * kBlockKeys);
        // A power of two divides exactly, and by a product.
        const float average =
            rows == kBlockKeys ? multiply(sum, 1.0f / kBlockKeys) : divide(sum, static_cast<float>(rows));
        pooled[key * kKeyStride + channel] = add(average, -mean[depth + channel]);
      }
      sync_block();
      if (key_first + thread >= blocks) continue;
      for (int channel = 0; channel < channels; ++channel) {
        const float key = pooled[thread * kKeyStride + channel];
#pragma unroll
        for (int t = 0; t < kTile; ++t) {
          const float query = means[(depth + channel) * kTile + t];
          score[t] = add(score[t], multiply(query, key));
        }
      }
    }
    if (key_first + thread < blocks)
      for (int t = 0; t < kTile; ++t) scores[t * blocks + key_first + thread] = bits_float(ordered(score[t]));
  }
  sync_block();
  for (int t = warp_index(); t < tile; t += kWarps)
    choose_largest(scores.template as<uint32_t>().part(t * blocks), blocks, sizes.kept,
                   scratch.chosen + (static_cast<int64_t>(head) * sizes.query_blocks + first + t) * sizes.kept);
}

template <class Element>
void launch_choose(StreamHandle stream, const SparseSizes& sizes, const SparseScratch& scratch, const Element* q,
                   int tile) {
  const Grid grid{(sizes.query_blocks + tile - 1) / tile, sizes.heads, 1};
  const int bytes = selection_shared_bytes(tile, sizes.key_blocks, sizes.head_size);
  const auto start = [&](auto kernel) {
    launch(stream, "sla_choose_blocks", kernel, grid, kThreads, bytes, sizes, scratch, q);
  };
  if (tile == 8)
    start(choose_blocks_kernel<Element, 8>);
  else if (tile == 2)
    start(choose_blocks_kernel<Element, 2>);
  else
    start(choose_blocks_kernel<Element, 1>);
}

}  // namespace

void finish_key_sums(StreamHandle stream, const SparseSizes& sizes, const SparseScratch& scratch, float value_limit) {
  launch(stream, "sla_finish_sums", finish_sums_kernel, Grid{sizes.padded / kFinishThreads, sizes.heads, 1},
         kFinishThreads, 0, sizes, scratch, value_limit);
}

void choose_key_blocks(StreamHandle stream, const SparseSizes& sizes, const SparseScratch& scratch, const void* q,
                       bool bf16, int tile) {
  if (bf16)
    launch_choose(stream, sizes, scratch, static_cast<const uint16_t*>(q), tile);
  else
    launch_choose(stream, sizes, scratch, static_cast<const float*>(q), tile);
}

}  // namespace rushes::attention
