// launch() by cudart.
#pragma once
#include <cuda_runtime.h>

namespace rushes::cuda {

template <class... Parameters, class... Arguments>
void launch(StreamHandle stream, const char* name, void (*kernel)(Parameters...), Grid grid, int threads,
            int shared_bytes, Arguments... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments));
  constexpr int kWithoutAsking = 48 * 1024;
  if (shared_bytes > kWithoutAsking)
    require(static_cast<Code>(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                                   cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes)),
            name);
  kernel<<<dim3(grid.x, grid.y, grid.z), dim3(threads), shared_bytes, static_cast<cudaStream_t>(stream)>>>(
      static_cast<Parameters>(arguments)...);
  require(static_cast<Code>(cudaGetLastError()), name);
}

}  // namespace rushes::cuda
