#include "engine/bench/measure.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace rushes {
namespace {

double seconds_of(const std::function<void()>& run) {
  const auto begin = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
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
  const double enough = options_.quick ? 0.05 : 0.5;
  for (int count = 0; count < 2 || (spent < enough && count < 50); ++count) {
    const double seconds = seconds_of(bench_case.run);
    spent += seconds;
    result.seconds = std::min(result.seconds, seconds);
  }
  result.rate = bench_case.work / result.seconds;
  result.share = result.rate / ceilings_.of(static_cast<int>(bench_case.ceiling)).rate;
  result.measured = std::move(bench_case);
  results_.push_back(result);

  const BenchCase& c = result.measured;
  const bool memory = c.ceiling == CeilingKind::memory;
  char line[512];
  std::snprintf(line, sizeof line,
                "%-22s %-20s %-26s %8.2f ms %8.3f %s %5.1f%% of %-6s error %.1e%s   engine_bench --filter '%s %s'",
                c.operation.c_str(), c.shape.c_str(), c.kernel.c_str(), result.seconds * 1e3,
                result.rate / (memory ? 1e9 : 1e12), memory ? "GB/s" : "TOPS", result.share * 100,
                ceilings_.of(static_cast<int>(c.ceiling)).name.c_str(), result.error,
                result.error <= c.tolerance ? "" : " WRONG", c.operation.c_str(), c.shape.c_str());
  note(line);
  return result;
}

void Bench::note(const std::string& line) {
  lines_.push_back(line);
  if (options_.on_line && !options_.json) options_.on_line(line);
}

}  // namespace rushes
