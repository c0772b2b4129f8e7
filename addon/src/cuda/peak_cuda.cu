// Kernels that reach a card's ceilings: products whose operands never leave registers (wgmma: shared memory), and a
// copy. Operands are not zeros: a card runs faster on zeros than it ever does on data.
#include "cuda/launch.h"
#include "cuda/peak.h"

namespace rushes::cuda {
namespace {

constexpr int kThreads = 256, kTiles = 8, kChains = 16;
// wgmma: 64 rows for each group of four warps and 256 columns, 128 bytes deep; a round reads them four times.
constexpr int kGroupRows = 64, kColumns = 256, kStepBytes = 128, kRepeats = 4;
constexpr int kGroupBytes = kGroupRows * kStepBytes, kColumnBytes = kColumns * kStepBytes;
constexpr int kSharedBytes = kThreads / 128 * kGroupBytes + kColumnBytes;

RUSHES_DEVICE uint32_t seed_at(const uint32_t* seeds, int i) {
  return seeds[(thread_index() * 29 + i * 331) % kPeakSeeds];
}

RUSHES_DEVICE uint32_t word_of(float sum) { return float_bits(sum); }
RUSHES_DEVICE uint32_t word_of(int32_t sum) { return static_cast<uint32_t>(sum); }
RUSHES_DEVICE float plus(float a, float b) { return a + b; }
RUSHES_DEVICE int32_t plus(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
}

template <class T, int kCount>
RUSHES_DEVICE T summed(const T (&sums)[kCount]) {
  T all = 0;
#pragma unroll
  for (int i = 0; i < kCount; ++i) all = plus(all, sums[i]);
  return all;
}

template <Peak kPeak, class T>
RUSHES_KERNEL(256, 2)
multiply_in_registers(int rounds, const uint32_t* seeds, uint32_t* out) {
  T sums[kTiles][4];
  uint32_t a[4], b[kTiles][2];
#pragma unroll
  for (int i = 0; i < 4; ++i) a[i] = seed_at(seeds, i);
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
    b[tile][0] = seed_at(seeds, 4 + 2 * tile);
    b[tile][1] = seed_at(seeds, 5 + 2 * tile);
#pragma unroll
    for (int i = 0; i < 4; ++i) sums[tile][i] = 0;
  }
  for (int round = 0; round < rounds; ++round)
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
      if constexpr (kPeak == Peak::mma_bf16)
        mma_bf16(sums[tile], a, b[tile]);
      else if constexpr (kPeak == Peak::mma_int8)
        mma_int8(sums[tile], a, b[tile]);
      else
        mma_e4m3(sums[tile], a, b[tile]);
    }
  T all = 0;
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) all = plus(all, summed(sums[tile]));
  out[block_x() * kThreads + thread_index()] = word_of(all);
}

template <Peak kPeak, class T>
RUSHES_KERNEL(256, 1)
multiply_in_groups(int rounds, const uint32_t* seeds, uint32_t* out) {
  const Shared<uint32_t> words = shared_memory<uint32_t>(0, kSharedBytes / 4);
  for (int i = thread_index(); i < kSharedBytes / 4; i += kThreads) words[i] = seeds[i * 29 % kPeakSeeds];
  fence_shared_for_wgmma();
  sync_block();
  const int group = warp_index() / 4;
  const Shared<uint8_t> rows = shared_memory<uint8_t>(group * kGroupBytes, kGroupBytes);
  const Shared<uint8_t> columns = shared_memory<uint8_t>(kThreads / 128 * kGroupBytes, kColumnBytes);
  T sums[kColumns / 2];
#pragma unroll
  for (int i = 0; i < kColumns / 2; ++i) sums[i] = 0;
  wgmma_ready(sums);
  for (int round = 0; round < rounds; ++round) {
    wgmma_begin();
#pragma unroll
    for (int slice = 0; slice < kRepeats * 4; ++slice) {
      if constexpr (kPeak == Peak::wgmma_bf16)
        wgmma_bf16<kColumns>(sums, rows, columns, slice % 4 * 32);
      else
        wgmma_int8<kColumns>(sums, rows, columns, slice % 4 * 32);
    }
    wgmma_commit();
    wgmma_wait<0>();
  }
  wgmma_ready(sums);
  out[block_x() * kThreads + thread_index()] = word_of(summed(sums));
}

RUSHES_KERNEL(256, 4)
multiply_and_add(int rounds, const uint32_t* seeds, uint32_t* out) {
  float sums[kChains];
#pragma unroll
  for (int i = 0; i < kChains; ++i) sums[i] = bf16_low(seed_at(seeds, i));
  const float factor = bf16_high(seed_at(seeds, kChains)), addend = bf16_low(seed_at(seeds, kChains + 1));
  for (int round = 0; round < rounds; ++round)
#pragma unroll
    for (int i = 0; i < kChains; ++i) sums[i] = fused(sums[i], factor, addend);
  out[block_x() * kThreads + thread_index()] = word_of(summed(sums));
}

RUSHES_KERNEL(256, 4)
copy_words(const Words4* from, Words4* to, int64_t count) {
  const int64_t stride = static_cast<int64_t>(grid_x()) * kThreads;
  int64_t i = static_cast<int64_t>(block_x()) * kThreads + thread_index();
  for (; i + 3 * stride < count; i += 4 * stride) {
    Words4 words[4];
#pragma unroll
    for (int j = 0; j < 4; ++j) words[j] = from[i + j * stride];
#pragma unroll
    for (int j = 0; j < 4; ++j) to[i + j * stride] = words[j];
  }
  for (; i < count; i += stride) to[i] = from[i];
}

}  // namespace

void launch_peak(StreamHandle stream, Peak peak, int blocks, int rounds, const uint32_t* seeds, uint32_t* out) {
  const auto start = [&](auto kernel, int shared_bytes) {
    launch(stream, "a ceiling's kernel", kernel, Grid{blocks}, kThreads, shared_bytes, rounds, seeds, out);
  };
  switch (peak) {
    case Peak::mma_bf16:
      return start(multiply_in_registers<Peak::mma_bf16, float>, 0);
    case Peak::mma_int8:
      return start(multiply_in_registers<Peak::mma_int8, int32_t>, 0);
    case Peak::mma_e4m3:
      return start(multiply_in_registers<Peak::mma_e4m3, float>, 0);
    case Peak::wgmma_bf16:
      return start(multiply_in_groups<Peak::wgmma_bf16, float>, kSharedBytes);
    case Peak::wgmma_int8:
      return start(multiply_in_groups<Peak::wgmma_int8, int32_t>, kSharedBytes);
    case Peak::fma_f32:
      return start(multiply_and_add, 0);
  }
}

void launch_copy(StreamHandle stream, const void* from, void* to, uint64_t bytes, int blocks) {
  launch(stream, "a copy", copy_words, Grid{blocks}, kThreads, 0, static_cast<const Words4*>(from),
         static_cast<Words4*>(to), static_cast<int64_t>(bytes / 16));
}

}  // namespace rushes::cuda
