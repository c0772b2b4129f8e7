// What this CPU can do, and the instruction sets kernels are chosen by.
#pragma once
#include <string>
#include <string_view>

namespace rushes {

/// Instruction sets in rising order of preference. A kernel names the one it needs; the list may grow (NEON, i8mm).
enum class Isa { portable, avx2, avxvnni, avx512, avx512_vnni, avx512_bf16, amx };

std::string_view isa_name(Isa isa);

/// The instruction sets that CPU and operating system both offer (CPUID, XCR0; AMX needs and gets its permission from
/// the kernel once per process).
struct CpuFeatures {
  bool avx2 = false, avxvnni = false, avx512 = false, avx512_vnni = false, avx512_bf16 = false, amx_int8 = false,
       amx_bf16 = false;
  std::string model;  // "AMD EPYC ..."
  int cores = 1;      // usable by this process (its affinity and its control groups' quotas)

  bool supports(Isa isa) const;
  /// The same CPU with everything above `limit` switched off: how tests and `--isa` force a path.
  CpuFeatures limited_to(Isa limit) const;
  /// Detected once. The environment variable RUSHES_ISA (an isa_name) limits it.
  static const CpuFeatures& host();
};

}  // namespace rushes
