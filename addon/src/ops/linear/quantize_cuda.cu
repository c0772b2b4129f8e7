// TurboDiffusion's tile quantizer on the device: one block to a tile of 128 x 128, which is read once, 16 bytes at a
// time, and stays in registers until its largest magnitude is known. The same bits as the CPU's (pack_body.h).
#include "cuda/access_choice.h"
#include "cuda/launch.h"
#include "ops/linear/product_cuda.h"

namespace rushes::cuda {
namespace {

constexpr int kThreads = 256, kSide = 128, kRun = 16;     // elements of a thread in one row
constexpr int kPasses = kSide * kSide / kThreads / kRun;  // rows of a thread
constexpr uint32_t kMagnitude = 0x7fffffffu, kInfinity = 0x7f800000u;

enum class Source { bf16, f32_rounded, f32 };

struct QuantizeParameters {
  const void* x;
  int8_t* q;
  float* scales;
  int64_t rows, columns;
  int column_tiles;
  int in_runs;  // every row begins at a multiple of 16 elements, and x and q at multiples of 16 bytes
};

/// 16 neighbours of one row: as pairs of bf16, or as f32.
template <Source kSource>
struct Run {
  static constexpr int kWords = kSource == Source::f32 ? 16 : 8;
  uint32_t words[kWords];

  RUSHES_DEVICE float value(int i) const {
    if constexpr (kSource == Source::f32)
      return bits_float(words[i]);
    else
      return i % 2 ? bf16_high(words[i / 2]) : bf16_low(words[i / 2]);
  }
  RUSHES_DEVICE void clear() {
#pragma unroll
    for (int i = 0; i < kWords; ++i) words[i] = 0;
  }
  RUSHES_DEVICE void read(const void* x, int64_t at) {
    if constexpr (kSource == Source::bf16) {
      const Words4* from = reinterpret_cast<const Words4*>(static_cast<const uint16_t*>(x) + at);
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const Words4 four = from[i];
#pragma unroll
        for (int e = 0; e < 4; ++e) words[i * 4 + e] = four.word[e];
      }
    } else {
      const Words4* from = reinterpret_cast<const Words4*>(static_cast<const float*>(x) + at);
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const Words4 four = from[i];
        if constexpr (kSource == Source::f32) {
#pragma unroll
          for (int e = 0; e < 4; ++e) words[i * 4 + e] = four.word[e];
        } else {
          words[i * 2] = pack_bf16(bits_float(four.word[0]), bits_float(four.word[1]));
          words[i * 2 + 1] = pack_bf16(bits_float(four.word[2]), bits_float(four.word[3]));
        }
      }
    }
  }
  /// One by one, zeros from `count` on.
  RUSHES_DEVICE void read_part(const void* x, int64_t at, int count) {
    float one[kRun];
#pragma unroll
    for (int i = 0; i < kRun; ++i) {
      one[i] = 0;
      if (i < count)
        one[i] = kSource == Source::bf16 ? from_bf16(static_cast<const uint16_t*>(x)[at + i])
                                         : static_cast<const float*>(x)[at + i];
    }
#pragma unroll
    for (int i = 0; i < kWords; ++i)
      words[i] = kSource == Source::f32 ? float_bits(one[i]) : pack_bf16(one[2 * i % kRun], one[(2 * i + 1) % kRun]);
  }
};

template <Source kSource>
RUSHES_KERNEL(kThreads, 2)
quantize(QuantizeParameters p) {
  const int64_t first_row = static_cast<int64_t>(block_x() / p.column_tiles) * kSide;
  const int64_t column = static_cast<int64_t>(block_x() % p.column_tiles) * kSide + thread_index() % 8 * kRun;
  const int64_t left = p.columns - column;
  const int count = left < 0 ? 0 : left < kRun ? static_cast<int>(left) : kRun;
  Run<kSource> runs[kPasses];
  uint32_t largest = 0;
#pragma unroll
  for (int pass = 0; pass < kPasses; ++pass) {
    const int64_t row = first_row + thread_index() / 8 + pass * (kThreads / 8);
    if (row >= p.rows || count == 0)
      runs[pass].clear();
    else if (p.in_runs)
      runs[pass].read(p.x, row * p.columns + column);
    else
      runs[pass].read_part(p.x, row * p.columns + column, count);
  }
#pragma unroll
  for (int pass = 0; pass < kPasses; ++pass)
#pragma unroll
    for (int i = 0; i < kRun; ++i) {
      const uint32_t bits = float_bits(runs[pass].value(i)) & kMagnitude;  // rises with the magnitude; NaN is largest
      largest = bits > largest ? bits : largest;
    }
#pragma unroll
  for (int mask = 16; mask > 0; mask /= 2) {
    const uint32_t other = shuffle_xor(largest, mask);
    largest = other > largest ? other : largest;
  }
  Shared<uint32_t> of_warps = shared_memory<uint32_t>(0, kThreads / 32);
  if (lane_index() == 0) of_warps[warp_index()] = largest;
  sync_block();
  largest = 0;
#pragma unroll
  for (int warp = 0; warp < kThreads / 32; ++warp) {
    const uint32_t other = of_warps[warp];
    largest = other > largest ? other : largest;
  }
  const bool finite = largest < kInfinity;
  const float magnitude = bits_float(largest), a = magnitude > 1e-8f ? magnitude : 1e-8f;
  const float factor = finite ? divide(128.0f, a) : 0.0f;
  if (thread_index() == 0) p.scales[block_x()] = finite ? divide(a, 128.0f) : bits_float(0x7fc00000u);
#pragma unroll
  for (int pass = 0; pass < kPasses; ++pass) {
    const int64_t row = first_row + thread_index() / 8 + pass * (kThreads / 8);
    if (row >= p.rows || count == 0) continue;
    Words4 out;
#pragma unroll
    for (int word = 0; word < 4; ++word) {
      uint32_t bytes = 0;
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        int32_t q = finite ? round_to_int(multiply(runs[pass].value(word * 4 + e), factor)) : 0;
        q = q < 127 ? q : 127;
        q = q > -128 ? q : -128;
        bytes |= (static_cast<uint32_t>(q) & 0xffu) << (8 * e);
      }
      out.word[word] = bytes;
    }
    int8_t* to = p.q + row * p.columns + column;
    if (p.in_runs) {
      *reinterpret_cast<Words4*>(to) = out;
    } else {
#pragma unroll
      for (int i = 0; i < kRun; ++i)
        if (i < count) to[i] = static_cast<int8_t>(out.word[i / 4] >> (8 * (i % 4)) & 0xffu);
    }
  }
}

}  // namespace

void launch_quantize(StreamHandle stream, const void* x, bool is_bf16, bool round, int64_t rows, int64_t columns,
                     int8_t* q, float* scales) {
  const auto column_tiles = static_cast<int>((columns + kSide - 1) / kSide);
  const int64_t row_tiles = (rows + kSide - 1) / kSide;
  const QuantizeParameters p = {
      x, q, scales, rows, columns, column_tiles, choose_run(kRun, columns, {{x, is_bf16 ? 2 : 4}, {q, 1}}) == kRun};
  launch(stream, "int8 tile quantizer",
         is_bf16 ? quantize<Source::bf16>
         : round ? quantize<Source::f32_rounded>
                 : quantize<Source::f32>,
         Grid{static_cast<int>(row_tiles * column_tiles)}, kThreads, kThreads / 32 * 4, p);
}

}  // namespace rushes::cuda
