// Plain loops compiled twice, the second time for AVX2; the system's loader takes the one the CPU can run. For loops
// beside the kernels that are not worth a kernel table: no product and sum is fused (-ffp-contract=off) and no sum's
// order changes, so both give the same bits.
#pragma once

#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__)
#define RUSHES_WIDE_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define RUSHES_WIDE_CLONES
#endif
