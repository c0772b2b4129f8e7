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
  /// Error of the operation against the reference, on the case itself or a slice of its rows that is quick to check.
  std::function<double()> error;
  std::function<void()> run;
};

struct BenchResult {
  BenchCase measured;
  double seconds = 0;  // shortest of several runs
  double rate = 0, share = 0;
  /// The share reached in the processor time it got: what `share` would be if no other program used the cores. Lower
  /// than that when threads spin at a barrier while others are held up.
  double processor_share = 0;
  double error = 0;
};

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
  /// Checks the result, times the run (once to warm up, then until 0.5 s have passed, at least twice), prints a line.
  /// A wrong result is printed as WRONG and counts as a failure. Returns the result, for cases that compare two.
  BenchResult measure(BenchCase bench_case);
  /// A line that is no case ("SageSLA is 7.1x faster than dense").
  void note(const std::string& line);

  const std::vector<BenchResult>& results() const { return results_; }
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  const BenchOptions& options_;
  CpuFeatures features_;
  int threads_;
  const Ceilings& ceilings_;
  std::vector<BenchResult> results_;
  std::vector<std::string> lines_;
};

void bench_linear(Bench& bench);
void bench_attention(Bench& bench);
void bench_convolution(Bench& bench);
void bench_transformer(Bench& bench);

}  // namespace rushes
