// SageSLA on tensor cores: int8 scores of queries quantized here with keys quantized block by block, values as f16 or
// e4m3, and the linear branch added before anything is written. Blocks of threads, warps and stages as in
// attention_sparse_bf16_cuda.cu.
#include "cuda/launch.h"
#include "ops/attention/attention_sparse_epilogue_cuda.h"

namespace rushes::attention {

using namespace cuda;

namespace {

// Integer sums start at the bits of 1.5 * 2^23: read as a float the sum is that plus the whole number, exactly, as long
// as it stays below 2^22 (127 * 127 * 128 does), and no conversion is needed.
constexpr int32_t kWholeBits = 0x4b400000;
constexpr float kWhole = 12582912.0f;

template <int kSize, int kRowTiles, bool kE4m3>
struct Int8Form {
  static constexpr int kThreads = kBlockQueries / (16 * kRowTiles) * 32;
  static constexpr int kQueryBytes = kBlockQueries * kSize;
  static constexpr int kKeyBytes = kBlockKeys * kSize, kValueBytes = kKeyBytes * (kE4m3 ? 1 : 2);
  static constexpr int kStageBytes = kKeyBytes + kValueBytes;
  // Weights of e4m3 are multiplied by its largest value, and so are their sums: log2(448).
  static constexpr float kWeightExponent = kE4m3 ? 8.807354922057604f : 0.0f;
};

// Copies of whole rows of kRowBytes. A thread's rows are a multiple of 8 apart, so that its place among the swizzled
// chunks is one for all of them.
template <int kRows, int kRowBytes, int kThreads>
RUSHES_DEVICE void load_bytes(Shared<uint8_t> tile, const uint8_t* from) {
  constexpr int kChunks = kRowBytes / 16, kStep = kThreads / kChunks;
  static_assert(kRows % kStep == 0 && kStep % 8 == 0);
  const int to = tile_chunk<kRowBytes>(thread_index() / kChunks, thread_index() % kChunks) * 16;
  const uint8_t* at = from + thread_index() * 16;
#pragma unroll
  for (int i = 0; i < kRows / kStep; ++i) copy_async(tile, to + i * kStep * kRowBytes, at + i * kStep * kRowBytes);
}

// The queries of this block as int8 with one scale (block_math.h, Int8Math::quantize), which is returned.
template <int kSize, int kThreads>
RUSHES_DEVICE float quantize_queries(const uint16_t* q, int stride, int rows, int head_size, Shared<uint8_t> out) {
  constexpr int kChunks = kSize / 8, kUnits = kBlockQueries * kChunks / kThreads;
  Words4 words[kUnits];
  int32_t top = 0;
#pragma unroll
  for (int i = 0; i < kUnits; ++i) {
    const int unit = thread_index() + i * kThreads, row = unit / kChunks, channel = unit % kChunks * 8;
    words[i] = row < rows && channel < head_size
                   ? *reinterpret_cast<const Words4*>(q + static_cast<int64_t>(row) * stride + channel)
                   : Words4{{0, 0, 0, 0}};
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      // Magnitudes are ordered as their bits are, infinities and NaN above all.
      const auto low = static_cast<int32_t>(words[i].word[j] << 16 & 0x7fffffffu),
                 high = static_cast<int32_t>(words[i].word[j] & 0x7fff0000u);
      const int32_t both = low > high ? low : high;
      top = both > top ? both : top;
    }
  }
#pragma unroll
  for (int mask = 16; mask > 0; mask >>= 1) {
    const int32_t other = shuffle_xor(top, mask);
    top = other > top ? other : top;
  }
  const Shared<int32_t> tops = out.template as<int32_t>();
  if (lane_index() == 0) tops[warp_index()] = top;
  sync_block();
#pragma unroll
  for (int warp = 0; warp < kThreads / 32; ++warp) {
    const int32_t other = tops[warp];
    top = other > top ? other : top;
  }
  sync_block();
  const bool finite = top < 0x7f800000;
  const float scale =
      finite ? add(divide(bits_float(static_cast<uint32_t>(top)), 127.0f), 1e-7f) : bits_float(0x7fc00000u);
  const Shared<Words2> to = out.template as<Words2>();
#pragma unroll
  for (int i = 0; i < kUnits; ++i) {
    const int unit = thread_index() + i * kThreads, row = unit / kChunks, chunk = unit % kChunks;
    Words2 packed{{0, 0}};
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      const float x = j % 2 ? bf16_high(words[i].word[j / 2]) : bf16_low(words[i].word[j / 2]);
      const float half = bits_float((float_bits(x) & 0x80000000u) | 0x3f000000u);
      const auto whole = finite ? static_cast<int32_t>(add(divide(x, scale), half)) : 0;  // truncates
      packed.word[j / 4] |= (static_cast<uint32_t>(whole) & 0xffu) << (8 * (j % 4));
    }
    to[tile_chunk<kSize>(row, chunk / 2) * 2 + chunk % 2] = packed;
  }
  return scale;
}

// Where this lane's row of 16 bytes lies for ldmatrix of an operand of 16 rows x 32 bytes, of queries and of keys;
// `step` counts the 32 bytes.
template <int kRowBytes>
RUSHES_DEVICE int query_operand() {
  return tile_chunk<kRowBytes>(lane_index() % 16, lane_index() / 16) * 16;
}
template <int kRowBytes>
RUSHES_DEVICE int key_operand() {
  return tile_chunk<kRowBytes>(lane_index() % 8 + lane_index() / 16 * 8, lane_index() / 8 % 2) * 16;
}
RUSHES_DEVICE int operand_step(int lane_offset, int step) { return lane_offset ^ (step << 5); }

// Sums of int8 products of the warp's rows with a block's keys, as floats kWhole above the whole numbers.
template <int kSize, int kRowTiles>
RUSHES_DEVICE void int8_scores(float (&s)[kRowTiles][kBlockKeys / 8][4], Shared<uint8_t> queries, Shared<uint8_t> keys,
                               int first) {
  const int query_lane = query_operand<kSize>(), key_lane = key_operand<kSize>();
  int32_t sum[kRowTiles][kBlockKeys / 8][4];
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int n = 0; n < kBlockKeys / 8; ++n)
#pragma unroll
      for (int e = 0; e < 4; ++e) sum[m][n][e] = kWholeBits;
#pragma unroll
  for (int step = 0; step < kSize / 32; ++step) {
    uint32_t a[kRowTiles][4];
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m)
      load_matrix<4>(a[m], queries, operand_step(query_lane, step) + (first + 16 * m) * kSize);
#pragma unroll
    for (int key = 0; key < kBlockKeys; key += 16) {
      uint32_t b[4];
      load_matrix<4>(b, keys, operand_step(key_lane, step) + key * kSize);
      const uint32_t low[2] = {b[0], b[1]}, high[2] = {b[2], b[3]};
#pragma unroll
      for (int m = 0; m < kRowTiles; ++m) {
        mma_int8(sum[m][key / 8], a[m], low);
        mma_int8(sum[m][key / 8 + 1], a[m], high);
      }
    }
  }
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int n = 0; n < kBlockKeys / 8; ++n)
#pragma unroll
      for (int e = 0; e < 4; ++e) s[m][n][e] = bits_float(static_cast<uint32_t>(sum[m][n][e]));
}

// The online softmax with a factor for each block: the maximum is kept as a power of two. `smaller` receives what
// earlier sums are to be multiplied by; returns whether that is not 1 for some row of the warp.
template <int kRowTiles>
RUSHES_DEVICE bool softmax_of_whole(float (&s)[kRowTiles][kBlockKeys / 8][4], float factor, float weight_exponent,
                                    SoftmaxRows<kRowTiles>& rows, float (&smaller)[kRowTiles][2]) {
  bool moved = false;
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float most = fmaxf(s[m][0][2 * half], s[m][0][2 * half + 1]);
#pragma unroll
      for (int n = 1; n < kBlockKeys / 8; ++n) most = fmaxf(most, fmaxf(s[m][n][2 * half], s[m][n][2 * half + 1]));
      const float before = rows.maximum[m][half], top = fmaxf(before, (row_maximum(most) - kWhole) * factor);
      moved = moved || top != before;
      smaller[m][half] = exp2_quick(before - top);
      rows.maximum[m][half] = top;
      float sum = rows.sum[m][half] * smaller[m][half];
      // The same rounding of kWhole * factor for all keys of the block: at most 2^-24 kWhole factor, 4e-5 of a power of
      // two where the largest score is 2^100.
      const float base = fused(-kWhole, factor, weight_exponent - top);
#pragma unroll
      for (int n = 0; n < kBlockKeys / 8; ++n)
#pragma unroll
        for (int e = 2 * half; e < 2 * half + 2; ++e) {
          s[m][n][e] = exp2_quick(fused(s[m][n][e], factor, base));
          sum += s[m][n][e];
        }
      rows.sum[m][half] = sum;
    }
  return warp_ballot(moved) != 0;
}

template <int kSize, int kRowTiles>
RUSHES_DEVICE void add_values_f16(float (&o)[kRowTiles][kSize / 8][4], const float (&p)[kRowTiles][kBlockKeys / 8][4],
                                  const float (&smaller)[kRowTiles][2], bool moved, Shared<uint16_t> values) {
  if (moved)
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
      for (int n = 0; n < kSize / 8; ++n)
#pragma unroll
        for (int e = 0; e < 4; ++e) o[m][n][e] *= smaller[m][e / 2];
#pragma unroll
  for (int key = 0; key < kBlockKeys; key += 16) {
    uint32_t a[kRowTiles][4];
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const float(&from)[4] = p[m][key / 8 + half];
        a[m][2 * half] = pack_f16(from[0], from[1]);
        a[m][2 * half + 1] = pack_f16(from[2], from[3]);
      }
#pragma unroll
    for (int pair = 0; pair < kSize / 16; ++pair) {
      uint32_t b[4];
      value_fragments<kBlockKeys>(b, values, key, pair);
      const uint32_t low[2] = {b[0], b[1]}, high[2] = {b[2], b[3]};
#pragma unroll
      for (int m = 0; m < kRowTiles; ++m) {
        mma_f16(o[m][2 * pair], a[m], low);
        mma_f16(o[m][2 * pair + 1], a[m], high);
      }
    }
  }
}

// Tensor cores keep fewer than 24 bits of e4m3 sums, so that those of a block start at zero and are added to the output
// in f32, in the operation that rescales it.
template <int kSize, int kRowTiles>
RUSHES_DEVICE void add_values_e4m3(float (&o)[kRowTiles][kSize / 8][4], const float (&p)[kRowTiles][kBlockKeys / 8][4],
                                   const float (&smaller)[kRowTiles][2], Shared<uint8_t> values) {
  constexpr int kSteps = kBlockKeys / 32;
  const int value_lane = key_operand<kBlockKeys>();
  uint32_t a[kSteps][kRowTiles][4];
#pragma unroll
  for (int step = 0; step < kSteps; ++step)
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float(&first)[4] = p[m][4 * step + i / 2 * 2];
        const float(&second)[4] = p[m][4 * step + i / 2 * 2 + 1];
        const int half = i % 2 * 2;
        a[step][m][i] = pack_e4m3(first[half], first[half + 1]) |
                        static_cast<uint32_t>(pack_e4m3(second[half], second[half + 1])) << 16;
      }
#pragma unroll
  for (int pair = 0; pair < kSize / 16; ++pair) {
    float sum[kRowTiles][2][4];
    clear(sum);
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      uint32_t b[4];
      load_matrix<4>(b, values, operand_step(value_lane, step) + 16 * pair * kBlockKeys);
      const uint32_t low[2] = {b[0], b[1]}, high[2] = {b[2], b[3]};
#pragma unroll
      for (int m = 0; m < kRowTiles; ++m) {
        mma_e4m3(sum[m][0], a[step][m], low);
        mma_e4m3(sum[m][1], a[step][m], high);
      }
    }
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
      for (int n = 0; n < 2; ++n)
#pragma unroll
        for (int e = 0; e < 4; ++e)
          o[m][2 * pair + n][e] = fused(o[m][2 * pair + n][e], smaller[m][e / 2], sum[m][n][e]);
  }
}

template <int kSize, int kRowTiles, bool kE4m3>
RUSHES_KERNEL((Int8Form<kSize, kRowTiles, kE4m3>::kThreads), kRowTiles)
attend_int8_kernel(SparseSizes sizes, SparseScratch scratch, SparseOutput output, float scale, const uint16_t* q) {
  using Form = Int8Form<kSize, kRowTiles, kE4m3>;
  const int query_block = block_x(), head = block_y(), first = warp_index() * kRowTiles * 16;
  const EpilogueRows place{
      static_cast<int64_t>(query_block) * kBlockQueries * sizes.stride + static_cast<int64_t>(head) * sizes.head_size,
      smaller(kBlockQueries, sizes.length - query_block * kBlockQueries)};
  const Shared<uint8_t> queries = shared_memory<uint8_t>(0, Form::kQueryBytes);
  const auto stage = [](int i) {
    return shared_memory<uint8_t>(Form::kQueryBytes + i % 2 * Form::kStageBytes, Form::kStageBytes);
  };
  const int32_t* list = scratch.chosen + (static_cast<int64_t>(head) * sizes.query_blocks + query_block) * sizes.kept;
  const int64_t first_block = static_cast<int64_t>(head) * sizes.key_blocks;
  const TileLoad<kBlockKeys, kSize, Form::kThreads> f16_load(kSize, kSize);
  const auto load = [&](int step, int block) {
    const Shared<uint8_t> to = stage(step);
    load_bytes<kBlockKeys, kSize, Form::kThreads>(
        to, reinterpret_cast<const uint8_t*>(scratch.keys) + (first_block + block) * Form::kKeyBytes);
    const uint8_t* values = static_cast<const uint8_t*>(scratch.values) + (first_block + block) * Form::kValueBytes;
    if constexpr (kE4m3)
      load_bytes<kSize, kBlockKeys, Form::kThreads>(to.part(Form::kKeyBytes), values);
    else
      f16_load.start(to.part(Form::kKeyBytes).template as<uint16_t>(), reinterpret_cast<const uint16_t*>(values),
                     kBlockKeys);
  };
  int block = list[0], next_block = sizes.kept > 1 ? list[1] : 0;
  load(0, block);
  copy_async_commit();
  const float query_factor =
      scale * attention::kLog2E *
      quantize_queries<kSize, Form::kThreads>(q + place.offset, sizes.stride, place.rows, sizes.head_size, queries);

  float o[kRowTiles][kSize / 8][4];
  clear(o);
  SoftmaxRows<kRowTiles> rows;
  for (int step = 0; step < sizes.kept; ++step) {
    const float factor = query_factor * scratch.key_scales[first_block + block];
    copy_async_wait<0>();
    sync_block();  // this step's tiles and the queries are there, and nobody reads the other stage any more
    const int later_block = step + 2 < sizes.kept ? list[step + 2] : 0;
    if (step + 1 < sizes.kept) load(step + 1, next_block);
    copy_async_commit();
    const Shared<uint8_t> tile = stage(step);
    float s[kRowTiles][kBlockKeys / 8][4], smaller[kRowTiles][2];
    int8_scores<kSize, kRowTiles>(s, queries, tile, first);
    if ((block + 1) * kBlockKeys > sizes.length) mask_keys(s, sizes.length - block * kBlockKeys);
    [[maybe_unused]] const bool moved = softmax_of_whole(s, factor, Form::kWeightExponent, rows, smaller);
    if constexpr (kE4m3)
      add_values_e4m3<kSize>(o, s, smaller, tile.part(Form::kKeyBytes));
    else
      add_values_f16<kSize>(o, s, smaller, moved, tile.part(Form::kKeyBytes).template as<uint16_t>());
    block = next_block;
    next_block = later_block;
  }
  finish_rows(rows);
  const float *shifts = scratch.value_shift + head * kSize, *scales = scratch.value_scale + head * kSize;
#pragma unroll
  for (int n = 0; n < kSize / 8; ++n)
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      const int channel = n * 8 + lane_index() % 4 * 2 + e;
      const float value_shift = shifts[channel], value_scale = scales[channel];
#pragma unroll
      for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          float& value = o[m][n][2 * half + e];
          value = fused(value * rows.sum[m][half], value_scale, value_shift);
        }
    }

  // phi(q) lies where queries and stages were, a part of S W^T behind it.
  sync_block();
  const Shared<uint16_t> features = shared_memory<uint16_t>(0, kBlockQueries * kSize);
  query_features<kSize, kRowTiles>(
      [&](int row, int chunk) -> Words4 {
        if (row >= place.rows || chunk * 8 >= sizes.head_size) return {{0, 0, 0, 0}};
        return *reinterpret_cast<const Words4*>(q + place.offset + static_cast<int64_t>(row) * sizes.stride +
                                                chunk * 8);
      },
      features, scratch.feature_sum + head * kSize, sizes.head_size, first);
  add_linear_branch<kSize, kRowTiles, Form::kThreads>(
      sizes, static_cast<const uint16_t*>(scratch.state) + static_cast<int64_t>(head) * kSize * kSize, output, place,
      features, shared_memory<uint16_t>(2 * kBlockQueries * kSize, kStateColumns * kSize), first, o);
}

}  // namespace

void attend_chosen_int8(StreamHandle stream, const SparseSizes& sizes, const SparseScratch& scratch,
                        const SparseCudaChoice& choice, const void* q, float scale, const SparseOutput& output) {
  const auto start = [&](auto kernel) {
    launch(stream, "sagesla_attend_int8", kernel, Grid{sizes.query_blocks, sizes.heads, 1},
           kBlockQueries / (16 * choice.warp_tiles) * 32,
           attend_shared_bytes(choice.arithmetic, choice.padded_size, choice.step_keys), sizes, scratch, output, scale,
           static_cast<const uint16_t*>(q));
  };
  const bool wide = choice.padded_size == 128;
  if (choice.arithmetic == SparseArithmetic::int8_e4m3)
    start(wide ? attend_int8_kernel<128, 1, true> : attend_int8_kernel<64, 1, true>);
  else if (choice.warp_tiles == 2)
    start(wide ? attend_int8_kernel<128, 2, false> : attend_int8_kernel<64, 2, false>);
  else
    start(wide ? attend_int8_kernel<128, 1, false> : attend_int8_kernel<64, 1, false>);
}

}  // namespace rushes::attention
