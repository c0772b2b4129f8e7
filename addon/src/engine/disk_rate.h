// How fast the disk under a file gives what the page cache does not hold, for a plan's seconds.
#pragma once
#include "files/checkpoint.h"

namespace rushes {

/// Of one disk, read past the page cache in large requests, as reading ahead does. Zeros: not known, and then a plan
/// counts no time for it.
struct DiskRate {
  double bytes_per_second = 0;
  double processor_seconds_per_byte = 0;  // of the thread that reads

  double seconds(double bytes) const { return bytes_per_second > 0 ? bytes / bytes_per_second : 0; }
};

/// The rate of the disk that `file` lies on, measured when it is first asked for: for a tenth of a second at most,
/// parts of the file are read and dropped. Not known for small files and where the page cache cannot be passed.
/// Thread-safe; a disk is measured once in a process.
DiskRate disk_rate(const Checkpoint& file);

/// The same, measured now. Not kept.
DiskRate measure_disk(const Checkpoint& file);

/// Bytes per second at which `threads` threads read weights out of the page cache through the map: first touch, every
/// line once, pages given back, as weights are read for one use. Zero when the file has too little in the cache.
double measure_cached_reading(const Checkpoint& file, int threads);

}  // namespace rushes
