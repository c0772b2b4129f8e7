// The int8 panel kernel for AVX-VNNI.
#include <immintrin.h>

#include "ops/linear/int8_avxvnni_body.h"
#include "ops/linear/panel_kernels.h"

namespace rushes {
namespace {

struct Avx2Register {
  using Register = __m256i;
  static RUSHES_INLINE Register all(int32_t value) { return _mm256_set1_epi32(value); }
  static RUSHES_INLINE Register load(const std::byte* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  // As assembler: GCC 12 copies the accumulator around the intrinsic.
  static RUSHES_INLINE void dot(Register& sum, Register w, Register a) {
    asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(w), "x"(a));
  }
};

}  // namespace

const PanelKernel kInt8AvxVnni = int8_avxvnni_kernel<Avx2Register>();

}  // namespace rushes
