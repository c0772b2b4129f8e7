// Mapped files that shrink or whose disk goes away while they are read: without a guard the system ends the process
// (SIGBUS).
#pragma once
#include <cstddef>

namespace rushes {

/// While it lives, pages of this range of memory that cannot be read become zeros, and the range counts as torn. Of
/// more than kMostGuards at a time the later ones guard nothing. Thread-safe.
class MapGuard {
 public:
  static constexpr size_t kMostGuards = 256;
  MapGuard() = default;
  /// `begin` begins a page of a private mapping; the handler of SIGBUS is installed with the first guard of the
  /// process, and passes on what lies in no guarded range.
  MapGuard(const std::byte* begin, size_t bytes);
  ~MapGuard();
  MapGuard(const MapGuard&) = delete;
  MapGuard& operator=(const MapGuard&) = delete;
  bool is_torn() const;

 private:
  int slot_ = -1;  // none
};

}  // namespace rushes
