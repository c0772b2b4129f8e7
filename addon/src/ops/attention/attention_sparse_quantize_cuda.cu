// SageSLA's operands: int8 queries and smoothed keys, one scale for each block (thu-ml/SpargeAttn:
// spas_sage_attn/quant_per_block.py), and values as f16 or e4m3 with a shift and a scale for each channel. Keys and
// e4m3 values are stored block by block as the products take them, so that the attention kernel copies whole tiles.
#include "cuda/launch.h"
#include "ops/attention/attention_sparse_rows_cuda.h"
#include "ops/attention/attention_sparse_stages_cuda.h"

namespace rushes::attention {

using namespace cuda;

namespace {

constexpr int kThreads = 256, kWarps = 8;

// One block of kRows rows; the second reading of the rows comes from the first-level cache.
template <class Element, int kRows>
RUSHES_KERNEL(kThreads, 2)
quantize_blocks_kernel(SparseSizes sizes, const Element* x, const float* mean, int blocks, int8_t* out, float* scales) {
  const int block = block_x(), head = block_y(), thread = thread_index(), chunks = sizes.padded / 8;
  const int rows = smaller(kRows, sizes.length - block * kRows);
  const Element* from =
      x + static_cast<int64_t>(block) * kRows * sizes.stride + static_cast<int64_t>(head) * sizes.head_size;
  const auto load = [&](int row, int channel, float(&values)[8]) {
    load_eight(from + static_cast<int64_t>(row) * sizes.stride + channel, values);
    if (!mean) return;
    float shift[8];
    load_eight(mean + head * sizes.head_size + channel, shift);
#pragma unroll
    for (int i = 0; i < 8; ++i) values[i] = add(values[i], -shift[i]);
  };

  // The bits of a magnitude are ordered as it is, infinities and NaN above all.
  int32_t top = 0;
  for (int unit = thread; unit < rows * chunks; unit += kThreads) {
    const int channel = unit % chunks * 8;
    if (channel >= sizes.head_size) continue;
    float values[8];
    load(unit / chunks, channel, values);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const auto magnitude = static_cast<int32_t>(float_bits(values[i]) & 0x7fffffffu);
      top = magnitude > top ? magnitude : top;
    }
  }
#pragma unroll
  for (int mask = 16; mask > 0; mask >>= 1) {
    const int32_t other = shuffle_xor(top, mask);
    top = other > top ? other : top;
  }
  const Shared<int32_t> tops = shared_memory<int32_t>(0, kWarps);
  if (lane_index() == 0) tops[warp_index()] = top;
  sync_block();
  for (int warp = 0; warp < kWarps; ++warp) {
    const int32_t other = tops[warp];
    top = other > top ? other : top;
  }
  const bool finite = top < 0x7f800000;
  const float scale =
      finite ? add(divide(bits_float(static_cast<uint32_t>(top)), 127.0f), 1e-7f) : bits_float(0x7fc00000u);
  const int64_t at = static_cast<int64_t>(head) * blocks + block;
  if (thread == 0) scales[at] = scale;

  int8_t* to = out + at * kRows * sizes.padded;
  for (int unit = thread; unit < kRows * chunks; unit += kThreads) {
    const int row = unit / chunks, channel = unit % chunks * 8;
    Words2 packed{{0, 0}};
    if (finite && row < rows && channel < sizes.head_size) {
      float values[8];
      load(row, channel, values);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const float half = bits_float((float_bits(values[i]) & 0x80000000u) | 0x3f000000u);
        const auto whole = static_cast<int32_t>(add(divide(values[i], scale), half));  // truncates
        packed.word[i / 4] |= (static_cast<uint32_t>(whole) & 0xffu) << (8 * (i % 4));
      }
    }
    *reinterpret_cast<Words2*>(to + row * sizes.padded + channel) = packed;
  }
}

// A channel's shift and inverse scale for eight channels from `channel` on; zero and one beyond the head.
RUSHES_DEVICE void load_scaling(const SparseSizes& sizes, const SparseScratch& scratch, int head, int channel,
                                float (&shift)[8], float (&inverse)[8]) {
  load_eight(scratch.value_shift + head * sizes.padded + channel, shift);
  load_eight(scratch.value_scale + head * sizes.padded + channel, inverse);
#pragma unroll
  for (int i = 0; i < 8; ++i) inverse[i] = divide(1.0f, inverse[i]);
}

// The value of one token and eight channels, scaled; zero beyond the last token and the head.
RUSHES_DEVICE void scaled_values(const SparseSizes& sizes, const uint16_t* v, int head, int token, int channel,
                                 const float (&shift)[8], const float (&inverse)[8], float (&out)[8]) {
  const bool valid = token < sizes.length && channel < sizes.head_size;
  if (valid) load_eight(v + static_cast<int64_t>(token) * sizes.stride + head * sizes.head_size + channel, out);
#pragma unroll
  for (int i = 0; i < 8; ++i) out[i] = valid ? (out[i] - shift[i]) * inverse[i] : 0.0f;
}

RUSHES_KERNEL(kThreads, 2)
values_f16_kernel(SparseSizes sizes, SparseScratch scratch, const uint16_t* v) {
  const int block = block_x(), head = block_y(), chunks = sizes.padded / 8;
  auto* to = static_cast<uint16_t*>(scratch.values) +
             (static_cast<int64_t>(head) * sizes.key_blocks + block) * kBlockKeys * sizes.padded;
  for (int unit = thread_index(); unit < kBlockKeys * chunks; unit += kThreads) {
    const int row = unit / chunks, channel = unit % chunks * 8;
    float shift[8], inverse[8], x[8];
    load_scaling(sizes, scratch, head, channel, shift, inverse);
    scaled_values(sizes, v, head, block * kBlockKeys + row, channel, shift, inverse, x);
    Words4 words;
#pragma unroll
    for (int i = 0; i < 4; ++i) words.word[i] = pack_f16(x[2 * i], x[2 * i + 1]);
    *reinterpret_cast<Words4*>(to + row * sizes.padded + channel) = words;
  }
}

// e4m3 values lie channel by channel, and in each group of 16 keys in the order 0, 1, 8, 9, 2, 3, 10, 11, ... in which
// a thread's softmax weights become an operand: lane t holds those of keys 2t, 2t + 1, 8 + 2t and 9 + 2t. A thread
// packs such four keys of eight channels.
RUSHES_KERNEL(kThreads, 2)
values_e4m3_kernel(SparseSizes sizes, SparseScratch scratch, const uint16_t* v) {
  constexpr int kQuads = kBlockKeys / 4;
  const int block = block_x(), head = block_y();
  auto* to = static_cast<uint8_t*>(scratch.values) +
             (static_cast<int64_t>(head) * sizes.key_blocks + block) * kBlockKeys * sizes.padded;
  for (int unit = thread_index(); unit < kQuads * (sizes.padded / 8); unit += kThreads) {
    const int quad = unit % kQuads, channel = unit / kQuads * 8;
    const int key = quad / 4 * 16 + quad % 4 * 2, first = block * kBlockKeys + key;
    float shift[8], inverse[8], x[4][8];
    load_scaling(sizes, scratch, head, channel, shift, inverse);
    for (int i = 0; i < 4; ++i) scaled_values(sizes, v, head, first + i % 2 + i / 2 * 8, channel, shift, inverse, x[i]);
#pragma unroll
    for (int c = 0; c < 8; ++c) {
      const uint32_t word = pack_e4m3(x[0][c], x[1][c]) | static_cast<uint32_t>(pack_e4m3(x[2][c], x[3][c])) << 16;
      *reinterpret_cast<uint32_t*>(to + (channel + c) * kBlockKeys + quad * 4) = word;
    }
  }
}

template <class Element>
void launch_quantize(StreamHandle stream, const SparseSizes& sizes, const SparseScratch& scratch, const Element* q,
                     const Element* k) {
  launch(stream, "sagesla_quantize_keys", quantize_blocks_kernel<Element, kBlockKeys>,
         Grid{sizes.key_blocks, sizes.heads, 1}, kThreads, 4 * kWarps, sizes, k, scratch.mean, sizes.key_blocks,
         scratch.keys, scratch.key_scales);
  if (scratch.queries)
    launch(stream, "sagesla_quantize_queries", quantize_blocks_kernel<Element, kBlockQueries>,
           Grid{sizes.query_blocks, sizes.heads, 1}, kThreads, 4 * kWarps, sizes, q, nullptr, sizes.query_blocks,
           scratch.queries, scratch.query_scales);
}

}  // namespace

void quantize_blocks(StreamHandle stream, const SparseSizes& sizes, const SparseScratch& scratch, const void* q,
                     const void* k, bool bf16) {
  if (bf16)
    launch_quantize(stream, sizes, scratch, static_cast<const uint16_t*>(q), static_cast<const uint16_t*>(k));
  else
    launch_quantize(stream, sizes, scratch, static_cast<const float*>(q), static_cast<const float*>(k));
}

void convert_values(StreamHandle stream, const SparseSizes& sizes, const SparseScratch& scratch, const void* v,
                    bool e4m3) {
  launch(stream, "sagesla_convert_values", e4m3 ? values_e4m3_kernel : values_f16_kernel,
         Grid{sizes.key_blocks, sizes.heads, 1}, kThreads, 0, sizes, scratch, static_cast<const uint16_t*>(v));
}

}  // namespace rushes::attention
