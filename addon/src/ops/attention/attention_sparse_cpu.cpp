// Sparse-linear attention on the cpu backend. For a few heads at a time, with every phase split by outputs:
//   1. sums of the key blocks; 2. their mean, and the pooled smoothed keys;
//   3. by chunks of key blocks: keys (sagesla: int8) and values packed, phi(k)^T v and phi(k) summed;
//   4. the chunks' sums in order give S and z, and S W^T, because proj_l(phi(q) S / d) = phi(q) (S W^T) / d + b:
//      the projection is paid once a head instead of once a row;
//   5. every query block: pool, score, choose, walk over the chosen blocks, add the linear branch.
#include <omp.h>

#include <algorithm>
#include <cmath>

#include "ops/attention/attention_cpu.h"
#include "ops/attention/block_selection.h"
#include "ops/simd/wide_clones.h"

namespace rushes::attention {
namespace {

// Key blocks whose phi(k)^T v is summed by one unit. Fixed, so that sums do not depend on the thread count.
constexpr int64_t kChunkPanels = 16;
// Rows of S W^T that one unit makes.
constexpr int64_t kStateRows = kRowStep;

/// Sizes and buffers of one call; per head of the group where not said otherwise.
struct Buffers {
  int64_t size, padded, panels, blocks, chunks, key_bytes, value_bytes;
  float *block_sums, *pooled, *mean;  // [panels, D], [D, panels], [D]
  std::byte *keys, *values;           // [panels] packed
  float* key_scales;                  // [panels], sagesla only
  float *partial, *partial_sum;       // [chunks, padded, padded], [chunks, padded]: phi(k)^T v and sum phi(k)
  float *state, *feature_sum;         // [padded, padded] S W^T and [padded] z
  float* projection;                  // [padded, padded] W^T, one for all heads
};

float dot(const float* a, const float* b, int64_t count) {
  float sums[8] = {};  // eight interleaved sums, added pairwise: the order does not depend on the machine
  for (int64_t i = 0; i < count; i += 8)
    for (int64_t j = 0; j < 8; ++j) sums[j] += a[i + j] * b[i + j];
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

void pool_head(const Buffers& b, int64_t h, int64_t length) {
  const float* sums = b.block_sums + h * b.panels * b.size;
  mean_of_blocks(sums, b.panels, b.size, length, b.mean + h * b.size);
  pool_keys(sums, b.mean + h * b.size, b.panels, b.size, length, b.pooled + h * b.panels * b.size);
}

RUSHES_WIDE_CLONES void pack_chunk(const SparseProblem& problem, const CpuMath& math, const Buffers& b, int64_t h,
                                   int64_t column, int64_t chunk, const ThreadScratch& own) {
  const bool sage = b.key_scales;
  float* partial = b.partial + (h * b.chunks + chunk) * b.padded * b.padded;
  float* partial_sum = b.partial_sum + (h * b.chunks + chunk) * b.padded;
  std::fill(partial_sum, partial_sum + b.padded, 0.0f);
  const int64_t end = std::min((chunk + 1) * kChunkPanels, b.panels);
  for (int64_t panel = chunk * kChunkPanels; panel < end; ++panel) {
    const int64_t row = panel * kPanelKeys, rows = std::min(kPanelKeys, problem.length - row),
                  at = h * b.panels + panel;
    load_head_rows(math.packed, problem.v, row, rows, column, b.size, own.rows, kPanelKeys, b.padded);
    math.packed.pack_right(own.rows, kPanelKeys, b.padded, b.values + at * b.value_bytes);
    load_head_rows(math.packed, problem.k, row, rows, column, b.size, own.rows, kPanelKeys, b.padded);
    if (sage) {
      auto* quantized = reinterpret_cast<int8_t*>(own.packed);
      std::copy(own.rows, own.rows + kPanelKeys * b.padded, own.out);
      b.key_scales[at] = math.int8.quantize(own.out, b.mean + h * b.size, rows, b.size, kPanelKeys, b.padded,
                                            math.int8.key_offset, quantized);
      math.packed.transpose_words(reinterpret_cast<const uint32_t*>(own.packed), b.padded / 4,
                                  reinterpret_cast<uint32_t*>(b.keys + at * b.key_bytes));
    } else {
      pack_key_panel(math.packed, own.rows, b.padded, own.packed, b.keys + at * b.key_bytes);
    }
    // phi(k)^T as left operand: [D, keys]. Rows beyond the last key are zero and stay so.
    math.packed.feature_map(own.rows, rows, b.size, b.padded);
    math.packed.transpose_words(reinterpret_cast<const uint32_t*>(own.rows), b.padded,
                                reinterpret_cast<uint32_t*>(own.out));
    for (int64_t key = 0; key < rows; ++key)
      for (int64_t d = 0; d < b.padded; ++d) partial_sum[d] += own.rows[key * b.padded + d];
    math.packed.store_elements(own.out, kPanelKeys, b.padded, kPanelKeys, own.packed);
    const void* values = b.values + at * b.value_bytes;
    math.packed.product(own.packed, kPanelKeys * 4 / math.packed.word_elements, b.padded, &values, 1, b.padded,
                        kPanelKeys, panel == chunk * kChunkPanels ? Update::replace : Update::add, nullptr, partial,
                        b.padded);
  }
}

RUSHES_WIDE_CLONES void fold_state(const CpuMath& math, const Buffers& b, int64_t h, int64_t first,
                                   const ThreadScratch& own) {
  const int64_t square = b.padded * b.padded, count = kStateRows * b.padded;
  const float* partial = b.partial + h * b.chunks * square + first * b.padded;
  std::copy(partial, partial + count, own.rows);
  for (int64_t chunk = 1; chunk < b.chunks; ++chunk)
    for (int64_t i = 0; i < count; ++i) own.rows[i] += partial[chunk * square + i];
  const void* projection = b.projection;
  math.f32.product(own.rows, b.padded * 4, kStateRows, &projection, 1, b.padded, b.padded, Update::replace, nullptr,
                   b.state + h * square + first * b.padded, b.padded);
  if (first) return;
  const float* partial_sum = b.partial_sum + h * b.chunks * b.padded;
  float* feature_sum = b.feature_sum + h * b.padded;
  std::copy(partial_sum, partial_sum + b.padded, feature_sum);
  for (int64_t chunk = 1; chunk < b.chunks; ++chunk)
    for (int64_t d = 0; d < b.padded; ++d) feature_sum[d] += partial_sum[chunk * b.padded + d];
}

RUSHES_WIDE_CLONES void query_unit(const Context& context, const SparseProblem& problem, const CpuMath& math,
                                   const Buffers& b, int64_t h, int64_t column, int64_t query_block, int64_t kept,
                                   const ThreadScratch& own) {
  const int64_t row = query_block * kQueryRows;
  QueryBlock block{std::min(kQueryRows, problem.length - row), 1.0f / std::sqrt(static_cast<float>(b.size)), nullptr,
                   1.0f};
  load_head_rows(math.packed, problem.q, row, block.rows, column, b.size, own.rows, block.rows, b.padded);

  float mean[kLargestHead];
  sum_rows(own.rows, b.padded, block.rows, b.size, mean);
  for (int64_t d = 0; d < b.size; ++d) mean[d] /= static_cast<float>(block.rows);
  block_scores(mean, b.pooled + h * b.panels * b.size, b.panels, b.size, own.block_scores);
  choose_blocks(own.block_scores, b.panels, kept, own.chosen);
  if (problem.parts.chosen)
    std::copy_n(own.chosen, kept,
                problem.parts.chosen->data<int32_t>() + (column / b.size * b.blocks + query_block) * kept);

  const float* key_scales = nullptr;
  if (b.key_scales) {
    auto* quantized = reinterpret_cast<int8_t*>(own.packed);
    key_scales = b.key_scales + h * b.panels;
    block.query_scale = math.int8.quantize(own.rows, nullptr, block.rows, b.size, block.rows, b.padded, 0, quantized);
    for (int64_t r = 0; r < block.rows; ++r) {
      own.query_sums[r] = 0;
      for (int64_t d = 0; d < b.padded; ++d) own.query_sums[r] += quantized[r * b.padded + d];
    }
  } else {
    math.packed.store_elements(own.rows, b.padded, block.rows, b.padded, own.packed);
  }
  const PackedHead packed{b.keys + h * b.panels * b.key_bytes, b.values + h * b.panels * b.value_bytes, b.key_bytes,
                          b.value_bytes, key_scales};
  attend(context, math, packed, own.chosen, kept, problem.length, b.padded, block, own);

  // The linear branch, added to what the sparse one left: phi(q) / (1e-5 + phi(q) z) times S W^T.
  math.packed.feature_map(own.rows, block.rows, b.size, b.padded);
  for (int64_t r = 0; r < block.rows; ++r) {
    float* feature = own.rows + r * b.padded;
    const float inverse = 1.0f / (1e-5f + dot(feature, b.feature_sum + h * b.padded, b.padded));
    for (int64_t d = 0; d < b.padded; ++d) feature[d] *= inverse;
    own.row_sum[r] = 1.0f / own.row_sum[r];
  }
  const float* bias = problem.settings.projection_bias->data<float>();
  const void* state = b.state + h * b.padded * b.padded;
  if (problem.parts.sparse)
    write_head_rows(math.packed, own.out, b.padded, block.rows, own.row_sum, nullptr, *problem.parts.sparse, row,
                    column, b.size);
  if (problem.parts.linear)
    for (int64_t begin = 0; begin < block.rows; begin += kRowTile) {
      const int64_t rows = std::min(kRowTile, block.rows - begin);
      math.f32.product(own.rows + begin * b.padded, b.padded * 4, rows, &state, 1, b.padded, b.padded, Update::replace,
                       nullptr, own.scores, b.padded);
      write_head_rows(math.packed, own.scores, b.padded, rows, nullptr, bias, *problem.parts.linear, row + begin,
                      column, b.size);
    }
  math.f32.product(own.rows, b.padded * 4, block.rows, &state, 1, b.padded, b.padded, Update::rescale_and_add,
                   own.row_sum, own.out, b.padded);
  write_head_rows(math.packed, own.out, b.padded, block.rows, nullptr, bias, problem.out, row, column, b.size);
}

void transpose_projection(const Tensor& weight, int64_t size, int64_t padded, float* out) {
  std::fill(out, out + padded * padded, 0.0f);
  for (int64_t o = 0; o < size; ++o)
    for (int64_t i = 0; i < size; ++i) out[i * padded + o] = weight.data<float>()[o * size + i];
}

}  // namespace

void sparse_cpu(const Context& context, const SparseProblem& problem, const CpuMath& math) {
  Buffers b{};
  b.size = problem.head_size;
  b.padded = round_up(b.size, kColumnStep);
  b.panels = key_blocks(problem.length);
  b.blocks = query_blocks(problem.length);
  b.chunks = (b.panels + kChunkPanels - 1) / kChunkPanels;
  const bool sage = problem.settings.type == AttentionType::sagesla;
  b.value_bytes = panel_bytes(math.packed, b.padded);
  b.key_bytes = sage ? kPanelKeys * b.padded : b.value_bytes;
  const int64_t kept = kept_blocks(problem.settings.top_k, problem.length);
  const int64_t group = heads_at_once(context, problem.heads, b.blocks),
                thread_bytes = scratch_bytes(b.padded, b.panels);
  Tensor keys = context.allocate(DType::u8, {group, b.panels, b.key_bytes});
  Tensor values = context.allocate(DType::u8, {group, b.panels, b.value_bytes});
  Tensor key_scales = context.allocate(DType::f32, {group, sage ? b.panels : 0});
  Tensor pooling = context.allocate(DType::f32, {group, 2 * b.panels + 1, b.size});
  Tensor partial = context.allocate(DType::f32, {group, b.chunks, b.padded + 1, b.padded});
  Tensor state = context.allocate(DType::f32, {group + 1, b.padded + 1, b.padded});
  Tensor scratch = context.allocate(DType::u8, {context.threads, thread_bytes});
  if (context.dry_run) return;
  b.keys = keys.raw();
  b.values = values.raw();
  b.key_scales = sage ? key_scales.data<float>() : nullptr;
  b.block_sums = pooling.data<float>();
  b.pooled = b.block_sums + group * b.panels * b.size;
  b.mean = b.pooled + group * b.panels * b.size;
  b.partial = partial.data<float>();
  b.partial_sum = b.partial + group * b.chunks * b.padded * b.padded;
  b.projection = state.data<float>();
  b.state = b.projection + b.padded * b.padded;
  b.feature_sum = b.state + group * b.padded * b.padded;
  transpose_projection(*problem.settings.projection_weight, b.size, b.padded, b.projection);

  for (int64_t first = 0; first < problem.heads; first += group) {
    const int64_t heads = std::min(group, problem.heads - first);
#pragma omp parallel num_threads(context.threads)
    {
      const ProductSession session(math);
      const ThreadScratch own = place_scratch(scratch.raw() + omp_get_thread_num() * thread_bytes, b.padded, b.panels);
#pragma omp for schedule(static)
      for (int64_t unit = 0; unit < heads * b.panels; ++unit) {
        if (context.is_cancelled()) continue;
        const int64_t row = unit % b.panels * kPanelKeys, rows = std::min(kPanelKeys, problem.length - row);
        load_head_rows(math.packed, problem.k, row, rows, (first + unit / b.panels) * b.size, b.size, own.rows, rows,
                       b.padded);
        sum_rows(own.rows, b.padded, rows, b.size, b.block_sums + unit * b.size);
      }
#pragma omp for schedule(static)
      for (int64_t h = 0; h < heads; ++h) pool_head(b, h, problem.length);
#pragma omp for schedule(dynamic)
      for (int64_t unit = 0; unit < heads * b.chunks; ++unit) {
        const int64_t h = unit / b.chunks;
        if (!context.is_cancelled()) pack_chunk(problem, math, b, h, (first + h) * b.size, unit % b.chunks, own);
      }
#pragma omp for schedule(static)
      for (int64_t unit = 0; unit < heads * (b.padded / kStateRows); ++unit)
        fold_state(math, b, unit / (b.padded / kStateRows), unit % (b.padded / kStateRows) * kStateRows, own);
#pragma omp for schedule(dynamic)
      for (int64_t unit = 0; unit < heads * b.blocks; ++unit) {
        const int64_t h = unit / b.blocks;
        if (!context.is_cancelled())
          query_unit(context, problem, math, b, h, (first + h) * b.size, unit % b.blocks, kept, own);
      }
    }
    context.check_cancelled();
  }
}

}  // namespace rushes::attention
