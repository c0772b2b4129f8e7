// What a matrix-product kernel is here: a micro-kernel over packed panels, how its operands are laid out, and the two
// passes around it (packing the activations, finishing the sums). panel_linear.cpp drives it; the *_body.h headers
// write it once for all instruction sets, the files with an instruction set's suffix compile it.
//
// A panel is `rows` rows of x, or `columns` outputs (rows of W), kept for all K: groups of `group` consecutive k of one
// row lie together, then the next row, then the next group: element (row r, depth k) of a panel is at
// ((k / group) * panel_rows + r) * group + k % group.
#pragma once
#include <cstddef>
#include <cstdint>

#include "ops/linear/linear.h"

namespace rushes {

constexpr int kTile = 128;  // rows, columns and depth of TurboDiffusion's int8 tiles

/// One tile of activations, at most 128 rows x 128 depths of x, on its way into the panels of a chunk.
struct PackTile {
  const std::byte* x;  // first element of the tile, of any alignment
  DType x_type;        // f32 or bf16
  int64_t x_stride;    // elements from row to row
  int rows, depth;     // valid part; what lies beyond is written as zeros up to padded_rows and padded_depth
  int padded_rows, padded_depth;
  bool round_to_bf16;  // f32 input is rounded to bf16 before anything else
  std::byte* panels;   // of the chunk
  int64_t panel_bytes;
  int64_t first_row;    // of the tile within the chunk
  int64_t first_depth;  // of the tile
  // int8 only, [panel][depth tile][rows of a panel]: scale of each row and -weight_offset * (sum of its values).
  float* row_scales;
  int32_t* row_offsets;
  int64_t depth_tiles;
};

/// One block of sums: a row panel times a column panel over the depths [depth_begin, depth_end).
struct PanelProduct {
  const std::byte* activations;  // the panel from depth 0
  const std::byte* weights;
  int64_t depth_begin, depth_end;  // multiples of 128, or the end of the padded depth
  bool first;                      // the sums start here; otherwise they are added to
  float* sums;                     // [rows][columns], 64-byte aligned
  // int8 only
  const float* row_scales;     // [depth tile][rows]
  const int32_t* row_offsets;  // [depth tile][rows]
  const float* column_scales;  // [depth tile]; one for all columns of the panel
};

/// A finished block of sums on its way out.
struct PanelOutput {
  const float* sums;        // [rows][columns]
  int rows, columns;        // valid part
  const float* bias;        // [columns of the panel], padded; or null
  const std::byte* addend;  // [rows][out_stride], valid part only; or null
  DType addend_type;        // f32 or bf16
  Activation activation;
  bool accumulate;
  const float* gate;   // [columns], valid part only; or null
  std::byte* out;      // first element
  DType out_type;      // f32 or bf16
  int64_t out_stride;  // elements
};

struct PanelKernel {
  LinearFormat format;
  DType product;      // what is multiplied: i8, bf16 or f32
  DType activation;   // element of a packed row panel: i8, i16 (AVX2 int8), bf16, f32
  DType weight;       // element of a packed column panel: i8 (u8 when offset), bf16, f32
  int rows, columns;  // of a block; columns divides 128
  int row_group, column_group;
  int weight_offset;  // added to int8 weights (128 makes them unsigned)
  void (*pack)(const PackTile&);
  /// Weights into a part of a column panel: word w of row r to `to` + w * to_stride + 4 r, with the bits of `flip`
  /// turned over. A word is column_group weights, 4 bytes; words are a multiple of 16, rows of 16 or `columns`. Null
  /// where words are shorter.
  void (*interleave)(const std::byte* from, int64_t from_stride, int rows, int64_t words, uint32_t flip, std::byte* to,
                     int64_t to_stride) = nullptr;
  /// int8 only: the tile's values into q [128][128], rows beyond the tile's left alone; returns the scale.
  float (*quantize)(const PackTile&, int8_t* q) = nullptr;
  /// Weights that are held in bf16 and multiplied in f32: `words` words of each column of a panel, from [word][columns]
  /// to [2 words][columns]. Null where they are multiplied as they are held.
  void (*widen)(const std::byte* from, int64_t words, float* to) = nullptr;
  void (*multiply)(const PanelProduct&);
  void (*finish)(const PanelOutput&);
  void (*enter)() = nullptr;  // each thread before its first product of a parallel region, and after its last
  void (*leave)() = nullptr;
};

}  // namespace rushes
