// Register tiles of the convolution for AVX-512 bf16: 8 pixels x 48 outputs, two channels an instruction.
#if defined(__x86_64__)
#include "ops/convolution/convolution_tile_avx512.h"

namespace rushes::convolution_tiles {
namespace {

struct Bf16Arithmetic {
  using Element = uint16_t;
  static constexpr int kGroup = 2;
  static __m512 broadcast(const uint16_t* x) {
    return _mm512_castsi512_ps(
        _mm512_set1_epi32(*reinterpret_cast<const int __attribute__((may_alias, aligned(2)))*>(x)));
  }
  static __m512 weight(const uint16_t* w) { return _mm512_loadu_ps(reinterpret_cast<const float*>(w)); }
  static __m512 multiply_add(__m512 sum, __m512 x, __m512 w) {
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(x), reinterpret_cast<__m512bh>(w));
  }
};

}  // namespace

const TileKernel kAvx512Bf16 = {.bf16 = true,
                                .lanes = 16,
                                .channel_multiple = 2,
                                .pixels = {0, 24, 12, 8, 6},
                                .tile = tile<Bf16Arithmetic>,
                                .store = store,
                                .to_bf16 = to_bf16,
                                .to_f32 = to_f32};

}  // namespace rushes::convolution_tiles
#endif
