// The products of tensor cores on fragments, as the PTX manual lays them out over the lanes of a warp
// (docs.nvidia.com/cuda/parallel-thread-execution, "Warp Level Matrix Instructions"). Sums are taken in f32 in the
// order of k; hardware does not say in which order it adds, and may keep fewer bits within one instruction.
#pragma once
#include <cstdint>

#include "cuda/emulator/block.h"

namespace rushes::cuda::emulator {

/// What a lane brings to a product m16n8; Sum is float or int32_t.
template <class Sum>
struct Product {
  Sum* d;             // 4
  const uint32_t* a;  // 4
  const uint32_t* b;  // 2
};

extern const WarpFunction kMmaBf16, kMmaF16, kMmaInt8, kMmaE4m3;

/// What a lane brings to ldmatrix: where its row of 16 bytes lies, and the window it must lie in.
struct MatrixRows {
  uint32_t* out;
  int offset;  // of the row
  int window_begin, window_end;
};
/// For 1, 2 and 4 matrices; [0] as they lie, [1] transposed.
extern const WarpFunction kLoadMatrix1[2], kLoadMatrix2[2], kLoadMatrix4[2];

}  // namespace rushes::cuda::emulator
