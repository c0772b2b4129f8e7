// The int8 and f32 peaks of AVX2.
#include "runtime/ceilings.h"

namespace rushes {

// The full product of 32 bytes: two multiplications and an addition.
double peak_int8_avx2(long rounds) {
  const double operations = 6.0 * 64 * rounds;
  asm volatile(
      "vzeroall\n"
      "1:\n"
      ".irp r,0,1,2,3,4,5\n"
      " vpmaddubsw %%ymm15, %%ymm14, %%ymm12\n vpmaddwd %%ymm13, %%ymm12, %%ymm12\n vpaddd %%ymm12, %%ymm\\r, "
      "%%ymm\\r\n"
      ".endr\n"
      "dec %0\n jnz 1b"
      : "+r"(rounds)
      :
      : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
        "xmm13", "xmm14", "xmm15");
  return operations;
}

double peak_f32_avx2(long rounds) {
  const double operations = 12.0 * 16 * rounds;
  asm volatile(
      "vzeroall\n"
      "1:\n"
      ".irp r,0,1,2,3,4,5,6,7,8,9,10,11\n vfmadd231ps %%ymm15, %%ymm14, %%ymm\\r\n .endr\n"
      "dec %0\n jnz 1b"
      : "+r"(rounds)
      :
      : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
        "xmm13", "xmm14", "xmm15");
  return operations;
}

}  // namespace rushes
