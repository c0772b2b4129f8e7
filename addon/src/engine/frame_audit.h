// Looks at every frame on its way out: a black or frozen video must not be reported as a success.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace rushes {

class FrameAudit {
 public:
  void add(std::span<const uint8_t> rgb);
  /// Throws output.black when no pixel of the whole video is brighter than 12 of 255.
  void require_picture() const;
  /// Sentences for the record: frozen (no pixel changes by more than 2 of 255), flashing (the mean brightness jumps by
  /// more than a quarter of the range between neighbours).
  std::vector<std::string> warnings() const;

 private:
  std::vector<uint8_t> last_;
  int64_t frames_ = 0, jumps_ = 0;
  int brightest_ = 0, largest_change_ = 0;
  double last_mean_ = 0;
};

}  // namespace rushes
