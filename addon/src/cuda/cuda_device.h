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

/// Takes a card into use. Throws gpu.unavailable, gpu.driver, gpu.no_kernel, gpu.failed.
std::unique_ptr<Device> open_cuda_device(int ordinal);

}  // namespace rushes::cuda
