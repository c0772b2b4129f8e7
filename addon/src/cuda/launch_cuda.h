// launch() by cudart.
#pragma once
#include <cuda_runtime.h>

namespace rushes::cuda {

template <class... Parameters, class... Arguments>
void launch(StreamHandle stream, const char* name, void (*kernel)(Parameters...), Grid grid, int threads,
            int shared_bytes, Arguments... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments));
  // Codes are taken from the calls themselves: cudaGetLastError would also tell of an earlier call's error that was
  // dealt with. It is asked after a failure only, so that nothing is left for whoever asks it next.
  const auto succeed = [name](cudaError_t error) {
    if (error != cudaSuccess) cudaGetLastError();
    require(static_cast<Code>(error), name);
  };
  constexpr int kWithoutAsking = 48 * 1024;
  if (shared_bytes > kWithoutAsking)
    succeed(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize,
                                 shared_bytes));
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(grid.x, grid.y, grid.z);
  config.blockDim = dim3(threads);
  config.dynamicSmemBytes = static_cast<size_t>(shared_bytes);
  config.stream = static_cast<cudaStream_t>(stream);
  succeed(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...));
}

}  // namespace rushes::cuda
