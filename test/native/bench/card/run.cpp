// The run as a whole: the card, all rows, and the report.
#include <nlohmann/json.hpp>

#include "bench/card/card_bench.h"
#include "cuda/cuda_device.h"

namespace rushes::card {
namespace {

using nlohmann::json;

json known(double value) { return value > 0 ? json(value) : json(); }

json row_json(const Result& result) {
  const Row& row = result.row;
  return {{"operation", row.operation},
          {"shape", row.shape},
          {"kernel", row.kernel},
          {"int8Operations", row.needs.int8_ops},
          {"bf16Operations", row.needs.bf16_ops},
          {"f32Operations", row.needs.f32_ops},
          {"bytes", row.needs.bytes},
          {"seconds", known(result.seconds)},
          {"shortest", known(result.shortest)},
          {"longest", known(result.longest)},
          {"runs", result.runs},
          {"floorSeconds", known(result.floor)},
          {"share", known(result.share)},
          {"bound", result.floor > 0 ? json(result.memory_bound ? "memory" : "products") : json()},
          {"error", result.problem.empty() ? json(result.error) : json()},
          {"tolerance", row.tolerance},
          {"correct", result.correct()},
          {"problem", result.problem}};
}

json report_of(const CardBench& bench, int wrong) {
  const DeviceInfo& info = bench.info();
  const CardCeilings& c = bench.ceilings();
  json out = {{"card",
               {{"name", info.name},
                {"architecture", info.architecture},
                {"multiprocessors", info.multiprocessors},
                {"sharedBytes", info.shared_bytes},
                {"totalBytes", info.total_bytes},
                {"emulated", info.emulated}}},
              {"timed", bench.is_timed()},
              {"ceilings",
               {{"bf16", known(c.bf16)},
                {"bf16By", c.bf16_by},
                {"int8", known(c.int8)},
                {"int8By", c.int8_by},
                {"f32", known(c.f32)},
                {"memory", known(c.memory)},
                {"upload", known(c.upload)},
                {"download", known(c.download)}}},
              {"rows", json::array()},
              {"claims", json::array()},
              {"wrong", wrong}};
  for (const Result& result : bench.results()) out["rows"].push_back(row_json(result));
  for (const Claim& claim : bench.claims())
    out["claims"].push_back({{"what", claim.what},
                             {"value", claim.value},
                             {"unit", claim.unit},
                             {"asked", known(claim.asked)},
                             {"atLeast", claim.at_least},
                             {"reached", claim.asked > 0 ? json(claim.reached()) : json()}});
  return out;
}

}  // namespace

CardReport run_card_bench(const CardOptions& options) {
  const auto device = cuda::open_cuda_device(0);
  CardBench bench(options, *device);
  const DeviceInfo& info = device->info();
  bench.note(info.name + ", architecture " + std::to_string(info.architecture) + ", " +
             std::to_string(info.multiprocessors) + " multiprocessors");
  bench.measure_ceilings();
  for (auto* rows : {linear_rows, attention_rows, small_rows, convolution_rows, model_rows, clip_rows}) rows(bench);
  CardReport report;
  for (const Result& result : bench.results()) report.wrong += !result.correct();
  bench.note(std::to_string(bench.results().size()) + " rows, " + std::to_string(report.wrong) +
             " without a right result");
  if (options.json) {
    report.text = report_of(bench, report.wrong).dump(2);
  } else {
    for (const std::string& line : bench.lines()) report.text += line + "\n";
  }
  return report;
}

}  // namespace rushes::card
