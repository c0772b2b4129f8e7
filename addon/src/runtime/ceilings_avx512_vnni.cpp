// The int8 peak of AVX-512 VNNI.
#include "runtime/ceilings.h"

namespace rushes {

// 24 independent chains hide the latency of 4 to 5 cycles on two pipes.
double peak_int8_avx512_vnni(long rounds) {
  const double operations = 24.0 * 128 * rounds;
  asm volatile(
      ".irp r,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,30,31\n vpxord %%zmm\\r, %%zmm\\r, "
      "%%zmm\\r\n .endr\n"
      "1:\n"
      ".irp r,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23\n vpdpbusd %%zmm31, %%zmm30, %%zmm\\r\n "
      ".endr\n"
      "dec %0\n jnz 1b"
      : "+r"(rounds)
      :
      : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
        "xmm13", "xmm14", "xmm15", "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm30",
        "xmm31");
  return operations;
}

}  // namespace rushes
