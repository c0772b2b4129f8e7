// Which kernels and tile numbers the cuda backend takes for sparse attention: a pure function of the card, the types
// and the shape, tested without a card. No choice changes which blocks are kept; the same card and shape give the same
// bits.
#pragma once
#include <cstdint>

#include "ops/attention/attention.h"
#include "runtime/device.h"

namespace rushes::attention {

/// How the chosen blocks are multiplied.
enum class SparseArithmetic {
  fma,       // f32 multiply-adds: f32 input, and heads above 128 channels
  bf16,      // sla: bf16 scores, bf16 values
  int8_f16,  // sagesla: int8 scores, f16 values
  int8_e4m3  // sagesla: int8 scores, e4m3 values; architecture 89 and from 120 on
};

/// The numbers of one call. Nothing in it depends on more than the arguments of choose_sparse_cuda.
struct SparseCudaChoice {
  SparseArithmetic arithmetic = SparseArithmetic::fma;
  int padded_size = 0;     // the head size as kernels hold it: 64, 128, 256 or 512
  int warp_tiles = 0;      // tiles of 16 query rows that one warp owns (tensor core kernels): 2 or 1
  int step_keys = 0;       // keys that go through scores, softmax and values together: 64 or 32
  int chunk_blocks = 0;    // key blocks whose phi(k)^T v one block of threads sums
  int selection_tile = 0;  // query blocks whose key blocks one block of threads chooses: 8, 2 or 1
};

/// Shared memory of one block of the attention kernel and of the selection kernel.
int attend_shared_bytes(SparseArithmetic arithmetic, int padded_size, int step_keys);
int selection_shared_bytes(int selection_tile, int64_t key_blocks, int64_t head_size);

/// `arithmetic` is what the table's entry for the card says; heads above 128 channels take fma instead. `heads`,
/// `head_size` (16..512, a multiple of 8) and `length` as in sparse_attention. Throws gpu.unsupported when the card
/// cannot hold the scores of one query block (above 1.3 million tokens at 99 KB of shared memory).
SparseCudaChoice choose_sparse_cuda(const DeviceInfo& device, SparseArithmetic arithmetic, int64_t heads,
                                    int64_t head_size, int64_t length);

}  // namespace rushes::attention
