// The emulator's card as one test wants it, and as it was when the test ends.
#pragma once
#include <memory>

#include "cuda/cuda_device.h"
#include "cuda/emulator/host_emulator.h"
#include "runtime/context.h"

namespace rushes {

/// The emulator as it is at the start, before and after whatever a test does to its card.
struct RestoredCard {
  RestoredCard() { cuda::emulator::reset(); }
  ~RestoredCard() { cuda::emulator::reset(); }
  RestoredCard(const RestoredCard&) = delete;
  RestoredCard& operator=(const RestoredCard&) = delete;
};

/// A card of this architecture in use, with the shared memory a block has on such a one.
struct PretendedCard {
  RestoredCard restored;
  std::unique_ptr<Device> device;

  explicit PretendedCard(int architecture, int multiprocessors = 4, uint64_t total_bytes = uint64_t{8} << 30) {
    cuda::emulator::Card card;
    card.info.architecture = architecture;
    card.info.multiprocessors = multiprocessors;
    card.info.total_bytes = total_bytes;
    card.info.shared_bytes = (architecture == 80 ? 163 : architecture == 90 || architecture == 100 ? 227 : 99) << 10;
    cuda::emulator::set_card(card);
    device = cuda::open_cuda_device(0);
  }

  Context context(DType compute = Context{}.compute, MemoryCounter* counter = nullptr) const {
    Context context;
    context.backend = Backend::cuda;
    context.threads = 2;
    context.compute = compute;
    context.device = device.get();
    context.device_memory = counter;
    return context;
  }
};

}  // namespace rushes
