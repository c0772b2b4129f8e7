#include "engine/rates.h"

#include <algorithm>

#include "runtime/ceilings.h"

namespace rushes {
namespace {

// Shares of the ceilings that whole stages reach, from docs/SPEED.md; products in small models reach less.
constexpr double kInt8Share = 0.45, kBf16Share = 0.4, kF32Share = 0.35, kMemoryShare = 0.5;
// The reference's plain loops, operations per second and thread.
constexpr double kReferenceRate = 1e9;

}  // namespace

double predicted_seconds(const WorkCount& work, const Context& context) {
  if (context.backend == Backend::reference)
    return (work.int8_ops + work.bf16_ops + work.f32_ops) / (kReferenceRate * context.threads);
  static const Ceilings one_core = measure_ceilings(CpuFeatures::host(), 1, 0.005);
  const double cores = std::min(context.threads, CpuFeatures::host().cores);
  return work.int8_ops / (one_core.int8.rate * cores * kInt8Share) +
         work.bf16_ops / (one_core.bf16.rate * cores * kBf16Share) +
         work.f32_ops / (one_core.f32.rate * cores * kF32Share) + work.bytes / (one_core.memory.rate * kMemoryShare);
}

}  // namespace rushes
