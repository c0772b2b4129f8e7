// launch() on the emulator: the whole grid runs before it returns, and what a kernel did wrong is thrown from here.
#pragma once
#include <tuple>
#include <type_traits>

#include "cuda/emulator/host_emulator.h"

namespace rushes::cuda {

namespace emulator {
template <class T>
void check_argument(const char* kernel, const T& value) {
  if constexpr (std::is_pointer_v<T>) require_device_address(kernel, value);
}
}  // namespace emulator

template <class... Parameters, class... Arguments>
void launch(StreamHandle, const char* name, void (*kernel)(Parameters...), Grid grid, int threads, int shared_bytes,
            Arguments... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments));
  (emulator::check_argument(name, static_cast<Parameters>(arguments)), ...);
  auto run = [kernel, values = std::tuple<Parameters...>(static_cast<Parameters>(arguments)...)] {
    std::apply(kernel, values);
  };
  require(emulator::launch_kernel(
              name, grid, threads, shared_bytes, [](void* data) { (*static_cast<decltype(run)*>(data))(); }, &run),
          name);
}

}  // namespace rushes::cuda
