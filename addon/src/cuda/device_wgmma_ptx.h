// wgmma on a GPU: the products of four warps together, for architecture 90a. Elsewhere the functions only have to
// compile: cuda/kernel_choice.h never chooses a kernel that calls them there.
//
// Operand descriptors (PTX ISA, "Matrix descriptor"): bits 0-13 the start address / 16, bits 32-45 the distance between
// groups of 8 rows / 16 (1024 bytes here), bits 62-63 the swizzle (1: 128 bytes). A slice of the depth is a start
// address that lies so many bytes further on: the swizzle is applied to addresses, which is why operands begin at
// multiples of 1024 bytes.
#pragma once

namespace rushes::cuda {

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)

RUSHES_DEVICE uint64_t wgmma_descriptor(Shared<uint8_t> rows, int depth_byte) {
  const uint64_t start = (rows.address(0) + static_cast<uint32_t>(depth_byte)) & 0x3ffffu;
  return (start >> 4) | (uint64_t{1} << 16) | (uint64_t{1024 >> 4} << 32) | (uint64_t{1} << 62);
}

// Register numbers of the sums in the text of an instruction, 32 at a time, and the sums as its operands.
#define RUSHES_REGISTERS_0                   \
  "%0, %1, %2, %3, %4, %5, %6, %7, "         \
  "%8, %9, %10, %11, %12, %13, %14, %15, "   \
  "%16, %17, %18, %19, %20, %21, %22, %23, " \
  "%24, %25, %26, %27, %28, %29, %30, %31"
#define RUSHES_REGISTERS_1                   \
  "%32, %33, %34, %35, %36, %37, %38, %39, " \
  "%40, %41, %42, %43, %44, %45, %46, %47, " \
  "%48, %49, %50, %51, %52, %53, %54, %55, " \
  "%56, %57, %58, %59, %60, %61, %62, %63"
#define RUSHES_REGISTERS_2                   \
  "%64, %65, %66, %67, %68, %69, %70, %71, " \
  "%72, %73, %74, %75, %76, %77, %78, %79, " \
  "%80, %81, %82, %83, %84, %85, %86, %87, " \
  "%88, %89, %90, %91, %92, %93, %94, %95"
#define RUSHES_REGISTERS_3                           \
  "%96, %97, %98, %99, %100, %101, %102, %103, "     \
  "%104, %105, %106, %107, %108, %109, %110, %111, " \
  "%112, %113, %114, %115, %116, %117, %118, %119, " \
  "%120, %121, %122, %123, %124, %125, %126, %127"
#define RUSHES_SUMS_8(c, i) \
  c(d[i]), c(d[i + 1]), c(d[i + 2]), c(d[i + 3]), c(d[i + 4]), c(d[i + 5]), c(d[i + 6]), c(d[i + 7])
#define RUSHES_SUMS_32(c, i) \
  RUSHES_SUMS_8(c, i), RUSHES_SUMS_8(c, i + 8), RUSHES_SUMS_8(c, i + 16), RUSHES_SUMS_8(c, i + 24)

// `a`, `b` and `add` are the three operands after the sums; without `add` the sums begin at zero.
#define RUSHES_WGMMA(shape, registers, a, b, add, tail, ...)                                          \
  asm volatile("{.reg .pred adds; setp.ne.b32 adds, " add                                             \
               ", 0; "                                                                                \
               "wgmma.mma_async.sync.aligned." shape " {" registers "}, " a ", " b ", adds" tail ";}" \
               : __VA_ARGS__                                                                          \
               : "l"(wgmma_descriptor(first, depth_byte)), "l"(wgmma_descriptor(second, depth_byte)), \
                 "r"(static_cast<int>(adds)))

#define RUSHES_WGMMA_FUNCTION(name, T, c, depth, types, tail)                                                          \
  template <int kColumns>                                                                                              \
  RUSHES_DEVICE void name(T(&d)[kColumns / 2], Shared<uint8_t> first, Shared<uint8_t> second, int depth_byte,          \
                          bool adds) {                                                                                 \
    if constexpr (kColumns == 64)                                                                                      \
      RUSHES_WGMMA("m64n64" depth types, RUSHES_REGISTERS_0, "%32", "%33", "%34", tail, RUSHES_SUMS_32(c, 0));         \
    else if constexpr (kColumns == 128)                                                                                \
      RUSHES_WGMMA("m64n128" depth types, RUSHES_REGISTERS_0 ", " RUSHES_REGISTERS_1, "%64", "%65", "%66", tail,       \
                   RUSHES_SUMS_32(c, 0), RUSHES_SUMS_32(c, 32));                                                       \
    else if constexpr (kColumns == 192)                                                                                \
      RUSHES_WGMMA("m64n192" depth types, RUSHES_REGISTERS_0 ", " RUSHES_REGISTERS_1 ", " RUSHES_REGISTERS_2, "%96",   \
                   "%97", "%98", tail, RUSHES_SUMS_32(c, 0), RUSHES_SUMS_32(c, 32), RUSHES_SUMS_32(c, 64));            \
    else                                                                                                               \
      RUSHES_WGMMA("m64n256" depth types,                                                                              \
                   RUSHES_REGISTERS_0 ", " RUSHES_REGISTERS_1 ", " RUSHES_REGISTERS_2 ", " RUSHES_REGISTERS_3, "%128", \
                   "%129", "%130", tail, RUSHES_SUMS_32(c, 0), RUSHES_SUMS_32(c, 32), RUSHES_SUMS_32(c, 64),           \
                   RUSHES_SUMS_32(c, 96));                                                                             \
  }
RUSHES_WGMMA_FUNCTION(wgmma_bf16, float, "+f", "k16", ".f32.bf16.bf16", ", 1, 1, 0, 0")
RUSHES_WGMMA_FUNCTION(wgmma_int8, int32_t, "+r", "k32", ".s32.s8.s8", "")
#undef RUSHES_WGMMA_FUNCTION
#undef RUSHES_WGMMA
#undef RUSHES_SUMS_32
#undef RUSHES_SUMS_8
#undef RUSHES_REGISTERS_0
#undef RUSHES_REGISTERS_1
#undef RUSHES_REGISTERS_2
#undef RUSHES_REGISTERS_3

RUSHES_DEVICE void wgmma_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
RUSHES_DEVICE void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int kGroupsLeft>
RUSHES_DEVICE void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kGroupsLeft) : "memory");
}
// The compiler knows neither fence nor wait: it may move what reads or writes a register across both (CUTLASS:
// warpgroup_fence_operand). It does not move one volatile asm across another.
template <int kCount>
RUSHES_DEVICE void wgmma_ready(float (&d)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) asm volatile("" : "+f"(d[i])::"memory");
}
template <int kCount>
RUSHES_DEVICE void wgmma_ready(int32_t (&d)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) asm volatile("" : "+r"(d[i])::"memory");
}
RUSHES_DEVICE void fence_shared_for_wgmma() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

#else

template <int kColumns>
RUSHES_DEVICE void wgmma_bf16(float (&)[kColumns / 2], Shared<uint8_t>, Shared<uint8_t>, int, bool) {
  asm volatile("trap;");
}
template <int kColumns>
RUSHES_DEVICE void wgmma_int8(int32_t (&)[kColumns / 2], Shared<uint8_t>, Shared<uint8_t>, int, bool) {
  asm volatile("trap;");
}
RUSHES_DEVICE void wgmma_begin() { asm volatile("trap;"); }
RUSHES_DEVICE void wgmma_commit() { asm volatile("trap;"); }
template <int kGroupsLeft>
RUSHES_DEVICE void wgmma_wait() {
  asm volatile("trap;");
}
template <int kCount>
RUSHES_DEVICE void wgmma_ready(float (&)[kCount]) {}
template <int kCount>
RUSHES_DEVICE void wgmma_ready(int32_t (&)[kCount]) {}
RUSHES_DEVICE void fence_shared_for_wgmma() { asm volatile("trap;"); }

#endif

}  // namespace rushes::cuda
