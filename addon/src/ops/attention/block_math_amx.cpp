// Attention's block operations with AMX: bf16 and int8 products in tiles, the rest as AVX-512 BF16.
#if defined(__AMX_TILE__)
#include "ops/attention/block_math_amx_body.h"
#include "ops/attention/block_math_avx512_bf16_lanes.h"

namespace rushes::attention {
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
  template <int kTile>
  static void zero() {
    asm volatile("tilezero %%tmm%c0" ::"i"(kTile));
  }
  template <int kTile>
  static void load(const char* from, int64_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kTile>
  static void store(char* to, int64_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kSums, int kRows, int kColumns>
  static void dot_bf16() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kSums), "i"(kRows), "i"(kColumns));
  }
  template <int kSums, int kRows, int kColumns>
  static void dot_int8() {
    asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kSums), "i"(kRows), "i"(kColumns));
  }
};

}  // namespace

const BlockMath kBlockMathAmx = make_amx_math<HardwareTiles, Bf16Lanes>();
const Int8Math kInt8MathAmx = make_amx_int8_math<HardwareTiles>();

}  // namespace rushes::attention
#endif
