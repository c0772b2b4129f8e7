// The AMX tile instructions, for files compiled for AMX (suffix _amx) only. Kernels take them as a template parameter
// so that tests can give a plain C++ model instead.
#pragma once
#include <cstddef>
#include <cstdint>

namespace rushes {
namespace {

// As assembler, because the intrinsics take the tile numbers as literal tokens only.
struct HardwareTiles {
  struct alignas(64) Config {
    unsigned char palette = 1, start_row = 0, reserved[14] = {};
    unsigned short row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    unsigned char rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  };
  static void enter() {
    const Config config;
    asm volatile("ldtilecfg %0" ::"m"(config));
  }
  static void leave() { asm volatile("tilerelease"); }
  template <int kTileNumber>
  static inline __attribute__((always_inline)) void zero() {
    asm volatile("tilezero %%tmm%c0" ::"i"(kTileNumber));
  }
  template <int kTileNumber>
  static inline __attribute__((always_inline)) void load(const std::byte* from, int64_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(kTileNumber) : "memory");
  }
  template <int kTileNumber>
  static inline __attribute__((always_inline)) void store(std::byte* to, int64_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride), "i"(kTileNumber) : "memory");
  }
  template <int kSum, int kRow, int kColumn>
  static inline __attribute__((always_inline)) void dot_int8() {
    asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kSum), "i"(kRow), "i"(kColumn));
  }
  template <int kSum, int kRow, int kColumn>
  static inline __attribute__((always_inline)) void dot_bf16() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kSum), "i"(kRow), "i"(kColumn));
  }
};

}  // namespace
}  // namespace rushes
