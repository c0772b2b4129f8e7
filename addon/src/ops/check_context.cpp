#include "ops/check_context.h"

#include <memory>
#include <mutex>
#include <vector>

#include "cuda/cuda_device.h"

namespace rushes::check {
namespace {

Device* device_for(const KernelInfo& info) {
  static std::mutex mutex;
  static const auto found = cuda::discover().devices;
  // Never closed: CUDA may not be called after main.
  static auto& devices = *new std::vector<std::unique_ptr<Device>>(found.size());
  std::lock_guard lock(mutex);
  for (size_t ordinal = 0; ordinal < found.size(); ++ordinal) {
    if (!can_run(info, found[ordinal])) continue;
    if (!devices[ordinal]) devices[ordinal] = cuda::open_cuda_device(static_cast<int>(ordinal));
    return devices[ordinal].get();
  }
  return nullptr;
}

}  // namespace

bool can_check(const KernelInfo& info, const CpuFeatures& features) {
  return info.backend == Backend::cuda ? device_for(info) != nullptr : features.supports(info.isa);
}

Context context_for(const KernelInfo& info, int threads, DType compute) {
  Context context;
  context.backend = info.backend;
  context.threads = threads;
  context.compute = compute;
  if (info.backend != Backend::cuda) {
    context.features = context.features.limited_to(info.isa);
    return context;
  }
  context.device = device_for(info);
  if (!context.device) throw Error("gpu.unavailable", "There is no graphics card that can run this kernel.");
  return context;
}

}  // namespace rushes::check
