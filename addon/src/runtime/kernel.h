// The kernel registry: every implementation of every operation is one entry in its operation's table. Operations choose
// from the table, tests, benchmarks and the self-test loop over it: what is not listed cannot run, what is listed cannot
// go unchecked.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/context.h"

namespace rushes {

/// Names state operation, arithmetic and instruction set: "int8_linear_avx512_vnni", "attention_f32_avx2".
struct KernelInfo {
  std::string_view operation, name;
  Backend backend;
  Isa isa = Isa::portable;
};

/// One implementation. `Function` is a plain function pointer type of the operation.
template <class Function>
struct Kernel {
  KernelInfo info;
  Function run;
};

/// True when the context's backend and CPU can run the kernel.
inline bool can_run(const KernelInfo& info, const Context& context) {
  return info.backend == context.backend && context.features.supports(info.isa);
}

/// The last entry that can run: tables are written from the plainest to the most special. A context on `cpu` falls back
/// to a `reference` entry only where the table has no portable `cpu` one. Throws cpu.unsupported when nothing fits.
template <class Function>
const Kernel<Function>& choose_kernel(const std::vector<Kernel<Function>>& table, const Context& context) {
  for (auto it = table.rbegin(); it != table.rend(); ++it)
    if (can_run(it->info, context)) return *it;
  for (const auto& kernel : table)
    if (kernel.info.backend == Backend::reference) return kernel;
  throw Error("cpu.unsupported", "No kernel of this operation runs on this machine.");
}

/// One comparison of one kernel with the reference on one case.
struct KernelCheck {
  KernelInfo info;
  std::string case_text;  // "rows 300 in 256 out 384"
  double tolerance;       // largest relative L2 error allowed
  /// Runs the kernel and the reference on seeded random input; returns ||out - ref|| / ||ref||.
  std::function<double(int threads)> relative_error;
};

/// Each operation appends its own checks (small, a few milliseconds each) for every entry of its table that `features`
/// can run; defined in ops/<operation>/<operation>_checks.cpp and collected in ops/checks.cpp.
std::vector<KernelCheck> kernel_checks(const CpuFeatures& features);

}  // namespace rushes
