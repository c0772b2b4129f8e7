#include "engine/bench/measure.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "runtime/processor_time.h"

namespace rushes {
namespace {

const char* verdict_words(bool reached, bool reached_by_processor) {
  return reached ? "reached" : reached_by_processor ? "not reached, but in the processor time it got" : "NOT reached";
}

bool holds(const BenchClaim& claim, double value) {
  return claim.at_least ? value >= claim.asked : value <= claim.asked;
}

}  // namespace

bool reached(const BenchResult& result) { return result.share >= result.measured.asked; }
bool reached(const BenchClaim& claim) { return holds(claim, claim.value); }

std::string verdict(const BenchResult& result) {
  if (result.measured.asked == 0) return "";
  char text[96];
  std::snprintf(text, sizeof text, "asked %.1f%%: %s", result.measured.asked * 100,
                verdict_words(reached(result), result.processor_share >= result.measured.asked));
  return text;
}

std::string verdict(const BenchClaim& claim) {
  if (claim.asked == 0) return "";
  char text[96];
  std::snprintf(text, sizeof text, "asked %s %g: %s", claim.at_least ? "at least" : "at most", claim.asked,
                verdict_words(reached(claim), claim.processor_value > 0 && holds(claim, claim.processor_value)));
  return text;
}

RunTimes times_of(const std::function<void()>& run) {
  const double processor = process_processor_seconds();
  const auto begin = std::chrono::steady_clock::now();
  run();
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return {wall, process_processor_seconds() - processor};
}

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

double Bench::asked(double avx512_vnni_bf16, double amx) const {
  if (!options_.isa.empty()) return 0;
  if (ceilings_.int8.isa == Isa::amx) return amx;
  return ceilings_.int8.isa == Isa::avx512_vnni && ceilings_.bf16.isa == Isa::avx512_bf16 ? avx512_vnni_bf16 : 0;
}

BenchResult Bench::measure(BenchCase bench_case) {
  BenchResult result;
  result.error = bench_case.error();
  if (!bench_case.once) bench_case.run();
  double spent = 0;
  result.seconds = 1e30;
  double processor = 1e30;
  const double enough = options_.quick ? 0.05 : 0.5;
  const int least = bench_case.once ? 1 : 2;
  for (int count = 0; count < least || (spent < enough && count < 50); ++count) {
    const RunTimes times = times_of(bench_case.run);
    spent += times.wall;
    result.seconds = std::min(result.seconds, times.wall);
    processor = std::min(processor, times.processor);
  }
  result.rate = bench_case.work / result.seconds;
  result.share = result.rate / ceilings_.of(static_cast<int>(bench_case.ceiling)).rate;
  result.processor_seconds = processor / threads_;
  result.processor_share = result.share * result.seconds / result.processor_seconds;
  result.measured = std::move(bench_case);
  results_.push_back(result);

  const BenchCase& c = result.measured;
  const bool memory = c.ceiling == CeilingKind::memory;
  char line[640], shared[64] = "";
  const std::string asked = verdict(result);
  if (result.processor_share > 1.1 * result.share)  // other programs took the cores away
    std::snprintf(shared, sizeof shared, " (%.1f%% of the processor time it got)", result.processor_share * 100);
  std::snprintf(line, sizeof line,
                "%-22s %-20s %-26s %8.2f ms %8.3f %s %5.1f%% of %s%s%s%s  error %.1e%s   engine_bench --filter '%s %s'",
                c.operation.c_str(), c.shape.c_str(), c.kernel.c_str(), result.seconds * 1e3,
                result.rate / (memory ? 1e9 : 1e12), memory ? "GB/s" : "TOPS", result.share * 100,
                ceilings_.of(static_cast<int>(c.ceiling)).name.c_str(), shared, asked.empty() ? "" : "  ",
                asked.c_str(), result.error, result.error <= c.tolerance ? "" : " WRONG", c.operation.c_str(),
                c.shape.c_str());
  note(line);
  return result;
}

void Bench::claim(BenchClaim claim) {
  char line[384], shared[64] = "";
  if (claim.processor_value > 0)
    std::snprintf(shared, sizeof shared, " (%.3g in processor time)", claim.processor_value);
  const std::string asked = verdict(claim);
  std::snprintf(line, sizeof line, "%s: %.3g %s%s%s%s", claim.what.c_str(), claim.value, claim.unit.c_str(), shared,
                asked.empty() ? "" : "  ", asked.c_str());
  claims_.push_back(std::move(claim));
  note(line);
}

void Bench::note(const std::string& line) {
  lines_.push_back(line);
  if (options_.on_line) options_.on_line(line);
}

}  // namespace rushes
