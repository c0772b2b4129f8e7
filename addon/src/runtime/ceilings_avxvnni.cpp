// The int8 peak of AVX-VNNI.
#include "runtime/ceilings.h"

namespace rushes {

double peak_int8_avxvnni(long rounds) {
  const double operations = 12.0 * 64 * rounds;
  asm volatile(
      ".irp r,0,1,2,3,4,5,6,7,8,9,10,11,14,15\n vpxor %%ymm\\r, %%ymm\\r, %%ymm\\r\n .endr\n"
      "1:\n"
      ".irp r,0,1,2,3,4,5,6,7,8,9,10,11\n %{vex%} vpdpbusd %%ymm15, %%ymm14, %%ymm\\r\n .endr\n"
      "dec %0\n jnz 1b"
      : "+r"(rounds)
      :
      : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm14",
        "xmm15");
  return operations;
}

}  // namespace rushes
