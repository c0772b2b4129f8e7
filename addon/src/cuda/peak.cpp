// The facts of the peak kernels that need no card.
#include "cuda/peak.h"

namespace rushes::cuda {

bool has_peak(Peak peak, int architecture) {
  switch (peak) {
    case Peak::wgmma_bf16:
    case Peak::wgmma_int8:
      return architecture == 90;
    case Peak::mma_e4m3:
      return architecture == 89 || architecture >= 120;
    default:
      return true;
  }
}

int peak_threads(Peak) { return 256; }

double peak_operations(Peak peak, int rounds) {
  constexpr double kWarps = 8, kTiles = 8, kGroups = 2, kSlices = 16, kThreads = 256, kChains = 16;
  switch (peak) {
    case Peak::mma_bf16:
      return rounds * kWarps * kTiles * 2 * 16 * 8 * 16;
    case Peak::mma_int8:
    case Peak::mma_e4m3:
      return rounds * kWarps * kTiles * 2 * 16 * 8 * 32;
    case Peak::wgmma_bf16:
      return rounds * kGroups * kSlices * 2 * 64 * 256 * 16;
    case Peak::wgmma_int8:
      return rounds * kGroups * kSlices * 2 * 64 * 256 * 32;
    case Peak::fma_f32:
      return rounds * kThreads * kChains * 2;
  }
  return 0;
}

}  // namespace rushes::cuda
