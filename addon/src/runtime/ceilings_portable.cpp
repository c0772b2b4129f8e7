// The int8 and f32 peaks of the baseline instructions (SSE2).
#include "runtime/ceilings.h"

namespace rushes {

double peak_int8_portable(long rounds) {
  const double operations = 6.0 * 16 * rounds;
  asm volatile(
      ".irp r,0,1,2,3,4,5,14,15\n pxor %%xmm\\r, %%xmm\\r\n .endr\n"
      "1:\n"
      ".irp r,0,1,2,3,4,5\n movdqa %%xmm14, %%xmm12\n pmaddwd %%xmm15, %%xmm12\n paddd %%xmm12, %%xmm\\r\n .endr\n"
      "dec %0\n jnz 1b"
      : "+r"(rounds)
      :
      : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm12", "xmm14", "xmm15");
  return operations;
}

double peak_f32_portable(long rounds) {
  const double operations = 6.0 * 8 * rounds;
  asm volatile(
      ".irp r,0,1,2,3,4,5,14,15\n pxor %%xmm\\r, %%xmm\\r\n .endr\n"
      "1:\n"
      ".irp r,0,1,2,3,4,5\n movaps %%xmm14, %%xmm12\n mulps %%xmm15, %%xmm12\n addps %%xmm12, %%xmm\\r\n .endr\n"
      "dec %0\n jnz 1b"
      : "+r"(rounds)
      :
      : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm12", "xmm14", "xmm15");
  return operations;
}

}  // namespace rushes
