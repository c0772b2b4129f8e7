#include "ops/norm/norm_choice.h"

namespace rushes {
namespace {
constexpr int kWarp = 32;
}

int NormRowChoice::threads(int64_t width) const {
  if (warp_row) return kWarp;
  const int64_t of_warp = int64_t{elements} * kWarp;
  return kWarp * static_cast<int>((width + of_warp - 1) / of_warp);
}

NormRowChoice choose_norm_rows(int64_t width, bool aligned) {
  const int elements = !aligned || width > 16 * kNormMostThreads ? 32 : 16;
  return {elements, width <= elements * kWarp};
}

}  // namespace rushes
