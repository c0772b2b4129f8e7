// Operands of the matrix instructions on their way from global to shared memory: rows of 128 bytes of depth, swizzled
// so that neither ldmatrix nor wgmma meets a bank twice.
#pragma once
#include "cuda/device.h"
#include "ops/linear/product_cuda.h"

namespace rushes::cuda {

constexpr int kStepBytes = 128;  // of depth: a tile of int8, or 64 bf16

/// Copies one step of kRows rows from `first_row` on, by a block of kThreads. Eight neighbouring threads copy one row's
/// 128 bytes; rows beyond the matrix and bytes beyond the depth arrive as zeros. Every address is made anew from what
/// is the same for all threads: registers are what the kernels are short of.
template <int kRows, int kThreads>
RUSHES_DEVICE void copy_step(Shared<uint8_t> to, const void* from, int64_t stride, int first_row, int rows,
                             int depth_byte, int depth_bytes) {
  constexpr int kRowsAtOnce = kThreads / 8;
  static_assert(kRowsAtOnce % 8 == 0 && kRows % kRowsAtOnce == 0);
  const int thread_row = thread_index() / 8, chunk = thread_index() % 8;
  const int row = first_row + thread_row, byte = depth_byte + chunk * 16;
  const int place = swizzled_128(thread_row, chunk);
  const uint8_t* at = static_cast<const uint8_t*>(from) + row * stride + byte;
  const int valid_rows = byte < depth_bytes ? rows - row : 0;
#pragma unroll
  for (int i = 0; i < kRows / kRowsAtOnce; ++i, at += kRowsAtOnce * stride)
    copy_async(to, place + i * kRowsAtOnce * kStepBytes, at, i * kRowsAtOnce < valid_rows);
}

}  // namespace rushes::cuda
