// Time that neighbours do not stretch: what the processor spent, not what passed.
#pragma once
#include <ctime>

namespace rushes {

namespace processor_time {
inline double read(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}
}  // namespace processor_time

/// Seconds the calling thread has run.
inline double thread_processor_seconds() { return processor_time::read(CLOCK_THREAD_CPUTIME_ID); }
/// Seconds all threads of the process have run, added up.
inline double process_processor_seconds() { return processor_time::read(CLOCK_PROCESS_CPUTIME_ID); }

}  // namespace rushes
