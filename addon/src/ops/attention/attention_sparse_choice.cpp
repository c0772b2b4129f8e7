// The choice of sparse attention's kernels on the cuda backend, and its tuning numbers by architecture.
#include "ops/attention/attention_sparse_choice.h"

#include <algorithm>
#include <string>

#include "ops/attention/block_math.h"

namespace rushes::attention {
namespace {

// Shared memory of a multiprocessor limits how many blocks of threads it holds: about 100 KB on GeForce cards (86, 89,
// 120), 164 on 80, 228 on 90 and 100. The attention kernels want two blocks of four warps (32 rows a warp: each key and
// value is read from shared memory four times a query block) or, where only one block fits, one of eight warps, which
// reads it eight times; the tensor cores of those cards are slow enough with f32 sums that this does not show.
struct Tuning {
  int least_architecture;
  int warp_tiles, step_keys;
};
constexpr Tuning kBf16[] = {{120, 1, 64}, {90, 2, 64}, {89, 1, 64}, {86, 1, 64}, {80, 2, 32}};
constexpr Tuning kInt8F16[] = {{120, 1, 64}, {90, 2, 64}, {86, 1, 64}, {80, 2, 64}};
constexpr Tuning kInt8E4m3[] = {{89, 1, 64}};

template <size_t kCount>
const Tuning& tuning_for(const Tuning (&table)[kCount], int architecture) {
  for (const Tuning& tuning : table)
    if (architecture >= tuning.least_architecture) return tuning;
  return table[kCount - 1];
}

// Partial sums of phi(k)^T v take padded^2 floats each: enough of them to fill a card of 132 multiprocessors three
// times, no more, because 480 take 31 MB.
constexpr int64_t kPartialSums = 480;
constexpr int64_t kLeastChunk = 4;

constexpr int kBlockReserve = 1024;  // what the driver keeps of a block's shared memory

}  // namespace

int attend_shared_bytes(SparseArithmetic arithmetic, int padded_size, int step_keys) {
  const int query = static_cast<int>(kQueryRows) * padded_size, keys = step_keys * padded_size;
  switch (arithmetic) {
    case SparseArithmetic::bf16:
      return 2 * query + 2 * (2 * keys + 2 * keys);
    case SparseArithmetic::int8_f16:
      return query + 2 * (keys + 2 * keys);
    case SparseArithmetic::int8_e4m3:
      return query + 2 * (keys + keys);
    case SparseArithmetic::fma:
      break;
  }
  return 4 * (2 * 64 * 33 + 64 * 65 + 64 * 64);
}

int selection_shared_bytes(int selection_tile, int64_t key_blocks, int64_t head_size) {
  constexpr int64_t kKeyTile = 128 * 33;
  return static_cast<int>(4 * (selection_tile * (head_size + key_blocks) + kKeyTile + 8));
}

SparseCudaChoice choose_sparse_cuda(const DeviceInfo& device, SparseArithmetic arithmetic, int64_t heads,
                                    int64_t head_size, int64_t length) {
  const int64_t key_blocks = (length + kPanelKeys - 1) / kPanelKeys,
                query_blocks = (length + kQueryRows - 1) / kQueryRows;
  SparseCudaChoice choice;
  choice.padded_size = head_size <= 64 ? 64 : head_size <= 128 ? 128 : head_size <= 256 ? 256 : 512;
  if (arithmetic != SparseArithmetic::fma && choice.padded_size <= 128) {
    choice.arithmetic = arithmetic;
    const Tuning& tuning = arithmetic == SparseArithmetic::bf16       ? tuning_for(kBf16, device.architecture)
                           : arithmetic == SparseArithmetic::int8_f16 ? tuning_for(kInt8F16, device.architecture)
                                                                      : tuning_for(kInt8E4m3, device.architecture);
    choice.warp_tiles = tuning.warp_tiles;
    choice.step_keys = tuning.step_keys;
  }
  const int64_t wanted = (key_blocks * heads + kPartialSums - 1) / kPartialSums;
  choice.chunk_blocks = static_cast<int>(std::min(std::max(wanted, kLeastChunk), key_blocks));

  // Eight query blocks share one reading of the pooled keys, where that still leaves work for the whole card.
  const int64_t room = static_cast<int64_t>(device.shared_bytes) - kBlockReserve;
  for (const int tile : {8, 2, 1}) {
    choice.selection_tile = tile;
    const int bytes = selection_shared_bytes(tile, key_blocks, head_size);
    const bool fills = heads * ((query_blocks + tile - 1) / tile) >= device.multiprocessors;
    if (bytes <= room && (tile == 1 || (fills && bytes <= 72 * 1024))) return choice;
  }
  throw Error("gpu.unsupported", "This graphics card cannot hold the block scores of so long a video.",
              "Choose fewer frames or a smaller size.", std::to_string(length) + " tokens");
}

}  // namespace rushes::attention
