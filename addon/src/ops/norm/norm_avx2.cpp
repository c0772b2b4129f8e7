// The norms on AVX2 registers.
#if defined(__x86_64__)
#include "ops/simd/lanes_avx2.h"
// The kernels are written over these lanes.
#include "ops/norm/norm_lanes.h"

namespace rushes {

void layer_norm_avx2(const NormRows& rows, int64_t begin, int64_t end) {
  RUSHES_FOR_ELEMENT_TYPES(layer_norm_rows, rows, begin, end);
}
void rms_norm_avx2(const NormRows& rows, int64_t begin, int64_t end) {
  RUSHES_FOR_ELEMENT_TYPES(rms_norm_rows, rows, begin, end);
}
void rms_norm_rotary_avx2(const NormRows& rows, int64_t begin, int64_t end) {
  RUSHES_FOR_ELEMENT_TYPES(rms_norm_rotary_rows, rows, begin, end);
}

}  // namespace rushes
#endif
