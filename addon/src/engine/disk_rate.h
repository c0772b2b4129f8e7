// How fast the disk under a file gives what the page cache does not hold, for a plan's seconds.
#pragma once
#include "files/checkpoint.h"

namespace rushes {

/// Of one disk. Zeros: not known, and then a plan counts no time for it.
struct DiskRate {
  double bytes_per_second = 0;
  double processor_seconds_per_byte = 0;  // of the thread that reads: finding pages for the page cache, and copying

  /// Seconds until `bytes` are read, when nothing else keeps the reading thread waiting.
  double seconds(double bytes) const { return bytes_per_second > 0 ? bytes / bytes_per_second : 0; }
};

/// The rate of the disk that `file` lies on, measured when it is first asked for: some parts of the file that are not
/// in the page cache are read, for a tenth of a second at most. Without such parts the rate is not known. Thread-safe;
/// a disk is measured once in a process.
DiskRate disk_rate(const Checkpoint& file);

/// The same, measured now. Not kept.
DiskRate measure_disk(const Checkpoint& file);

/// Bytes per second at which `threads` threads read weights out of the page cache through the map: first touch, every
/// line once, pages given back, as weights are read for one use. Zero when the file has too little in the cache.
double measure_cached_reading(const Checkpoint& file, int threads);

}  // namespace rushes
