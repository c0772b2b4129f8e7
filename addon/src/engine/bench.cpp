#include "engine/bench.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "engine/bench/measure.h"
#include "runtime/status.h"

namespace rushes {
namespace {

// Every operation that has benchmark cases (engine/bench/<operation>.cpp).
const std::vector<void (*)(Bench&)> kOperations = {bench_linear,      bench_attention,    bench_convolution,
                                                   bench_transformer, bench_text_encoder, bench_serial_parts,
                                                   bench_scaling};

CpuFeatures limited_features(const std::string& isa) {
  const CpuFeatures& host = CpuFeatures::host();
  if (isa.empty()) return host;
  for (int i = 0; i <= static_cast<int>(Isa::amx); ++i)
    if (isa_name(static_cast<Isa>(i)) == isa) return host.limited_to(static_cast<Isa>(i));
  throw Error("settings.invalid", "The instruction set \"" + isa + "\" is not known.",
              "Choose portable, avx2, avxvnni, avx512, avx512_vnni, avx512_bf16 or amx.");
}

std::string ceiling_line(const Ceiling& ceiling) {
  char line[512];
  const bool memory = ceiling.theory == 0;
  std::snprintf(line, sizeof line, "ceiling %-7s %8.3f %s  %-12s", ceiling.name.c_str(),
                ceiling.rate / (memory ? 1e9 : 1e12), memory ? "GB/s" : "TOPS",
                std::string(isa_name(ceiling.isa)).c_str());
  std::string text = line;
  if (!memory) {
    std::snprintf(line, sizeof line, " %.0f%% of cores x clock x operations per cycle", ceiling.share * 100);
    text += line;
  }
  return ceiling.note.empty() ? text : text + " (" + ceiling.note + ")";
}

nlohmann::json ceiling_json(const Ceiling& ceiling) {
  return {{"rate", ceiling.rate},
          {"theory", ceiling.theory},
          {"share", ceiling.share},
          {"isa", isa_name(ceiling.isa)},
          {"note", ceiling.note}};
}

nlohmann::json asked_json(double asked) { return asked > 0 ? nlohmann::json(asked) : nlohmann::json(); }

nlohmann::json claim_json(const BenchClaim& claim) {
  return {{"what", claim.what},
          {"value", claim.value},
          {"processorValue", asked_json(claim.processor_value)},
          {"unit", claim.unit},
          {"asked", asked_json(claim.asked)},
          {"atLeast", claim.at_least},
          {"reached", claim.asked > 0 ? nlohmann::json(reached(claim)) : nlohmann::json()}};
}

nlohmann::json result_json(const BenchResult& result, const Ceilings& ceilings) {
  const BenchCase& c = result.measured;
  const Ceiling& ceiling = ceilings.of(static_cast<int>(c.ceiling));
  return {{"operation", c.operation},
          {"shape", c.shape},
          {"kernel", c.kernel},
          {"seconds", result.seconds},
          {"rate", result.rate},
          {"unit", c.ceiling == CeilingKind::memory ? "bytes/s" : "operations/s"},
          {"ceiling", ceiling.name},
          {"share", result.share},
          {"processorShare", result.processor_share},
          {"error", result.error},
          {"tolerance", c.tolerance},
          {"correct", result.error <= c.tolerance},
          {"asked", asked_json(c.asked)},
          {"reached", c.asked > 0 ? nlohmann::json(reached(result)) : nlohmann::json()},
          {"command", "engine_bench --filter '" + c.operation + " " + c.shape + "'"}};
}

}  // namespace

std::string run_bench(const BenchOptions& options) {
  const CpuFeatures features = limited_features(options.isa);
  const int threads = options.threads > 0 ? options.threads : features.cores;
  const Ceilings ceilings = measure_ceilings(CpuFeatures::host(), threads, options.quick ? 0.05 : 0.3);
  Bench bench(options, features, threads, ceilings);
  char line[256];
  std::snprintf(line, sizeof line, "%s, %d threads, %.2f GHz measured", features.model.c_str(), threads,
                ceilings.clock_hertz / 1e9);
  bench.note(line);
  for (int kind = 0; kind < 4; ++kind) bench.note(ceiling_line(ceilings.of(kind)));
  if (!options.isa.empty()) {  // beside the machine's: what these instructions could reach at most
    const Ceilings limited = measure_ceilings(features, threads, options.quick ? 0.05 : 0.3);
    for (int kind = 0; kind < 3; ++kind) bench.note("forced to " + options.isa + ": " + ceiling_line(limited.of(kind)));
  }
  for (auto* operation : kOperations) operation(bench);

  if (options.json) {
    nlohmann::json out = {{"machine", features.model}, {"threads", threads}, {"clockHertz", ceilings.clock_hertz}};
    for (int kind = 0; kind < 4; ++kind) out["ceilings"][ceilings.of(kind).name] = ceiling_json(ceilings.of(kind));
    out["results"] = nlohmann::json::array();
    out["claims"] = nlohmann::json::array();
    for (const BenchClaim& claim : bench.claims()) out["claims"].push_back(claim_json(claim));
    for (const BenchResult& result : bench.results()) out["results"].push_back(result_json(result, ceilings));
    return out.dump(2);
  }
  std::string text;
  for (const std::string& each : bench.lines()) text += each + "\n";
  return text;
}

}  // namespace rushes
