// An NVIDIA card in use, over host.h.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "runtime/device.h"

namespace rushes::cuda {

/// The cards that the driver offers, by ordinal, or why there is none ("no NVIDIA driver is installed"). Never throws.
struct Discovery {
  std::vector<DeviceInfo> devices;
  std::string problem;  // empty when there is a device
};
Discovery discover();

/// Takes a card into use. Throws gpu.unavailable, gpu.driver, gpu.no_kernel, gpu.failed, memory.exhausted. What it
/// holds must be given back before it is destroyed, unless it was lost; then the card is reset, and can be opened
/// again.
std::unique_ptr<Device> open_cuda_device(int ordinal);

/// A card that need not exist: it has facts and no memory, for contexts that plan (Context::dry_run).
std::unique_ptr<Device> planned_device(const DeviceInfo& info);

}  // namespace rushes::cuda
