// f32 panel kernels for AVX-512: 6 rows x 64 columns in 24 registers.
#include <immintrin.h>

#include "ops/linear/finish_body.h"
#include "ops/linear/pack_body.h"
#include "ops/linear/panel_kernels.h"
#include "ops/linear/product_body.h"

namespace rushes {
namespace {

struct Avx512Float {
  static constexpr int kRows = 6, kVectors = 4, kLanes = 16, kDepth = 1, kWeightBytes = 64;
  using Sum = __m512;
  using Weights = __m512;
  using Row = __m512;
  static RUSHES_INLINE Weights weights(const std::byte* from) { return _mm512_loadu_ps(from); }
  static RUSHES_INLINE Row row(const std::byte* from) { return _mm512_set1_ps(*reinterpret_cast<const float*>(from)); }
  static RUSHES_INLINE void add(Sum& sum, Weights w, Row a) {
    asm("vfmadd231ps %2, %1, %0" : "+v"(sum) : "v"(w), "v"(a));
  }
};

}  // namespace

const PanelKernel kF32Avx512 = {.format = LinearFormat::f32,
                                .product = DType::f32,
                                .activation = DType::f32,
                                .weight = DType::f32,
                                .rows = 6,
                                .columns = 64,
                                .row_group = 1,
                                .column_group = 1,
                                .weight_offset = 0,
                                .pack = pack_float<16, 6, 1, false>,
                                .interleave = interleave_words<16>,
                                .multiply = multiply_float<Avx512Float>,
                                .finish = finish_panel<16, 64>};
const PanelKernel kBf16WidenedAvx512 = {.format = LinearFormat::bf16,
                                        .product = DType::f32,
                                        .activation = DType::f32,
                                        .weight = DType::bf16,
                                        .rows = 6,
                                        .columns = 64,
                                        .row_group = 1,
                                        .column_group = 2,
                                        .weight_offset = 0,
                                        .pack = pack_float<16, 6, 1, false>,
                                        .interleave = interleave_words<16>,
                                        .widen = widen_pairs<16, 64>,
                                        .multiply = multiply_float<Avx512Float>,
                                        .finish = finish_panel<16, 64>};

}  // namespace rushes
