// What this machine can do at most, measured: multiply-adds with the widest instructions it has, and memory copy. What
// a benchmark gives its shares of.
#pragma once
#include <string>

#include "runtime/cpu_features.h"

namespace rushes {

/// One ceiling. `theory` = threads x measured clock x operations per cycle of this microarchitecture; zero for memory.
struct Ceiling {
  std::string name;  // "int8", "bf16", "f32", "memory"
  Isa isa = Isa::portable;
  double rate = 0;  // operations (one multiply-add = 2) or bytes (read plus written) per second
  double theory = 0;
  double share = 0;  // rate / theory
  std::string note;  // the instruction used; why the share is below 90%, when it is
};

struct Ceilings {
  double clock_hertz = 0;  // of a core while all `threads` work
  Ceiling int8, bf16, f32, memory;
  /// 0 int8, 1 bf16, 2 f32, 3 memory.
  const Ceiling& of(int kind) const { return kind == 0 ? int8 : kind == 1 ? bf16 : kind == 2 ? f32 : memory; }
};

/// Measures with `threads` threads for about `seconds` per ceiling. A CPU without bf16 instructions has the f32 rate as
/// its bf16 ceiling.
Ceilings measure_ceilings(const CpuFeatures& features, int threads, double seconds);

/// Cycles per second of the calling thread's core now: a chain of dependent additions, one per cycle on every x86-64.
double measure_core_clock(double seconds);

/// A micro-kernel: `rounds` rounds of register-only multiply-adds; returns the operations done (one multiply-add = 2).
using PeakKernel = double (*)(long rounds);
double peak_int8_avx2(long rounds);
double peak_int8_avxvnni(long rounds);
double peak_int8_avx512_vnni(long rounds);
double peak_int8_amx(long rounds);
double peak_bf16_avx512_bf16(long rounds);
double peak_bf16_amx(long rounds);
double peak_f32_avx2(long rounds);
double peak_f32_avx512(long rounds);
double peak_f32_portable(long rounds);
double peak_int8_portable(long rounds);

}  // namespace rushes
