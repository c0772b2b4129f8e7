// What a benchmark case is given and gives back. One file per operation defines one function (bench_linear, ...) that
// calls Bench::measure for each of its cases; run_bench lists these functions.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "engine/bench.h"
#include "runtime/ceilings.h"
#include "runtime/context.h"

namespace rushes {

enum class CeilingKind { int8, bf16, f32, memory };

/// One case: an operation at one shape.
struct BenchCase {
  std::string operation;  // "int8 linear", "dense attention"
  std::string shape;      // "7800x1536x8960"
  std::string kernel;     // name of the kernel chosen, KernelInfo::name
  CeilingKind ceiling = CeilingKind::int8;
  double work = 0;       // operations (one multiply-add = 2), or bytes for CeilingKind::memory
  double tolerance = 0;  // largest relative L2 error
  double asked = 0;      // least share of the ceiling, Bench::asked; 0: nothing is asked
  /// Runs of many seconds are timed once, without one before.
  bool once = false;
  /// Error of the operation against the reference, on the case itself or a slice of its rows that is quick to check.
  std::function<double()> error;
  std::function<void()> run;
};

/// A figure that is no share of a ceiling, and what is asked of it.
struct BenchClaim {
  std::string what;  // "int8 + SageSLA 0.1 against bf16 + original, a step at 7800 tokens"
  std::string unit;  // "times faster", "times the floor", "s", "% of the sparse part"
  double value = 0;
  double processor_value = 0;  // the same in processor time: what neighbours do not change; 0: there is none
  double asked = 0;            // 0: nothing is asked
  bool at_least = true;        // else at most
};

struct BenchResult {
  BenchCase measured;
  double seconds = 0;            // shortest of several runs
  double processor_seconds = 0;  // shortest of several runs, all threads added up and divided by their number
  double rate = 0, share = 0;
  /// The share reached in the processor time it got: what `share` would be if no other program used the cores. Lower
  /// than that when threads spin at a barrier while others are held up.
  double processor_share = 0;
  double error = 0;
};

/// True when the wall clock reached it.
bool reached(const BenchResult& result);
bool reached(const BenchClaim& claim);
/// "asked 65%: reached", "asked 65%: not reached, but in the processor time it got"; "" when nothing is asked.
std::string verdict(const BenchResult& result);
std::string verdict(const BenchClaim& claim);

struct RunTimes {
  double wall = 0, processor = 0;  // seconds; processor: all threads of the process added up
};
/// Of one call.
RunTimes times_of(const std::function<void()>& run);

class Bench {
 public:
  Bench(const BenchOptions& options, const CpuFeatures& features, int threads, const Ceilings& ceilings);

  const BenchOptions& options() const { return options_; }
  const Ceilings& ceilings() const { return ceilings_; }
  /// cpu backend, the options' threads and instruction set, the given compute type.
  Context context(DType compute) const;
  /// The same for the reference backend.
  Context reference_context(DType compute) const;
  /// Token counts of the speed table: {7800, 32760}; {780} with quick.
  std::vector<int64_t> token_counts() const;
  /// False when the filter leaves this case out: ask before making its tensors.
  bool wanted(const std::string& operation, const std::string& shape) const;
  /// What is asked of this CPU: the value of its column. 0 where there is no column for it, or a narrower instruction
  /// set is forced.
  double asked(double avx512_vnni_bf16, double amx) const;
  /// The same for what every CPU is asked: 0 only where a narrower instruction set is forced.
  double asked(double value) const { return options_.isa.empty() ? value : 0; }
  /// Checks the result, times the run (once to warm up, then until 0.5 s have passed, at least twice), prints a line.
  /// A wrong result is printed as WRONG and counts as a failure. Returns the result, for cases that compare two.
  BenchResult measure(BenchCase bench_case);
  /// Prints the figure and whether it is what is asked.
  void claim(BenchClaim claim);
  /// A line that is no case.
  void note(const std::string& line);

  const std::vector<BenchResult>& results() const { return results_; }
  const std::vector<BenchClaim>& claims() const { return claims_; }
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  const BenchOptions& options_;
  CpuFeatures features_;
  int threads_;
  const Ceilings& ceilings_;
  std::vector<BenchResult> results_;
  std::vector<BenchClaim> claims_;
  std::vector<std::string> lines_;
};

void bench_linear(Bench& bench);
void bench_attention(Bench& bench);
void bench_convolution(Bench& bench);
void bench_transformer(Bench& bench);
void bench_text_encoder(Bench& bench);
void bench_scaling(Bench& bench);
void bench_serial_parts(Bench& bench);

}  // namespace rushes
