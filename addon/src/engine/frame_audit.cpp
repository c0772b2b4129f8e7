#include "engine/frame_audit.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>

#include "runtime/status.h"

namespace rushes {

void FrameAudit::add(std::span<const uint8_t> rgb) {
  brightest_ = std::max<int>(brightest_, *std::max_element(rgb.begin(), rgb.end()));
  const double mean =
      static_cast<double>(std::accumulate(rgb.begin(), rgb.end(), uint64_t{0})) / static_cast<double>(rgb.size());
  if (frames_ > 0) {
    for (size_t i = 0; i < rgb.size(); ++i) largest_change_ = std::max(largest_change_, std::abs(rgb[i] - last_[i]));
    if (std::abs(mean - last_mean_) > 64) ++jumps_;
  }
  last_.assign(rgb.begin(), rgb.end());
  last_mean_ = mean;
  ++frames_;
}

void FrameAudit::require_picture() const {
  if (brightest_ > 12) return;
  throw Error("output.black", "The video came out black.",
              "Try another seed, precision fp32, or attention original; check the files with inspect.");
}

std::vector<std::string> FrameAudit::warnings() const {
  std::vector<std::string> out;
  if (frames_ > 1 && largest_change_ <= 2) out.push_back("The video does not move.");
  if (jumps_ > 0)
    out.push_back("The brightness jumps " + std::to_string(jumps_) + " times between neighbouring frames.");
  return out;
}

}  // namespace rushes
