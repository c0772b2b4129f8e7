// launch() on the emulator: the whole grid runs before it returns, and what a kernel did wrong is thrown from here.
#pragma once
#include <tuple>

#include "cuda/emulator/host_emulator.h"

namespace rushes::cuda {

template <class... Parameters, class... Arguments>
void launch(StreamHandle, const char* name, void (*kernel)(Parameters...), Grid grid, int threads, int shared_bytes,
            Arguments... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments));
  auto run = [kernel, values = std::tuple<Parameters...>(static_cast<Parameters>(arguments)...)] {
    std::apply(kernel, values);
  };
  require(emulator::launch_kernel(
              name, grid, threads, shared_bytes, [](void* data) { (*static_cast<decltype(run)*>(data))(); }, &run),
          name);
}

}  // namespace rushes::cuda
