// launch() on the emulator: the grid is put into its stream with its arguments as they are now, and runs when something
// waits for it. What a kernel did wrong is thrown by whoever waits, what is wrong with its arguments from here.
#pragma once
#include <tuple>
#include <vector>

#include "cuda/emulator/host_emulator.h"
#include "cuda/emulator/launch_arguments.h"

namespace rushes::cuda {

template <class... Parameters, class... Arguments>
void launch(StreamHandle stream, const char* name, void (*kernel)(Parameters...), Grid grid, int threads,
            int shared_bytes, Arguments... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments));
  std::vector<emulator::Access> accesses;
  int number = 0;
  (emulator::add_argument<Parameters>(accesses, {name, ++number}, static_cast<Parameters>(arguments)), ...);
  require(emulator::launch_kernel(stream, name, grid, threads, shared_bytes, accesses,
                                  [kernel, values = std::tuple<Parameters...>(static_cast<Parameters>(arguments)...)] {
                                    std::apply(kernel, values);
                                  }),
          name);
}

}  // namespace rushes::cuda
