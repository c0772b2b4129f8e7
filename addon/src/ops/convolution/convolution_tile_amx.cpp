// Register tiles of the convolution for AMX bf16.
#if defined(__x86_64__)
#include "ops/convolution/convolution_amx_body.h"
#include "ops/convolution/convolution_tile_avx512.h"
#include "runtime/amx_tiles.h"

namespace rushes::convolution_tiles {
namespace {

constexpr TileKernel complete() {
  TileKernel kernel = amx_kernel<HardwareTiles>();
  kernel.store = store;
  kernel.to_bf16 = to_bf16;
  kernel.to_f32 = to_f32;
  return kernel;
}

}  // namespace

const TileKernel kAmx = complete();

}  // namespace rushes::convolution_tiles
#endif
