#include "runtime/cpu_features.h"

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>

#include <sched.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "runtime/control_groups.h"

namespace rushes {
namespace {

constexpr std::string_view kNames[] = {"portable", "avx2", "avxvnni", "avx512", "avx512_vnni", "avx512_bf16", "amx"};

#if defined(__x86_64__)
uint64_t read_xcr0() {
  uint32_t low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<uint64_t>(high) << 32) | low;
}

// Linux hands out the tile registers on request only (arch_prctl ARCH_REQ_XCOMP_PERM, feature 18 = tile data).
bool request_tile_permission() { return syscall(SYS_arch_prctl, 0x1023, 18) == 0; }

void detect(CpuFeatures& features) {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & (1u << 27))) return;  // OSXSAVE
  const uint64_t xcr0 = read_xcr0();
  const bool fma = c & (1u << 12), f16c = c & (1u << 29);
  const bool ymm = (xcr0 & 6) == 6, zmm = (xcr0 & 0xe6) == 0xe6, tiles = (xcr0 & 0x60000) == 0x60000;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return;
  features.avx2 = ymm && fma && f16c && (b & (1u << 5));
  features.avx512 = zmm && features.avx2 && (b & (1u << 16)) && (b & (1u << 17)) && (b & (1u << 30)) && (b & (1u << 31));
  features.avx512_vnni = features.avx512 && (c & (1u << 11));
  const bool amx_tile = tiles && (d & (1u << 24)), amx_int8 = d & (1u << 25), amx_bf16 = d & (1u << 22);
  if (__get_cpuid_count(7, 1, &a, &b, &c, &d)) {
    features.avxvnni = features.avx2 && (a & (1u << 4));
    features.avx512_bf16 = features.avx512_vnni && (a & (1u << 5));
  }
  if (amx_tile && features.avx512_bf16 && request_tile_permission()) {
    features.amx_int8 = amx_int8;
    features.amx_bf16 = amx_bf16;
  }
  char brand[49] = {};
  for (unsigned i = 0; i < 3; ++i) {
    unsigned regs[4];
    if (!__get_cpuid(0x80000002u + i, &regs[0], &regs[1], &regs[2], &regs[3])) return;
    std::memcpy(brand + 16 * i, regs, 16);
  }
  features.model = brand;
  while (!features.model.empty() && features.model.back() == ' ') features.model.pop_back();
}
#endif

// The kernel refuses a mask that is shorter than its own, and cpu_set_t ends at 1024 processors.
int allowed_processors() {
  for (int most = CPU_SETSIZE; most <= 1 << 20; most *= 2) {
    const std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> set(CPU_ALLOC(most),
                                                               [](cpu_set_t* mask) { CPU_FREE(mask); });
    const size_t bytes = CPU_ALLOC_SIZE(most);
    if (set && sched_getaffinity(0, bytes, set.get()) == 0) return CPU_COUNT_S(bytes, set.get());
    if (errno != EINVAL) break;
  }
  return static_cast<int>(std::thread::hardware_concurrency());
}

}  // namespace

std::string_view isa_name(Isa isa) { return kNames[static_cast<size_t>(isa)]; }

bool CpuFeatures::supports(Isa isa) const {
  switch (isa) {
    case Isa::portable: return true;
    case Isa::avx2: return avx2;
    case Isa::avxvnni: return avxvnni;
    case Isa::avx512: return avx512;
    case Isa::avx512_vnni: return avx512_vnni;
    case Isa::avx512_bf16: return avx512_bf16;
    case Isa::amx: return amx_int8 && amx_bf16;
  }
  return false;
}

CpuFeatures CpuFeatures::limited_to(Isa limit) const {
  CpuFeatures out = *this;
  if (limit < Isa::amx) out.amx_int8 = out.amx_bf16 = false;
  if (limit < Isa::avx512_bf16) out.avx512_bf16 = false;
  if (limit < Isa::avx512_vnni) out.avx512_vnni = false;
  if (limit < Isa::avx512) out.avx512 = false;
  if (limit < Isa::avxvnni) out.avxvnni = false;
  if (limit < Isa::avx2) out.avx2 = false;
  return out;
}

const CpuFeatures& CpuFeatures::host() {
  static const CpuFeatures features = [] {
    CpuFeatures found;
#if defined(__x86_64__)
    detect(found);
#endif
    found.cores = processors_within_quota(allowed_processors(), "/sys/fs/cgroup", "/proc/self/cgroup");
    if (const char* wanted = std::getenv("RUSHES_ISA"))
      for (size_t i = 0; i < std::size(kNames); ++i)
        if (kNames[i] == wanted) found = found.limited_to(static_cast<Isa>(i));
    return found;
  }();
  return features;
}

}  // namespace rushes
