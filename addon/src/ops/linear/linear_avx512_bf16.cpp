// The bf16 panel kernel for AVX-512 BF16: 6 rows x 64 columns in 24 registers.
#include <immintrin.h>

#include "ops/linear/finish_body.h"
#include "ops/linear/pack_body.h"
#include "ops/linear/panel_kernels.h"
#include "ops/linear/product_body.h"

namespace rushes {
namespace {

struct Avx512Bf16 {
  static constexpr int kRows = 6, kVectors = 4, kLanes = 16, kDepth = 2, kWeightBytes = 64;
  using Sum = __m512;
  using Weights = __m512i;
  using Row = __m512i;
  static RUSHES_INLINE Weights weights(const std::byte* from) { return _mm512_loadu_si512(from); }
  static RUSHES_INLINE Row row(const std::byte* from) {
    int32_t pair;
    std::memcpy(&pair, from, 4);
    return _mm512_set1_epi32(pair);
  }
  // As assembler: GCC 12 copies the accumulators around the intrinsic.
  static RUSHES_INLINE void add(Sum& sum, Weights w, Row a) {
    asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(w), "v"(a));
  }
};

}  // namespace

const PanelKernel kBf16Avx512Bf16 = {.format = LinearFormat::bf16,
                                     .product = DType::bf16,
                                     .activation = DType::bf16,
                                     .weight = DType::bf16,
                                     .rows = 6,
                                     .columns = 64,
                                     .row_group = 2,
                                     .column_group = 2,
                                     .weight_offset = 0,
                                     .pack = pack_float<16, 6, 2, true>,
                                     .interleave = interleave_words<16>,
                                     .multiply = multiply_float<Avx512Bf16>,
                                     .finish = finish_panel<16, 64>};

}  // namespace rushes
