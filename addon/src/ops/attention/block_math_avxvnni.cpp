// Int8 scores with AVX-VNNI (256 bit, no AVX-512).
#if defined(__AVXVNNI__)
#include <immintrin.h>

#include "ops/attention/block_math_avxvnni_body.h"

namespace rushes::attention {
namespace {

struct Vpdpbusd {
  static Int8Sums dot(Int8Sums sum, Int8Sums k, Int8Sums q) {
    return reinterpret_cast<Int8Sums>(_mm256_dpbusd_avx_epi32(
        reinterpret_cast<__m256i>(sum), reinterpret_cast<__m256i>(k), reinterpret_cast<__m256i>(q)));
  }
};

}  // namespace

const Int8Math kInt8MathAvxVnni = make_int8_math<AvxVnniLanes<Vpdpbusd>>();

}  // namespace rushes::attention
#endif
