// Register tiles of the convolution for AVX-512: 8 pixels x 48 outputs in f32.
#if defined(__x86_64__)
#include "ops/convolution/convolution_tile_avx512.h"

namespace rushes::convolution_tiles {
namespace {

struct F32Arithmetic {
  using Element = float;
  static constexpr int kGroup = 1;
  static __m512 broadcast(const float* x) { return _mm512_set1_ps(*x); }
  static __m512 weight(const float* w) { return _mm512_loadu_ps(w); }
  static __m512 multiply_add(__m512 sum, __m512 x, __m512 w) { return _mm512_fmadd_ps(x, w, sum); }
};

}  // namespace

const TileKernel kAvx512 = {.lanes = 16,
                            .pixels = {0, 24, 12, 8, 6},
                            .tile = tile<F32Arithmetic>,
                            .store = store,
                            .to_bf16 = to_bf16,
                            .to_f32 = to_f32};

}  // namespace rushes::convolution_tiles
#endif
