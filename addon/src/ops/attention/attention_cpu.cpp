// The walk of one query block over key blocks, and the buffers it works in.
#include "ops/attention/attention_cpu.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace rushes::attention {
namespace {

constexpr float kLog2E = 1.4426950408889634f;

}  // namespace

int64_t heads_at_once(const Context& context, int64_t heads, int64_t query_block_count) {
  const int64_t units = 8 * context.threads;
  return std::clamp<int64_t>((units + query_block_count - 1) / query_block_count, 1, heads);
}

namespace {

// The layout of a thread's scratch, walked once to measure it and once to place it.
ThreadScratch lay_out(std::byte* memory, int64_t padded, int64_t chosen_blocks, int64_t& bytes) {
  bytes = 0;
  const auto take = [&](int64_t count) {
    std::byte* at = memory ? memory + bytes : nullptr;
    bytes += round_up(count, 64);
    return at;
  };
  constexpr int64_t kGroupKeys = kGroupPanels * kPanelKeys;
  ThreadScratch s{};
  s.rows = reinterpret_cast<float*>(take(kQueryRows * padded * 4));
  s.scores = reinterpret_cast<float*>(take(kRowTile * std::max(kGroupKeys, padded) * 4));
  s.out = reinterpret_cast<float*>(take(kQueryRows * padded * 4));
  s.packed = take(kQueryRows * padded * 4);
  s.weights = take(kRowTile * kGroupKeys * 4);
  s.row_max = reinterpret_cast<float*>(take(kQueryRows * 4));
  s.row_sum = reinterpret_cast<float*>(take(kQueryRows * 4));
  s.row_factor = reinterpret_cast<float*>(take(kQueryRows * 4));
  s.query_sums = reinterpret_cast<int32_t*>(take(kQueryRows * 4));
  s.block_scores = reinterpret_cast<float*>(take(chosen_blocks * 4));
  s.chosen = reinterpret_cast<int32_t*>(take(chosen_blocks * 4));
  return s;
}

}  // namespace

int64_t scratch_bytes(int64_t padded, int64_t chosen_blocks) {
  int64_t bytes;
  lay_out(nullptr, padded, chosen_blocks, bytes);
  return bytes;
}

ThreadScratch place_scratch(std::byte* memory, int64_t padded, int64_t chosen_blocks) {
  int64_t bytes;
  return lay_out(memory, padded, chosen_blocks, bytes);
}

void attend(const Context& context, const CpuMath& math, const PackedHead& head, const int32_t* list, int64_t count,
            int64_t keys, int64_t padded, const QueryBlock& block, const ThreadScratch& scratch) {
  const BlockMath& packed = math.packed;
  const int64_t element = 4 / packed.word_elements;
  const int64_t query_stride = head.key_scales ? padded : padded * element;
  std::fill(scratch.row_max, scratch.row_max + block.rows, -std::numeric_limits<float>::infinity());
  std::fill(scratch.row_sum, scratch.row_sum + block.rows, 0.0f);
  for (int64_t first = 0; first < count; first += kGroupPanels) {
    if (context.is_cancelled()) return;
    const int64_t panels = std::min(kGroupPanels, count - first), columns = panels * kPanelKeys;
    const auto index = [&](int64_t p) { return list ? list[first + p] : first + p; };
    const void *key_panels[kGroupPanels], *value_panels[kGroupPanels];
    for (int64_t p = 0; p < panels; ++p) {
      key_panels[p] = head.keys + index(p) * head.key_panel_bytes;
      value_panels[p] = head.values + index(p) * head.value_panel_bytes;
    }
    // Only the last block of all can be cut short, and it is the last of the list.
    const int64_t missing = std::max<int64_t>(0, (index(panels - 1) + 1) * kPanelKeys - keys);
    for (int64_t begin = 0; begin < block.rows; begin += kRowTile) {
      const int64_t rows = std::min(kRowTile, block.rows - begin);
      for (int64_t p = 0; p < panels; ++p) {
        float* scores = scratch.scores + p * kPanelKeys;
        if (head.key_scales)
          math.int8.product(reinterpret_cast<const int8_t*>(scratch.packed) + begin * padded, rows, key_panels[p],
                            kPanelKeys, padded, scratch.query_sums + begin,
                            block.query_scale * head.key_scales[index(p)], scores, columns);
        else
          packed.product(scratch.packed + begin * query_stride, query_stride, rows, &key_panels[p], 1, kPanelKeys,
                         padded, Update::replace, nullptr, scores, columns);
      }
      float scale = block.scale * kLog2E;
      if (block.bias) {
        for (int64_t r = 0; r < rows; ++r) {
          const float* bias = block.bias - (begin + r) + first * kPanelKeys;
          float* row = scratch.scores + r * columns;
          for (int64_t c = 0; c < columns - missing; ++c) row[c] = row[c] * block.scale + bias[c];
        }
        scale = kLog2E;
      }
      for (int64_t r = 0; missing && r < rows; ++r)
        std::fill(scratch.scores + (r + 1) * columns - missing, scratch.scores + (r + 1) * columns,
                  -std::numeric_limits<float>::infinity());
      packed.softmax_step(scratch.scores, columns, rows, columns, scale, scratch.row_max + begin,
                          scratch.row_sum + begin, scratch.row_factor + begin, scratch.weights, columns * element);
      packed.product(scratch.weights, columns * element, rows, value_panels, panels, padded, kPanelKeys,
                     first > 0 ? Update::rescale_and_add : Update::replace, scratch.row_factor + begin,
                     scratch.out + begin * padded, padded);
    }
  }
}

void write_head_rows(const BlockMath& math, const float* x, int64_t padded, int64_t rows, const float* factor,
                     const float* bias, Tensor& out, int64_t first, int64_t column, int64_t head_size) {
  const int64_t stride = out.size(1);
  std::byte* to = out.raw() + (first * stride + column) * static_cast<int64_t>(dtype_size(out.type()));
  math.write_rows(x, padded, rows, head_size, factor, bias, to, out.type() == DType::bf16, stride);
}

void load_head_rows(const BlockMath& math, const Tensor& x, int64_t first, int64_t rows, int64_t column,
                    int64_t head_size, float* out, int64_t padded_rows, int64_t padded) {
  const int64_t stride = x.size(1);
  const std::byte* source = x.raw() + (first * stride + column) * static_cast<int64_t>(dtype_size(x.type()));
  math.load_rows(source, x.type() == DType::bf16, stride, rows, head_size, out, padded_rows, padded);
}

void pack_key_panel(const BlockMath& math, const float* x, int64_t padded, std::byte* turned, std::byte* panel) {
  math.store_elements(x, padded, kPanelKeys, padded, turned);
  math.transpose_words(reinterpret_cast<const uint32_t*>(turned), padded / math.word_elements,
                       reinterpret_cast<uint32_t*>(panel));
}

}  // namespace rushes::attention
