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
  /// Backend cuda: the architectures (DeviceInfo) that can run it, both included.
  int least_architecture = 0, last_architecture = 9999;
};

/// One implementation. `Function` is a plain function pointer type of the operation.
template <class Function>
struct Kernel {
  KernelInfo info;
  Function run;
};

/// True when a card can run an entry of Backend::cuda.
inline bool can_run(const KernelInfo& info, const DeviceInfo& device) {
  return device.architecture >= info.least_architecture && device.architecture <= info.last_architecture;
}
/// True when the context's backend and CPU, or its card, can run the kernel.
inline bool can_run(const KernelInfo& info, const Context& context) {
  if (info.backend != context.backend) return false;
  if (info.backend == Backend::cuda) return context.device && can_run(info, context.device->info());
  return context.features.supports(info.isa);
}

/// The last entry that can run: tables are written from the plainest to the most special. A context on `cpu` falls back
/// to a `reference` entry only where the table has no portable `cpu` one; one on `cuda` never does, since the loops there read host memory. Throws
/// cpu.unsupported or gpu.unsupported when nothing fits.
template <class Function>
const Kernel<Function>& choose_kernel(const std::vector<Kernel<Function>>& table, const Context& context) {
  for (auto it = table.rbegin(); it != table.rend(); ++it)
    if (can_run(it->info, context)) return *it;
  if (context.backend == Backend::cuda)
    throw Error("gpu.unsupported", "This build of Rushes has no kernel for a step of the job on this graphics card.",
                "Choose the device cpu.", table.empty() ? std::string() : std::string(table.front().info.operation));
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
