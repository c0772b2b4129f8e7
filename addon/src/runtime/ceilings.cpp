#include "runtime/ceilings.h"

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace rushes {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

/// A way to reach one peak. `operations_per_cycle` of one core; zero where this microarchitecture is not known.
struct Peak {
  Isa isa;
  PeakKernel run;
  double operations_per_cycle;
  const char* instruction;
};

/// Vector multiply-adds a core starts in a cycle. From the vendors' optimisation manuals and uops.info.
struct Pipes {
  double ymm = 2, zmm = 0;  // zmm 0: not known
};

Pipes pipes_of_this_cpu() {
  Pipes pipes;
#if defined(__x86_64__)
  unsigned a, b, c, d;
  char vendor[13] = {};
  if (!__get_cpuid(0, &a, &b, &c, &d)) return pipes;
  std::memcpy(vendor, &b, 4);
  std::memcpy(vendor + 4, &d, 4);
  std::memcpy(vendor + 8, &c, 4);
  __get_cpuid(1, &a, &b, &c, &d);
  const unsigned family = ((a >> 8) & 15) + ((a >> 20) & 255), model = ((a >> 4) & 15) | ((a >> 12) & 0xf0);
  if (!std::strcmp(vendor, "AuthenticAMD")) {
    if (family == 0x17 && model < 0x30) pipes.ymm = 1;  // Zen 1 splits 256-bit operations
    if (family == 0x19) pipes.zmm = 1;                  // Zen 4 splits 512-bit operations
    if (family == 0x1a) pipes.zmm = 2;                  // Zen 5
  } else if (!std::strcmp(vendor, "GenuineIntel") && family == 6) {
    const bool server = model == 0x55 || model == 0x6a || model == 0x6c || model == 0x8f || model == 0xcf ||
                        model == 0xad || model == 0xae;  // Skylake-SP to Granite Rapids: a second 512-bit unit
    pipes.zmm = server ? 2 : 1;
  }
#endif
  return pipes;
}

/// Rate of one kernel on all threads: each thread's best slice, so that a neighbour's burst does not lower the ceiling.
double best_rate(PeakKernel kernel, int threads, double seconds) {
  double sum = 0;
#pragma omp parallel num_threads(threads) reduction(+ : sum)
  {
    long rounds = 1000;
    while (true) {  // a slice of about a millisecond
      const auto begin = Clock::now();
      kernel(rounds);
      if (seconds_since(begin) > 1e-3) break;
      rounds *= 2;
    }
    double best = 0;
#pragma omp barrier
    for (const auto begin = Clock::now(); seconds_since(begin) < seconds;) {
      const auto slice = Clock::now();
      const double operations = kernel(rounds);
      best = std::max(best, operations / seconds_since(slice));
    }
    sum += best;
  }
  return sum;
}

Ceiling measure(const char* name, const std::vector<Peak>& peaks, const CpuFeatures& features, int threads,
                double seconds, double clock) {
  const Peak* widest = &peaks.front();
  for (const Peak& peak : peaks)
    if (features.supports(peak.isa)) widest = &peak;
  Ceiling out;
  out.name = name;
  out.isa = widest->isa;
  out.rate = best_rate(widest->run, threads, seconds);
  out.note = widest->instruction;
  out.theory = widest->operations_per_cycle * clock * threads;
  if (out.theory == 0) {
    out.theory = out.rate;
    out.note +=
        "; how many of these this CPU starts per cycle is not known, so the measured rate stands for the theory";
  }
  out.share = out.rate / out.theory;
  if (out.share < 0.9) {
    char text[200];
    std::snprintf(
        text, sizeof text,
        "; below 90%%: the core clock was %.2f GHz in a scalar loop and falls under wide instructions, or other "
        "programs share the cores",
        clock / 1e9);
    out.note += text;
  }
  return out;
}

Ceiling measure_copy(int threads, double seconds) {
  constexpr size_t kBytes = size_t{64} << 20;  // of each thread; far beyond any cache it owns
  std::vector<std::unique_ptr<char[]>> from(threads), to(threads);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int i = 0; i < threads; ++i) {  // first touched by the thread that copies it
    from[i] = std::make_unique<char[]>(kBytes);
    to[i] = std::make_unique<char[]>(kBytes);
  }
  Ceiling out;
  out.name = "memory";
  out.note = "memcpy, bytes read plus bytes written";
  for (const auto begin = Clock::now(); seconds_since(begin) < seconds || out.rate == 0;) {
    const auto pass = Clock::now();
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int i = 0; i < threads; ++i) std::memcpy(to[i].get(), from[i].get(), kBytes);
    out.rate = std::max(out.rate, 2.0 * kBytes * threads / seconds_since(pass));
  }
  return out;
}

}  // namespace

double measure_core_clock(double seconds) {
#if defined(__x86_64__)
  double best = 0;
  for (const auto begin = Clock::now(); seconds_since(begin) < seconds || best == 0;) {
    uint64_t value = 1, step = 3;
    long rounds = 20000;
    const auto slice = Clock::now();
    asm volatile(
        "1:\n .rept 64\n add %[step], %[value]\n .endr\n"
        "dec %[rounds]\n jnz 1b"
        : [value] "+r"(value), [rounds] "+r"(rounds)
        : [step] "r"(step)
        : "cc");
    best = std::max(best, 64.0 * 20000 / seconds_since(slice));
  }
  return best;
#else
  (void)seconds;
  return 0;
#endif
}

Ceilings measure_ceilings(const CpuFeatures& features, int threads, double seconds) {
  Ceilings out;
  double clock = 0;
#pragma omp parallel num_threads(threads) reduction(+ : clock)
  clock += measure_core_clock(seconds / 2);
  out.clock_hertz = clock / threads;
  const Pipes pipes = pipes_of_this_cpu();
  out.int8 = measure("int8",
                     {{Isa::portable, peak_int8_portable, 0, "pmaddwd"},
                      {Isa::avx2, peak_int8_avx2, pipes.ymm * 32, "vpmaddubsw + vpmaddwd + vpaddd, 256 bits"},
                      {Isa::avxvnni, peak_int8_avxvnni, pipes.ymm * 64, "vpdpbusd, 256 bits"},
                      {Isa::avx512_vnni, peak_int8_avx512_vnni, pipes.zmm * 128, "vpdpbusd, 512 bits"},
                      {Isa::amx, peak_int8_amx, 2048, "tdpbssd"}},
                     features, threads, seconds, out.clock_hertz);
  out.f32 = measure("f32",
                    {{Isa::portable, peak_f32_portable, 0, "mulps + addps"},
                     {Isa::avx2, peak_f32_avx2, pipes.ymm * 16, "vfmadd, 256 bits"},
                     {Isa::avx512, peak_f32_avx512, pipes.zmm * 32, "vfmadd, 512 bits"}},
                    features, threads, seconds, out.clock_hertz);
  if (features.avx512_bf16) {
    out.bf16 = measure("bf16",
                       {{Isa::avx512_bf16, peak_bf16_avx512_bf16, pipes.zmm * 64, "vdpbf16ps, 512 bits"},
                        {Isa::amx, peak_bf16_amx, 1024, "tdpbf16ps"}},
                       features, threads, seconds, out.clock_hertz);
  } else {
    out.bf16 = out.f32;
    out.bf16.name = "bf16";
    out.bf16.note += "; this CPU has no bf16 products, so its f32 rate stands here";
  }
  out.memory = measure_copy(threads, seconds);
  return out;
}

}  // namespace rushes
