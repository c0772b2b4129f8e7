// The int8 panel kernel for AVX-512 VNNI: 6 rows x 64 columns in 24 registers.
#include <immintrin.h>

#include "ops/linear/finish_body.h"
#include "ops/linear/pack_body.h"
#include "ops/linear/panel_kernels.h"
#include "ops/linear/product_body.h"

namespace rushes {
namespace {

// Weights are unsigned (value + 128); every row's sum starts at -128 times the sum of its activations, so nothing but
// the weights is kept.
struct Avx512VnniInt8 {
  static constexpr int kRows = 6, kVectors = 4, kLanes = 16, kDepth = 4, kWeightBytes = 64;
  using Sum = __m512i;
  using Weights = __m512i;
  using Row = __m512i;
  static RUSHES_INLINE Sum start(int32_t value) { return _mm512_set1_epi32(value); }
  static RUSHES_INLINE Weights weights(const std::byte* from) { return _mm512_loadu_si512(from); }
  static RUSHES_INLINE Row row(const std::byte* from) {
    int32_t group;
    std::memcpy(&group, from, 4);
    return _mm512_set1_epi32(group);
  }
  // As assembler: GCC 12 copies and spills the accumulators around the intrinsic.
  static RUSHES_INLINE void add(Sum& sum, Weights w, Row a) { asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(w), "v"(a)); }
};

}  // namespace

const PanelKernel kInt8Avx512Vnni = {.format = LinearFormat::int8_tiles,
                                     .product = DType::i8,
                                     .activation = DType::i8,
                                     .weight = DType::i8,
                                     .rows = 6,
                                     .columns = 64,
                                     .row_group = 4,
                                     .column_group = 4,
                                     .weight_offset = 128,
                                     .pack = pack_int8<16, 6, 4, int8_t, 128>,
                                     .quantize = quantize_tile<16>,
                                     .multiply = multiply_int8<Avx512VnniInt8>,
                                     .finish = finish_panel<16, 64>};

}  // namespace rushes
