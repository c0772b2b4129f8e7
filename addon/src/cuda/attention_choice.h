// Which kernel of dense attention runs on which card with which tiles: a pure function of the shape and the card, so
// that it is tested, and planned with, where there is no GPU.
#pragma once
#include <cstdint>

#include "runtime/device.h"
#include "runtime/dtype.h"

namespace rushes::cuda {

struct AttentionShape {
  DType input = DType::bf16;  // bf16 or f32
  int64_t heads = 1, head_size = 128, queries = 1, keys = 1;
  bool bias = false;
};

enum class AttentionKernel {
  tiles,  // bf16, head size up to 128: scores and output in registers (attention_dense_cuda.cu)
  wide,   // bf16 above: keys and values in panels of 64 columns, output divided among warps (attention_wide_cuda.cu)
  f32,    // f32 by multiply-add (attention_f32_cuda.cu)
};

/// What a launch needs. All of it is compiled: kernels exist for exactly the combinations this function can return.
struct AttentionChoice {
  AttentionKernel kernel = AttentionKernel::tiles;
  int padded_head = 0;   // columns in shared memory and registers: 64, 128, 256, 384, 512
  int query_rows = 0;    // of a block
  int key_rows = 64;     // of a step
  int row_tiles = 1;     // `tiles`: 16-row tiles of a warp
  int warps = 0;         // of a block
  int buffers = 1;       // tiles (or panels) of keys and values in shared memory at a time
  int shared_bytes = 0;  // of a block

  bool operator==(const AttentionChoice&) const = default;
};

/// How `tiles` cuts the work of a block; the numbers that are tuned.
struct TileForm {
  int row_tiles, warps, buffers;
};
/// Every form that is compiled, for both padded heads. The last also takes relative bias.
constexpr TileForm kTileForms[] = {{2, 4, 1}, {2, 4, 2}, {1, 8, 2}, {1, 4, 2}};
constexpr int kTileFormCount = 4;

/// The most shared memory a block may have, in bytes (CUDA C++ Programming Guide, "Technical Specifications per Compute
/// Capability"). Architectures that are not listed get the smallest of those that are.
int block_shared_limit(int architecture);

/// Throws engine.internal for a head size that no kernel takes (above 512, or not a multiple of 8).
AttentionChoice choose_attention(const AttentionShape& shape, const DeviceInfo& device);

/// The same with kTileForms[form] where there is a choice of forms: for checks and for timing one against the other.
AttentionChoice choose_attention(const AttentionShape& shape, int form);

}  // namespace rushes::cuda
