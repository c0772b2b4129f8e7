// What the dense and the sparse cpu driver share: the packed keys and values of one head, one thread's scratch, and the
// walk of one query block over a list of key blocks.
#pragma once
#include <cstddef>
#include <cstdint>

#include "ops/attention/attention_kernels.h"

namespace rushes::attention {

/// Query rows that go through scores, softmax and values together, so that their scores stay in the first-level cache.
inline constexpr int64_t kRowTile = 32;
static_assert(kRowTile % kRowStep == 0 && kQueryRows % kRowTile == 0);

inline int64_t round_up(int64_t x, int64_t step) { return (x + step - 1) / step * step; }
inline int64_t key_blocks(int64_t keys) { return (keys + kPanelKeys - 1) / kPanelKeys; }
inline int64_t query_blocks(int64_t queries) { return (queries + kQueryRows - 1) / kQueryRows; }

/// Heads whose packed keys and values are held at once: enough query blocks to keep the threads evenly busy, no more,
/// because a head of 32,760 tokens takes 16 MB.
int64_t heads_at_once(const Context& context, int64_t heads, int64_t query_block_count);

/// Bytes of one packed block of keys or values.
inline int64_t panel_bytes(const BlockMath& math, int64_t padded) {
  return kPanelKeys * padded * 4 / math.word_elements;
}

/// Packed keys and values of one head. For sagesla the keys are int8 panels with one scale each.
struct PackedHead {
  const std::byte *keys, *values;
  int64_t key_panel_bytes, value_panel_bytes;
  const float* key_scales;  // null: keys are not int8
};

/// Holds what products need of the calling thread (block_math.h, enter and leave).
class ProductSession {
 public:
  explicit ProductSession(const CpuMath& math) : math_(math) {
    if (math_.packed.enter)
      math_.packed.enter();
    else if (math_.int8.enter)
      math_.int8.enter();
  }
  ~ProductSession() {
    if (math_.packed.leave)
      math_.packed.leave();
    else if (math_.int8.leave)
      math_.int8.leave();
  }
  ProductSession(const ProductSession&) = delete;
  ProductSession& operator=(const ProductSession&) = delete;

 private:
  const CpuMath& math_;
};

/// One thread's buffers; `padded` is the head size rounded up to kColumnStep.
struct ThreadScratch {
  float *rows, *scores, *out;             // [128, padded], [kRowTile, max(256, padded)], [128, padded]
  std::byte *packed, *weights;            // [128, padded] and [kRowTile, 256] packed elements
  float *row_max, *row_sum, *row_factor;  // [128]
  int32_t* query_sums;                    // [128]
  float* block_scores;                    // [key blocks]
  int32_t* chosen;                        // [key blocks]
};
/// Bytes of one thread's scratch, and its buffers in memory of that size.
int64_t scratch_bytes(int64_t padded, int64_t chosen_blocks);
ThreadScratch place_scratch(std::byte* memory, int64_t padded, int64_t chosen_blocks);

/// Scores of one query block are bias[j - row] for key j when a relative bias is given.
struct QueryBlock {
  int64_t rows;
  float scale;        // of q k^T, natural exponent
  const float* bias;  // of row 0 and key 0; row r is at bias - r; null: none
  float query_scale;  // int8 queries only
};

/// out = sum_j exp(score - max) v_j over the key blocks `list[0..count)` (ascending; null: 0, 1, ...), with the row
/// sums in scratch.row_sum. The packed queries are in scratch.packed. Returns early when the job is cancelled.
void attend(const Context& context, const CpuMath& math, const PackedHead& head, const int32_t* list, int64_t count,
            int64_t keys, int64_t padded, const QueryBlock& block, const ThreadScratch& scratch);

/// Writes rows of f32 [rows, padded] as head `head` of a [L, heads * D] tensor, each multiplied by factor[r] (null: 1)
/// and with `bias` [head_size] added (null: none).
void write_head_rows(const BlockMath& math, const float* x, int64_t padded, int64_t rows, const float* factor,
                     const float* bias, Tensor& out, int64_t first, int64_t column, int64_t head_size);

/// Loads rows [first, first + rows) of one head as f32 [padded_rows, padded].
void load_head_rows(const BlockMath& math, const Tensor& x, int64_t first, int64_t rows, int64_t column,
                    int64_t head_size, float* out, int64_t padded_rows, int64_t padded);

/// Packs f32 keys or values [kPanelKeys, padded]; `turned` is room for one panel of row-major elements.
void pack_key_panel(const BlockMath& math, const float* x, int64_t padded, std::byte* turned, std::byte* panel);

}  // namespace rushes::attention
