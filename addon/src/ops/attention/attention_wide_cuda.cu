// Dense attention for bf16 with heads above 128 columns (the VAE's single head of 384, the demo's sizes) on a GPU.
// Neither the output of 16 rows nor whole tiles of keys and values fit where attention_dense_cuda.cu keeps them, so
// here two warps share 16 query rows: each computes the scores of half the keys and the output of half the columns,
// with P exchanged through shared memory. Keys and values come through a ring of panels of 64 columns.
#include "cuda/launch.h"
#include "ops/attention/attention_dense_cuda.h"
#include "ops/attention/attention_tile_cuda.h"

namespace rushes::cuda {
namespace {

constexpr int kRows = 64, kKeys = 64, kThreads = 256, kBuffers = 3;
constexpr int kPanelElements = kRows * kPanelColumns;
static_assert(kRows == kKeys, "panels of queries, keys and values are alike");

using PanelLoad = TileLoad<kRows, kPanelColumns, kThreads>;

/// The stream of panels a block reads: for each tile of keys its kPanels panels of keys, then those of values.
template <int kPanels>
class PanelStream {
 public:
  RUSHES_DEVICE PanelStream(const DenseCall& call, int64_t column, int ring)
      : call_(call), column_(column), ring_(ring), left_((call.keys + kKeys - 1) / kKeys * 2 * kPanels) {}

  /// Starts the copy of the next panel, if there is one, as one group.
  RUSHES_DEVICE void start_next() {
    if (left_ > 0) {
      const int panel = part_ < kPanels ? part_ : part_ - kPanels, columns = panel * kPanelColumns;
      const auto* const from = static_cast<const uint16_t*>(part_ < kPanels ? call_.k : call_.v);
      PanelLoad(static_cast<int>(call_.stride), call_.head_size - columns)
          .start(slot(write_), from + column_ + columns + row_ * call_.stride, call_.keys - row_);
      --left_;
      if (++part_ == 2 * kPanels) {
        part_ = 0;
        row_ += kKeys;
      }
    }
    copy_async_commit();
    write_ = write_ + 1 == kBuffers ? 0 : write_ + 1;
  }
  /// The next panel, once it is there for the whole block; the one before it is given free and the next copy started.
  RUSHES_DEVICE Shared<uint16_t> take() {
    copy_async_wait<kBuffers - 2>();
    sync_block();
    start_next();
    const Shared<uint16_t> taken = slot(read_);
    read_ = read_ + 1 == kBuffers ? 0 : read_ + 1;
    return taken;
  }

 private:
  RUSHES_DEVICE Shared<uint16_t> slot(int index) const {
    return shared_memory<uint16_t>(ring_ + index * kPanelElements * 2, kPanelElements);
  }
  const DenseCall& call_;
  int64_t column_;
  int ring_, left_, part_ = 0, row_ = 0, write_ = 0, read_ = 0;
};

template <int kPanels>
RUSHES_KERNEL(kThreads, 1)
dense_attention_wide_bf16(DenseCall call) {
  constexpr int kQueryBytes = kPanels * kPanelElements * 2, kRingBytes = kBuffers * kPanelElements * 2;
  const int head = block_y(), first = block_x() * kRows;
  const int64_t column = static_cast<int64_t>(head) * call.head_size;
  const auto queries = shared_memory<uint16_t>(0, kPanels * kPanelElements);
  const auto probabilities = shared_memory<uint16_t>(kQueryBytes + kRingBytes, kPanelElements);
  const auto maxima = shared_memory<float>(kQueryBytes + kRingBytes + kPanelElements * 2, 2 * kRows);
  const auto sums = shared_memory<float>(kQueryBytes + kRingBytes + kPanelElements * 2 + 8 * kRows, 2 * kRows);

#pragma unroll
  for (int panel = 0; panel < kPanels; ++panel)
    PanelLoad(static_cast<int>(call.stride), call.head_size - panel * kPanelColumns)
        .start(queries.part(panel * kPanelElements),
               static_cast<const uint16_t*>(call.q) + column + panel * kPanelColumns + first * call.stride,
               call.queries - first);
  PanelStream<kPanels> stream(call, column, kQueryBytes);
  for (int i = 0; i < kBuffers - 1; ++i) stream.start_next();

  // This warp: query rows row.. to row + 16, keys 32 * half.. of a tile, columns 32 * half.. of every panel.
  const int warp = thread_index() >> 5, row = (warp >> 1) * 16, half = warp & 1;
  const int g = lane_index() >> 2, t = lane_index() & 3;
  float output[kPanels][4][4];
  clear(output);
  SoftmaxRows<1> softmax;

  for (int key = 0; key < call.keys; key += kKeys) {
    float scores[1][4][4];
    clear(scores);
#pragma unroll
    for (int panel = 0; panel < kPanels; ++panel) {
      const Shared<uint16_t> keys = stream.take();
#pragma unroll
      for (int step = 0; step < 4; ++step) {
        uint32_t a[4];
        query_fragments<kRows>(a, queries, row, panel * 4 + step);
#pragma unroll
        for (int pair = 0; pair < 2; ++pair) {
          uint32_t b[4];
          key_fragments<kKeys>(b, keys, half * 32 + pair * 16, step);
          mma_pair(scores[0][2 * pair], scores[0][2 * pair + 1], a, b);
        }
      }
    }
    float factor = call.factor;
    if (call.bias) {
      add_relative_bias(scores, factor, call.bias + static_cast<int64_t>(head) * (call.queries + call.keys - 1),
                        call.queries, call.keys, first + row, key + half * 32);
      factor = 1;
    }
    if (call.keys - key < kKeys) mask_keys(scores, call.keys - key - half * 32);

      // The maximum of both halves, then the step of softmax_step with P going to shared memory.
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      float most = fmaxf(scores[0][0][2 * h], scores[0][0][2 * h + 1]);
#pragma unroll
      for (int n = 1; n < 4; ++n) most = fmaxf(most, fmaxf(scores[0][n][2 * h], scores[0][n][2 * h + 1]));
      most = row_maximum(most);
      if (t == 0) maxima[half * kRows + row + h * 8 + g] = most;
    }
    sync_block();
    const Shared<uint32_t> pairs = probabilities.template as<uint32_t>();
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const float own = maxima[half * kRows + row + h * 8 + g], other = maxima[(half ^ 1) * kRows + row + h * 8 + g];
      const float top = fmaxf(fmaxf(own, other), softmax.maximum[0][h]);
      if (warp_ballot(top != softmax.maximum[0][h])) {
        const float smaller = exp2_quick((softmax.maximum[0][h] - top) * factor);
        softmax.maximum[0][h] = top;
        softmax.sum[0][h] *= smaller;
#pragma unroll
        for (int panel = 0; panel < kPanels; ++panel)
#pragma unroll
          for (int n = 0; n < 4; ++n) {
            output[panel][n][2 * h] *= smaller;
            output[panel][n][2 * h + 1] *= smaller;
          }
      }
      const float base = -top * factor;
#pragma unroll
      for (int n = 0; n < 4; ++n) {
        const float low = exp2_quick(fused(scores[0][n][2 * h], factor, base));
        const float high = exp2_quick(fused(scores[0][n][2 * h + 1], factor, base));
        softmax.sum[0][h] += low + high;
        pairs[panel_offset<kRows>(row + h * 8 + g, half * 4 + n) / 2 + t] = pack_bf16(low, high);
      }
    }

    uint32_t p[4][4];
#pragma unroll
    for (int panel = 0; panel < kPanels; ++panel) {
      const Shared<uint16_t> values = stream.take();  // its barrier also shows P to the warp that shares the rows
      if (panel == 0)
#pragma unroll
        for (int step = 0; step < 4; ++step) query_fragments<kRows>(p[step], probabilities, row, step);
#pragma unroll
      for (int step = 0; step < 4; ++step)
#pragma unroll
        for (int pair = 0; pair < 2; ++pair) {
          uint32_t b[4];
          value_fragments<kKeys>(b, values, step * 16, half * 2 + pair);
          mma_pair(output[panel][2 * pair], output[panel][2 * pair + 1], p[step], b);
        }
    }
  }

#pragma unroll
  for (int h = 0; h < 2; ++h) {
    softmax.sum[0][h] = row_sum(softmax.sum[0][h]);
    if (t == 0) sums[half * kRows + row + h * 8 + g] = softmax.sum[0][h];
  }
  sync_block();
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    const int i = row + h * 8 + g;
    if (first + i >= call.queries) continue;
    const float scale = divide(1.0f, sums[i] + sums[kRows + i]);
    const int64_t at = (first + i) * call.stride + column + half * 32 + 2 * t;
#pragma unroll
    for (int panel = 0; panel < kPanels; ++panel)
#pragma unroll
      for (int n = 0; n < 4; ++n) {
        const int offset = panel * kPanelColumns + n * 8;
        if (offset + half * 32 >= call.head_size) continue;
        const float low = output[panel][n][2 * h] * scale, high = output[panel][n][2 * h + 1] * scale;
        if (call.out_bf16)
          *reinterpret_cast<uint32_t*>(static_cast<uint16_t*>(call.out) + at + offset) = pack_bf16(low, high);
        else
          *reinterpret_cast<Words2*>(static_cast<float*>(call.out) + at +
                                     offset) = {{float_bits(low), float_bits(high)}};
      }
  }
}

}  // namespace

void launch_wide_attention(StreamHandle stream, const AttentionChoice& choice, const DenseCall& call) {
  const auto kernel = choice.padded_head == 256   ? dense_attention_wide_bf16<4>
                      : choice.padded_head == 384 ? dense_attention_wide_bf16<6>
                                                  : dense_attention_wide_bf16<8>;
  launch(stream, "dense attention of wide heads", kernel, Grid{(call.queries + kRows - 1) / kRows, call.heads},
         kThreads, choice.shared_bytes, call);
}

}  // namespace rushes::cuda
