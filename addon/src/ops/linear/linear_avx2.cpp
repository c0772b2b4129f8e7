// Panel kernels for AVX2 with FMA: 6 rows x 16 columns in 12 registers.
#include <immintrin.h>

#include "ops/linear/finish_body.h"
#include "ops/linear/pack_body.h"
#include "ops/linear/panel_kernels.h"
#include "ops/linear/product_body.h"

namespace rushes {
namespace {

// Without VNNI the 8-bit multiply-add saturates at 16 bits, so both sides are widened to 16 bits: weights as they are
// loaded, activations when they are packed.
struct Avx2Int8 {
  static constexpr int kRows = 6, kVectors = 2, kLanes = 8, kDepth = 2, kWeightBytes = 16;
  using Sum = __m256i;
  using Weights = __m256i;
  using Row = __m256i;
  static RUSHES_INLINE Sum start(int32_t) { return _mm256_setzero_si256(); }
  static RUSHES_INLINE Weights weights(const std::byte* from) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }
  static RUSHES_INLINE Row row(const std::byte* from) {
    int32_t pair;
    std::memcpy(&pair, from, 4);
    return _mm256_set1_epi32(pair);
  }
  static RUSHES_INLINE void add(Sum& sum, Weights w, Row a) { sum = _mm256_add_epi32(sum, _mm256_madd_epi16(w, a)); }
};

struct Avx2Float {
  static constexpr int kRows = 6, kVectors = 2, kLanes = 8, kDepth = 1, kWeightBytes = 32;
  using Sum = __m256;
  using Weights = __m256;
  using Row = __m256;
  static RUSHES_INLINE Weights weights(const std::byte* from) {
    return _mm256_loadu_ps(reinterpret_cast<const float*>(from));
  }
  static RUSHES_INLINE Row row(const std::byte* from) {
    return _mm256_broadcast_ss(reinterpret_cast<const float*>(from));
  }
  static RUSHES_INLINE void add(Sum& sum, Weights w, Row a) { sum = _mm256_fmadd_ps(w, a, sum); }
};

}  // namespace

const PanelKernel kInt8Avx2 = {.format = LinearFormat::int8_tiles,
                               .product = DType::i8,
                               .activation = DType::i16,
                               .weight = DType::i8,
                               .rows = 6,
                               .columns = 16,
                               .row_group = 2,
                               .column_group = 2,
                               .weight_offset = 0,
                               .pack = pack_int8<8, 6, 2, int16_t, 0>,
                               .quantize = quantize_tile<8>,
                               .multiply = multiply_int8<Avx2Int8>,
                               .finish = finish_panel<8, 16>};
const PanelKernel kF32Avx2 = {.format = LinearFormat::f32,
                              .product = DType::f32,
                              .activation = DType::f32,
                              .weight = DType::f32,
                              .rows = 6,
                              .columns = 16,
                              .row_group = 1,
                              .column_group = 1,
                              .weight_offset = 0,
                              .pack = pack_float<8, 6, 1, false>,
                              .interleave = interleave_words<8>,
                              .multiply = multiply_float<Avx2Float>,
                              .finish = finish_panel<8, 16>};
const PanelKernel kBf16WidenedAvx2 = {.format = LinearFormat::bf16,
                                      .product = DType::f32,
                                      .activation = DType::f32,
                                      .weight = DType::bf16,
                                      .rows = 6,
                                      .columns = 16,
                                      .row_group = 1,
                                      .column_group = 2,
                                      .weight_offset = 0,
                                      .pack = pack_float<8, 6, 1, false>,
                                      .interleave = interleave_words<8>,
                                      .widen = widen_pairs<8, 16>,
                                      .multiply = multiply_float<Avx2Float>,
                                      .finish = finish_panel<8, 16>};

}  // namespace rushes
