#include "engine/bench/measure.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>

namespace rushes {
namespace {

struct Times {
  double wall, processor;  // seconds; processor: summed over the process's threads
};

double processor_seconds() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

Times times_of(const std::function<void()>& run) {
  const double processor = processor_seconds();
  const auto begin = std::chrono::steady_clock::now();
  run();
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return {wall, processor_seconds() - processor};
}

}  // namespace

Bench::Bench(const BenchOptions& options, const CpuFeatures& features, int threads, const Ceilings& ceilings)
    : options_(options), features_(features), threads_(threads), ceilings_(ceilings) {}

Context Bench::context(DType compute) const {
  Context context;
  context.features = features_;
  context.threads = threads_;
  context.compute = compute;
  return context;
}

Context Bench::reference_context(DType compute) const {
  Context context = this->context(compute);
  context.backend = Backend::reference;
  return context;
}

std::vector<int64_t> Bench::token_counts() const {
  if (options_.quick) return {780};
  return {7800, 32760};
}

bool Bench::wanted(const std::string& operation, const std::string& shape) const {
  return (operation + " " + shape).find(options_.filter) != std::string::npos;
}

BenchResult Bench::measure(BenchCase bench_case) {
  BenchResult result;
  result.error = bench_case.error();
  bench_case.run();
  double spent = 0;
  result.seconds = 1e30;
  double processor = 1e30;
  const double enough = options_.quick ? 0.05 : 0.5;
  for (int count = 0; count < 2 || (spent < enough && count < 50); ++count) {
    const Times times = times_of(bench_case.run);
    spent += times.wall;
    result.seconds = std::min(result.seconds, times.wall);
    processor = std::min(processor, times.processor);
  }
  result.rate = bench_case.work / result.seconds;
  result.share = result.rate / ceilings_.of(static_cast<int>(bench_case.ceiling)).rate;
  result.processor_share = result.share * result.seconds / (processor / threads_);
  result.measured = std::move(bench_case);
  results_.push_back(result);

  const BenchCase& c = result.measured;
  const bool memory = c.ceiling == CeilingKind::memory;
  char line[512], shared[64] = "";
  if (result.processor_share > 1.1 * result.share)  // other programs took the cores away
    std::snprintf(shared, sizeof shared, " (%.1f%% of the processor time it got)", result.processor_share * 100);
  std::snprintf(line, sizeof line,
                "%-22s %-20s %-26s %8.2f ms %8.3f %s %5.1f%% of %s%s  error %.1e%s   engine_bench --filter '%s %s'",
                c.operation.c_str(), c.shape.c_str(), c.kernel.c_str(), result.seconds * 1e3,
                result.rate / (memory ? 1e9 : 1e12), memory ? "GB/s" : "TOPS", result.share * 100,
                ceilings_.of(static_cast<int>(c.ceiling)).name.c_str(), shared, result.error,
                result.error <= c.tolerance ? "" : " WRONG", c.operation.c_str(), c.shape.c_str());
  note(line);
  return result;
}

void Bench::note(const std::string& line) {
  lines_.push_back(line);
  if (options_.on_line) options_.on_line(line);
}

}  // namespace rushes
