// What a card can do at most: kernels that do nothing but one kind of product in registers, or copy memory. What
// benchmarks give their shares of.
#pragma once
#include <cstdint>

#include "cuda/host.h"

namespace rushes::cuda {

/// mma: matrix instructions of one warp. wgmma: of four warps, operands in shared memory (architecture 90). fma: plain
/// multiply-adds. e4m3 is an instruction of its
/// own on 89 and 120 only: elsewhere the compiler makes it of conversions and f16 products.
enum class Peak { mma_bf16, mma_int8, mma_e4m3, wgmma_bf16, wgmma_int8, fma_f32 };

/// True when cards of this architecture have the instruction.
bool has_peak(Peak peak, int architecture);
/// Threads of a block, all of which write one 32-bit word: the sum of what they made.
int peak_threads(Peak peak);
/// Operations (one multiply-add = 2) of one block in so many rounds.
double peak_operations(Peak peak, int rounds);

/// Words that launch_peak reads: pairs of bf16 in [-1, 1], or any bytes for int8.
constexpr int kPeakSeeds = 4096;

/// Every block multiplies what `seeds` (kPeakSeeds words on the card) holds in so many rounds and writes peak_threads
/// words to `out` + block * peak_threads: f32, or int32 for int8. Sums of integers wrap around.
void launch_peak(StreamHandle stream, Peak peak, int blocks, int rounds, const uint32_t* seeds, uint32_t* out);

/// Copies bytes, a multiple of 16, from one part of the card's memory to another, 16 a thread and turn.
void launch_copy(StreamHandle stream, const void* from, void* to, uint64_t bytes, int blocks);

}  // namespace rushes::cuda
