// The engine's benchmark as a library call: every operation of the speed table at the stated shapes with random
// weights, each result checked first, each time given as a share of this machine's ceilings measured in the same run.
#pragma once
#include <functional>
#include <string>

namespace rushes {

struct BenchOptions {
  std::string filter;  // only cases whose "operation shape" contains this text; empty = all
  std::string isa;     // isa_name that limits the kernels; empty = all this CPU has. The ceilings are never limited
  int threads = 0;     // 0 = all usable cores
  bool quick = false;  // small row counts, a few seconds in total
  bool json = false;   // return one JSON object instead of the lines
  /// Each line as it is ready; may be empty.
  std::function<void(const std::string& line)> on_line;
};

/// Runs the cases. Returns all lines, or with json {"machine", "threads", "ceilings": {int8, bf16, f32, memory:
/// {"rate", "theory", "share", "isa", "note"}}, "clockHertz", "results": [{"operation", "shape", "kernel", "seconds",
/// "rate", "unit", "ceiling", "share",
/// "processorShare", "error", "tolerance", "correct", "asked", "reached", "command"}], "claims": [{"what", "value",
/// "processorValue", "unit", "asked", "atLeast", "reached"}]}. "asked" is what this CPU's column of the speed table
/// asks; null, like "reached", where nothing is asked. Rates are operations (one multiply-add = 2) or bytes per second.
/// Throws settings.invalid for an unknown isa.
std::string run_bench(const BenchOptions& options);

}  // namespace rushes
