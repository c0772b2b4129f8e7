// The inner operations of attention as each instruction set implements them: products of packed blocks, the softmax
// step and the packing. Everything around them (units, scratch, selection, threads) is written once in
// attention_dense_cpu.cpp and attention_sparse_cpu.cpp. Only fixed-width types here: files compiled for one instruction
// set include it and must not emit shared inline functions.
//
// Packed form. A "word" is 4 bytes: one f32, two bf16 or four int8 that are multiplied together. A left operand is
// row-major. A right operand of a product with depth K is [K words][columns] words, so that one vector holds one word
// of consecutive columns; tile instructions (AMX) take the same two forms. Head sizes are padded with zeros to a
// multiple of kColumnStep, key blocks to kPanelKeys keys.
#pragma once
#include <cstdint>

namespace rushes::attention {

inline constexpr int64_t kPanelKeys = 64;   // keys of one packed block, and of one block of SLA
inline constexpr int64_t kQueryRows = 128;  // queries of one unit of work, and of one block of SLA
inline constexpr int64_t kColumnStep = 64;  // columns and depth of every product are multiples of this
inline constexpr int64_t kRowStep = 32;     // rows that operands and results of products have room for, in steps
inline constexpr int64_t kGroupPanels = 4;  // key blocks taken in one softmax step
inline constexpr int64_t kLargestHead = 512;

/// What happens to C in C (+)= A B.
enum class Update { replace, add, rescale_and_add };

/// Products and softmax with one type of packed element (f32 or bf16); sums are f32.
struct BlockMath {
  bool packs_bf16;        // elements of packed operands: bf16, else f32
  int64_t word_elements;  // 2 or 1

  /// Set and drop what one thread needs before and after any product (AMX: the tile shapes); may be null.
  void (*enter)();
  void (*leave)();

  /// C [rows, columns] (+)= sum over p < panel_count of A_p [rows, depth] panels[p] [depth, columns]. A row-major
  /// elements with `a_stride` bytes a row, A_p is its p-th `depth` columns; panels packed; C f32 with `c_stride` floats
  /// a row. rescale_and_add multiplies row r of C by row_factor[r] first. A and C have room for `rows` rounded up to
  /// kRowStep; the rows beyond `rows` hold anything afterwards.
  void (*product)(const void* a, int64_t a_stride, int64_t rows, const void* const* panels, int64_t panel_count,
                  int64_t columns, int64_t depth, Update update, const float* row_factor, float* c, int64_t c_stride);

  /// One step of the online softmax in base 2 (Milakov and Gimelshein, arXiv:1805.02867) on raw scores [rows, columns],
  /// columns a multiple of kColumnStep, columns that do not exist hold -inf. `scale` includes log2(e). row_max (scaled)
  /// and row_sum are the running state, -inf and 0 at the start; row_factor receives what earlier sums are to be
  /// multiplied by; weights receives exp2(score * scale - row_max) as packed elements, `weights_stride` bytes a row.
  void (*softmax_step)(const float* scores, int64_t stride, int64_t rows, int64_t columns, float scale, float* row_max,
                       float* row_sum, float* row_factor, void* weights, int64_t weights_stride);

  /// Rows of f32 or bf16 elements (`from_bf16`), `source_stride` elements apart -> f32 [padded_rows, padded], zero
  /// beyond rows and columns.
  void (*load_rows)(const void* source, bool from_bf16, int64_t source_stride, int64_t rows, int64_t columns,
                    float* out, int64_t padded_rows, int64_t padded);

  /// f32 rows [rows, columns] with `stride` floats a row -> packed elements, row-major, rows directly behind each
  /// other.
  void (*store_elements)(const float* x, int64_t stride, int64_t rows, int64_t columns, void* out);

  /// f32 [depth, columns] -> right operand (values: depth = keys).
  void (*pack_right)(const float* x, int64_t depth, int64_t columns, void* out);

  /// What load_rows took, put back: out[r, c] = x[r, c] * factor[r] + bias[c] (null: 1, 0) as f32 or bf16.
  void (*write_rows)(const float* x, int64_t padded, int64_t rows, int64_t columns, const float* factor,
                     const float* bias, void* out, bool to_bf16, int64_t out_stride);

  /// Row-major words [kPanelKeys, words] -> [words, kPanelKeys] (keys become columns).
  void (*transpose_words)(const uint32_t* x, int64_t words, uint32_t* out);

  /// softmax over `columns` of each row of f32 [rows, padded], in place; what lies beyond columns becomes zero.
  void (*feature_map)(float* x, int64_t rows, int64_t columns, int64_t padded);
};

/// Int8 products for the scores of SageSLA.
struct Int8Math {
  int32_t key_offset;  // keys are stored with this added (128: unsigned times signed instructions; else 0)

  void (*enter)();
  void (*leave)();

  /// C [rows, columns] f32 = factor * sum_d q k. q int8 row-major [rows, depth], k [depth / 4][columns][4] with
  /// key_offset added, query_sums[r] = sum_d q[r, d]. Rows beyond `rows` as in
  /// BlockMath::product.
  void (*product)(const int8_t* q, int64_t rows, const void* k, int64_t columns, int64_t depth,
                  const int32_t* query_sums, float factor, float* c, int64_t c_stride);

  /// SageAttention's quantizer (thu-ml/SpargeAttn:spas_sage_attn/quant_per_block.py) on f32 [rows, padded] minus
  /// `shift` [columns] (null: none): scale = max|x| / 127 + 1e-7, q = trunc(x / scale + 0.5 sign x), one scale for
  /// all rows. Returns the scale; NaN, with q all zero, when an element is not finite. q [padded_rows, padded] has
  /// zeros beyond rows and columns and `offset` added everywhere. x may be overwritten.
  float (*quantize)(float* x, const float* shift, int64_t rows, int64_t columns, int64_t padded_rows, int64_t padded,
                    int32_t offset, int8_t* q);
};

extern const BlockMath kBlockMathPortable;
extern const Int8Math kInt8MathPortable;
#if defined(__x86_64__)
extern const BlockMath kBlockMathAvx2, kBlockMathAvx512, kBlockMathAvx512Bf16, kBlockMathAmx;
extern const Int8Math kInt8MathAvx2, kInt8MathAvxVnni, kInt8MathAvx512Vnni, kInt8MathAmx;
#endif

}  // namespace rushes::attention
