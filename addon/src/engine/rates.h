// How fast this machine works, for a plan's seconds.
#pragma once
#include <array>
#include <filesystem>
#include <mutex>

#include "engine/disk_rate.h"
#include "runtime/context.h"

namespace rushes {

/// Seconds of one thread for a unit of each effort (runtime/work.h), measured when they are first asked for: each with
/// a small sample of the real operation, in processor time, the shortest of several runs, so that other programs on the
/// machine do not matter. A few milliseconds an effort. Thread-safe.
class Rates {
 public:
  /// Keeps what is measured in `folder` (created when needed) for the next process on the same CPU with the same build;
  /// a file of another machine or build is replaced. Failing to read or write is no error: it is measured again.
  void keep_in(const std::filesystem::path& folder);
  /// Processor seconds of `work`, all threads added up.
  double processor_seconds(const WorkCount& work);
  /// Measures again what `work` consists of and keeps the shorter times: beside a job that is measured, so that both
  /// meet the same neighbours, and what those took away is not in the rates.
  void measure_again(const WorkCount& work);
  /// The rates every plan of this process uses.
  static Rates& of_this_machine();

 private:
  // What a sample took at least, and what it and its base count.
  struct Timing {
    double run = 0, base = 0;  // seconds; 0: not timed yet
    WorkCount work;            // of the run, less the base's
  };

  double cost(size_t effort);
  void time_sample(size_t effort);
  double derived(size_t effort) const;
  void read_kept();
  void write_kept() const;

  std::mutex mutex_;
  std::filesystem::path file_;
  std::array<double, kEffortCount> costs_{};  // seconds; 0: not measured yet
  std::array<Timing, kEffortCount> timings_{};
};

/// Bytes of packed weights that `work` counts.
double packed_bytes(const WorkCount& work);

/// Processor seconds for a byte of packed weights that finding its page takes now, beyond what it takes for pages given
/// back a moment ago, which is in the rates: where a host lends the memory, free pages may have to be asked of it, and
/// that takes several times as long. Measured on 48 MB at the first call and by refresh_page_surcharge() a minute
/// later.
double page_surcharge();
void refresh_page_surcharge();

/// Processor seconds of a stage, all threads added up: its work, reading from the disk, and pages.
double stage_processor_seconds(const WorkCount& work, const DiskRate& disk);

/// Seconds that `work` takes with the context's threads on a machine without other work: of the processors, or of the
/// disk where that takes longer, since weights are read ahead while others are computed with. On a graphics card an
/// estimate from what its kind can do.
double predicted_seconds(const WorkCount& work, const Context& context, const DiskRate& disk = {});

}  // namespace rushes
