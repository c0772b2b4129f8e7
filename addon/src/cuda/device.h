// The one header through which kernels reach the GPU: everything beyond plain C++ that a kernel does is a function
// declared here. A kernel's source is a .cu file that includes this header and nothing else of CUDA. nvcc compiles it with
// the PTX of device_ptx.h; the tests compile the same file as C++ with emulator/device_emulator.h, where a block's threads
// are fibers. What a kernel must keep to, so that both are exact:
//   - shared memory only through Shared<T>; global memory through plain pointers (16-byte aligned where 16 bytes move);
//   - a function that says "the whole warp" is called by all 32 threads of a warp together, converged;
//   - blocks are one-dimensional, a multiple of 32 threads; no dynamic parallelism, no static shared arrays, no __syncthreads
//     by any other name;
//   - no value may depend on the order in which blocks run (results are bit-identical from run to run).
#pragma once
#include <cstdint>

#if defined(RUSHES_CUDA_EMULATOR)
#define RUSHES_DEVICE inline
#define RUSHES_KERNEL(threads, blocks) void
/// Where in a kernel's source a function was called, for the emulator's errors. Nothing on a GPU.
#define RUSHES_SITE const char *file = __builtin_FILE(), int line = __builtin_LINE()
#define RUSHES_AND_SITE , RUSHES_SITE
#else
#define RUSHES_SITE
#define RUSHES_AND_SITE
#define RUSHES_DEVICE __device__ __forceinline__
/// Before a kernel's name: the most threads of a block, and how many blocks a multiprocessor should hold.
#define RUSHES_KERNEL(threads, blocks) __global__ void __launch_bounds__(threads, blocks)
#endif

namespace rushes::cuda {

/// 16 bytes that move in one instruction.
struct alignas(16) Words4 {
  uint32_t word[4];
};
struct alignas(8) Words2 {
  uint32_t word[2];
};

// ---- where this thread is
RUSHES_DEVICE int thread_index();   // in the block
RUSHES_DEVICE int block_threads();  // threads of a block
RUSHES_DEVICE int lane_index();     // in the warp, 0..31
RUSHES_DEVICE int warp_index();     // in the block; the same value in all 32 threads
RUSHES_DEVICE int block_x();
RUSHES_DEVICE int block_y();
RUSHES_DEVICE int block_z();
RUSHES_DEVICE int grid_x();  // blocks in that direction
RUSHES_DEVICE int grid_y();
RUSHES_DEVICE int grid_z();

// ---- shared memory
/// A typed window on the block's shared memory: `array[i]` reads and assigns an element; `array.part(i)` is the window from
/// element i on; `array.as<U>()` the same bytes as U. The emulator checks bounds, initialisation and races on every access.
/// The actual class is in device_ptx.h and device_emulator.h; both have: T operator[](int) const / proxy, part, as, count().
template <class T>
class Shared;
/// `count` elements from byte `offset` (a multiple of 16; 1024 for operands of wgmma) of the launch's shared bytes.
template <class T>
RUSHES_DEVICE Shared<T> shared_memory(int offset, int count);

// ---- order
RUSHES_DEVICE void sync_block(RUSHES_SITE);  // barrier of all threads of the block; orders shared and global memory
RUSHES_DEVICE void sync_warp(RUSHES_SITE);   // the whole warp; orders shared memory among its threads

// ---- between the lanes of a warp (the whole warp). T: float, int32_t, uint32_t
template <class T>
RUSHES_DEVICE T shuffle(T value, int lane);
template <class T>
RUSHES_DEVICE T shuffle_xor(T value, int mask);
template <class T>
RUSHES_DEVICE T shuffle_down(T value, int distance);
RUSHES_DEVICE uint32_t warp_ballot(bool predicate);

// ---- global to shared memory without registers, 16 bytes a call
/// to[index..] = from[..]; zeros when not `valid` (from is then not read). Not visible before copy_async_wait and a barrier.
template <class T>
RUSHES_DEVICE void copy_async(Shared<T> to, int index, const T* from, bool valid = true RUSHES_AND_SITE);
RUSHES_DEVICE void copy_async_commit();  // ends a group of this thread's copies
template <int kGroupsLeft>
RUSHES_DEVICE void copy_async_wait(RUSHES_SITE);  // all but the latest kGroupsLeft groups of this thread have arrived

// ---- matrix fragments of the whole warp
/// ldmatrix of kCount (1, 2, 4) 8x8 matrices of 16-bit elements: lane i gives the row of 16 bytes that starts at rows[index],
/// lanes 8m..8m+7 the rows of matrix m. In matrix m lane l gets row l / 4, the two elements from column 2 * (l % 4) on; with
/// `transposed` column l / 4, the elements of rows 2 * (l % 4) and the next.
template <int kCount, class T>
RUSHES_DEVICE void load_matrix(uint32_t (&out)[kCount], Shared<T> rows, int index RUSHES_AND_SITE);
template <int kCount, class T>
RUSHES_DEVICE void load_matrix_transposed(uint32_t (&out)[kCount], Shared<T> rows, int index RUSHES_AND_SITE);

/// d += a b: mma.sync m16n8k16 (bf16, f16) and m16n8k32 (int8, e4m3), a row-major, b column-major, fragments as in the PTX
/// manual: with g = lane / 4 and t = lane % 4, d[0], d[1] are row g, columns 2t, 2t+1; d[2], d[3] row g + 8.
RUSHES_DEVICE void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);
RUSHES_DEVICE void mma_f16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);
RUSHES_DEVICE void mma_int8(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);
RUSHES_DEVICE void mma_e4m3(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);  // architecture 89 and later

// ---- wgmma (architecture 90a only): four consecutive warps together, d += a b for 64 x kColumns x 32 bytes of depth.
// Operands lie in shared memory K-major in rows of 128 bytes with the 128-byte swizzle (swizzled_128), 8 rows to 1024 bytes,
// groups of 8 rows one after the other; `a` and `b` are the first row's window, `depth_byte` (0, 32, 64, 96) the slice.
// Where `adds` is false d = a b, whatever d held.
/// The place of 16-byte chunk `chunk` (0..7) of row `row` in such an operand, in bytes from its start.
RUSHES_DEVICE int swizzled_128(int row, int chunk);
template <int kColumns>
RUSHES_DEVICE void wgmma_bf16(float (&d)[kColumns / 2], Shared<uint8_t> a, Shared<uint8_t> b, int depth_byte,
                              bool adds = true);
template <int kColumns>
RUSHES_DEVICE void wgmma_int8(int32_t (&d)[kColumns / 2], Shared<uint8_t> a, Shared<uint8_t> b, int depth_byte,
                              bool adds = true);
RUSHES_DEVICE void wgmma_begin();   // before the first product after the sums' registers were touched; wgmma_ready first
RUSHES_DEVICE void wgmma_commit();  // ends a group
template <int kGroupsLeft>
RUSHES_DEVICE void wgmma_wait();
/// These sums are in their registers here, which the compiler does not see by itself: before wgmma_begin what ordinary
/// code wrote, so that it is not written later; after wgmma_wait what the products made, so that it is not read earlier.
template <int kCount>
RUSHES_DEVICE void wgmma_ready(float (&d)[kCount]);
template <int kCount>
RUSHES_DEVICE void wgmma_ready(int32_t (&d)[kCount]);
/// Shared memory written by ordinary stores or copy_async is about to be read by wgmma: each writing thread, before the barrier.
RUSHES_DEVICE void fence_shared_for_wgmma();

// ---- conversions; rounding to nearest even, NaN stays NaN
RUSHES_DEVICE uint32_t pack_bf16(float low, float high);
RUSHES_DEVICE uint16_t to_bf16(float value);
RUSHES_DEVICE float from_bf16(uint16_t bits);
RUSHES_DEVICE float bf16_low(uint32_t pair);
RUSHES_DEVICE float bf16_high(uint32_t pair);
RUSHES_DEVICE uint32_t pack_f16(float low, float high);
RUSHES_DEVICE float f16_low(uint32_t pair);
RUSHES_DEVICE float f16_high(uint32_t pair);
RUSHES_DEVICE uint16_t pack_e4m3(float low, float high);  // saturates to +-448; architecture 89 and later
RUSHES_DEVICE int32_t round_to_int(float value);          // nearest, ties to even
RUSHES_DEVICE uint32_t float_bits(float value);
RUSHES_DEVICE float bits_float(uint32_t bits);

// ---- arithmetic
/// The exact ones round each operation as IEEE says on both sides; kernels that must give the CPU's bits use only these.
RUSHES_DEVICE float multiply(float a, float b);
RUSHES_DEVICE float add(float a, float b);
RUSHES_DEVICE float fused(float a, float b, float c);  // a * b + c, rounded once
RUSHES_DEVICE float divide(float a, float b);
RUSHES_DEVICE float square_root(float value);
RUSHES_DEVICE double multiply(double a, double b);
RUSHES_DEVICE double add(double a, double b);
RUSHES_DEVICE double divide(double a, double b);
RUSHES_DEVICE double square_root(double value);
/// 2^x within 2 units in the last place; ex2.approx.
RUSHES_DEVICE float exp2_quick(float value);
/// 1 / sqrt(x) within 2 units in the last place.
RUSHES_DEVICE float inverse_root(float value);
/// a / b within 2 units in the last place; 0 where b is above 2^126. div.approx
RUSHES_DEVICE float divide_quick(float a, float b);

// ---- global memory
RUSHES_DEVICE void atomic_or(uint32_t* word, uint32_t bits);
RUSHES_DEVICE void atomic_max(uint32_t* word, uint32_t value);

}  // namespace rushes::cuda

#if defined(RUSHES_CUDA_EMULATOR)
#include "cuda/emulator/device_emulator.h"
#else
#include "cuda/device_ptx.h"
#include "cuda/device_wgmma_ptx.h"
#endif
