// Dense attention for f32 on a GPU by plain multiply-adds, for the fp32 precision: 64 query rows a block, 256 threads
// with 4 x 4 scores and 4 rows x kPanels x 4 columns of output each. Chunks of queries and keys (32 columns) and panels
// of values (64 columns) come through a ring; queries are read again for every tile of keys, from the second-level
// cache.
#include <cmath>

#include "cuda/launch.h"
#include "ops/attention/attention_dense_cuda.h"

namespace rushes::cuda {
namespace {

constexpr int kRows = 64, kKeys = 64, kThreads = 256, kBuffers = 3;
constexpr int kChunk = 32, kPanel = 64;
constexpr int kSlotElements = kKeys * kPanel;  // also kRows x kChunk of queries, then kKeys x kChunk of keys
constexpr int kStride = kKeys + 4;             // of P: rows of two half-warps lie in different banks
constexpr float kLog2E = 1.44269504088896341f;

struct Quad {
  float value[4];
};
RUSHES_DEVICE Quad quad(Shared<Words4> shared, int index) {
  const Words4 words = shared[index];
  return {{bits_float(words.word[0]), bits_float(words.word[1]), bits_float(words.word[2]), bits_float(words.word[3])}};
}

/// Where 4 columns from 4 * `piece` of a chunk's row lie, in pieces: exchanged so that 8 rows meet in no bank.
RUSHES_DEVICE int chunk_piece(int row, int piece) { return row * (kChunk / 4) + (piece ^ (row & 7)); }

/// What a block reads: for each tile of keys 2 * kPanels chunks of queries and keys, then kPanels panels of values.
template <int kPanels>
class Stream {
 public:
  RUSHES_DEVICE Stream(const DenseCall& call, int head, int first)
      : q_(static_cast<const float*>(call.q) + head * static_cast<int64_t>(call.head_size) + first * call.stride),
        k_(static_cast<const float*>(call.k) + head * static_cast<int64_t>(call.head_size)),
        v_(static_cast<const float*>(call.v) + head * static_cast<int64_t>(call.head_size)),
        stride_(call.stride),
        columns_(call.head_size),
        rows_(call.queries - first),
        keys_(call.keys) {}

  RUSHES_DEVICE void start_next() {
    if (key_ < keys_) {
      const Shared<float> to = slot(write_);
      if (part_ < 2 * kPanels) {
        const int row = thread_index() >> 3, piece = thread_index() & 7, column = part_ * kChunk + piece * 4;
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          const int r = row + i * 32;
          const bool inside = column < columns_, query = inside && r < rows_, key = inside && key_ + r < keys_;
          copy_async(to, chunk_piece(r, piece) * 4, query ? q_ + r * stride_ + column : q_, query);
          copy_async(to, kRows * kChunk + chunk_piece(r, piece) * 4, key ? k_ + (key_ + r) * stride_ + column : k_,
                     key);
        }
      } else {
        const int row = thread_index() >> 4, piece = thread_index() & 15;
        const int column = (part_ - 2 * kPanels) * kPanel + piece * 4;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int r = row + i * 16;
          const bool there = column < columns_ && key_ + r < keys_;
          copy_async(to, r * kPanel + piece * 4, there ? v_ + (key_ + r) * stride_ + column : v_, there);
        }
      }
      if (++part_ == 3 * kPanels) {
        part_ = 0;
        key_ += kKeys;
      }
    }
    copy_async_commit();
    write_ = write_ + 1 == kBuffers ? 0 : write_ + 1;
  }
  RUSHES_DEVICE Shared<float> take() {
    copy_async_wait<kBuffers - 2>();
    sync_block();
    start_next();
    const Shared<float> taken = slot(read_);
    read_ = read_ + 1 == kBuffers ? 0 : read_ + 1;
    return taken;
  }

 private:
  RUSHES_DEVICE static Shared<float> slot(int index) {
    return shared_memory<float>(index * kSlotElements * 4, kSlotElements);
  }
  const float *q_, *k_, *v_;
  int64_t stride_;
  int columns_, rows_, keys_;
  int key_ = 0, part_ = 0, write_ = 0, read_ = 0;
};

/// Over the 16 lanes that share four rows.
RUSHES_DEVICE float lanes_maximum(float value) {
#pragma unroll
  for (int mask = 1; mask < 16; mask *= 2) value = fmaxf(value, shuffle_xor(value, mask));
  return value;
}
RUSHES_DEVICE float lanes_sum(float value) {
#pragma unroll
  for (int mask = 1; mask < 16; mask *= 2) value = add(value, shuffle_xor(value, mask));
  return value;
}

/// sums[i][j] += a row i . b row j over four depths, or a's elements times b's rows.
RUSHES_DEVICE void add_dots(float (&sums)[4][4], const Quad (&a)[4], const Quad (&b)[4]) {
#pragma unroll
  for (int d = 0; d < 4; ++d)
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
      for (int j = 0; j < 4; ++j) sums[i][j] = fused(a[i].value[d], b[j].value[d], sums[i][j]);
}
RUSHES_DEVICE void add_rows(float (&sums)[4][4], const Quad (&a)[4], const Quad (&b)[4]) {
#pragma unroll
  for (int d = 0; d < 4; ++d)
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
      for (int j = 0; j < 4; ++j) sums[i][j] = fused(a[i].value[d], b[d].value[j], sums[i][j]);
}

template <int kPanels>
RUSHES_KERNEL(kThreads, 1)
dense_attention_f32(DenseCall call) {
  const int head = block_y(), first = block_x() * kRows;
  // This thread: rows 4 * group.., keys lane + 16 * j of a tile, columns 64 * panel + 4 * lane.. of the output.
  const int group = thread_index() >> 4, lane = thread_index() & 15;
  const auto probabilities = shared_memory<float>(kBuffers * kSlotElements * 4, kRows * kStride);
  const auto probability_quads = probabilities.as<Words4>();
  Stream<kPanels> stream(call, head, first);
  for (int i = 0; i < kBuffers - 1; ++i) stream.start_next();

  float output[kPanels][4][4], maximum[4], sum[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    maximum[i] = -INFINITY;
    sum[i] = 0;
#pragma unroll
    for (int panel = 0; panel < kPanels; ++panel)
#pragma unroll
      for (int j = 0; j < 4; ++j) output[panel][i][j] = 0;
  }

  for (int key = 0; key < call.keys; key += kKeys) {
    float scores[4][4] = {};
#pragma unroll 1
    for (int chunk = 0; chunk < 2 * kPanels; ++chunk) {
      const Shared<Words4> rows = stream.take().template as<Words4>();
#pragma unroll
      for (int piece = 0; piece < kChunk / 4; ++piece) {
        Quad q[4], k[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          q[i] = quad(rows, chunk_piece(4 * group + i, piece));
          k[i] = quad(rows, kRows * kChunk / 4 + chunk_piece(lane + 16 * i, piece));
        }
        add_dots(scores, q, k);
      }
    }
    float factor = call.factor;
    if (call.bias) {
      const float* const bias = call.bias + static_cast<int64_t>(head) * (call.queries + call.keys - 1);
      const int last = call.queries + call.keys - 2;
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          const int index = key + lane + 16 * j - (first + 4 * group + i) + call.queries - 1;
          scores[i][j] = fused(scores[i][j], factor,
                               multiply(bias[index < 0      ? 0
                                             : index > last ? last
                                                            : index],
                                        kLog2E));
        }
      factor = 1;
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
#pragma unroll
      for (int j = 0; j < 4; ++j)
        if (key + lane + 16 * j >= call.keys) scores[i][j] = -INFINITY;
      const float most = lanes_maximum(fmaxf(fmaxf(scores[i][0], scores[i][1]), fmaxf(scores[i][2], scores[i][3])));
      const float top = fmaxf(most, maximum[i]);
      if (warp_ballot(top != maximum[i])) {
        const float smaller = exp2_quick(multiply(maximum[i] - top, factor));
        maximum[i] = top;
        sum[i] = multiply(sum[i], smaller);
#pragma unroll
        for (int panel = 0; panel < kPanels; ++panel)
#pragma unroll
          for (int j = 0; j < 4; ++j) output[panel][i][j] = multiply(output[panel][i][j], smaller);
      }
      const float base = -multiply(top, factor);
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        scores[i][j] = exp2_quick(fused(scores[i][j], factor, base));
        sum[i] = add(sum[i], scores[i][j]);
        probabilities[(4 * group + i) * kStride + lane + 16 * j] = scores[i][j];
      }
    }
    sync_warp();  // these rows of P belong to this half of the warp alone

#pragma unroll
    for (int panel = 0; panel < kPanels; ++panel) {
      const Shared<Words4> values = stream.take().template as<Words4>();
#pragma unroll 4
      for (int j = 0; j < kKeys; j += 4) {
        Quad p[4], v[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          p[i] = quad(probability_quads, ((4 * group + i) * kStride + j) / 4);
          v[i] = quad(values, ((j + i) * kPanel) / 4 + lane);
        }
        add_rows(output[panel], p, v);
      }
    }
  }

#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float scale = divide(1.0f, lanes_sum(sum[i]));
    const int row = first + 4 * group + i;
    if (row >= call.queries) continue;
    float* const out = static_cast<float*>(call.out) + row * call.stride + head * static_cast<int64_t>(call.head_size);
#pragma unroll
    for (int panel = 0; panel < kPanels; ++panel)
      if (panel * kPanel + lane * 4 < call.head_size) {
        Words4 words;
#pragma unroll
        for (int j = 0; j < 4; ++j) words.word[j] = float_bits(multiply(output[panel][i][j], scale));
        *reinterpret_cast<Words4*>(out + panel * kPanel + lane * 4) = words;
      }
  }
}

}  // namespace

void launch_f32_attention(StreamHandle stream, const AttentionChoice& choice, const DenseCall& call) {
  const auto kernel = choice.padded_head == 64    ? dense_attention_f32<1>
                      : choice.padded_head == 128 ? dense_attention_f32<2>
                      : choice.padded_head == 256 ? dense_attention_f32<4>
                      : choice.padded_head == 384 ? dense_attention_f32<6>
                                                  : dense_attention_f32<8>;
  launch(stream, "dense attention in f32", kernel, Grid{(call.queries + kRows - 1) / kRows, call.heads}, kThreads,
         choice.shared_bytes, call);
}

}  // namespace rushes::cuda
