// How a row is checked, timed by the card's own events and printed.
#include "bench/card/card_bench.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "cuda/launch_errors.h"
#include "runtime/random.h"

namespace rushes::card {
namespace {

constexpr uint64_t kOtherBytes = uint64_t{256} << 20;  // several times the largest second-level cache
constexpr double kEnoughSeconds = 0.25;
constexpr int kLeastRuns = 3, kMostRuns = 21;

}  // namespace

double floor_seconds(const Needs& needs, const CardCeilings& ceilings) {
  if (ceilings.int8 <= 0 || ceilings.bf16 <= 0 || ceilings.f32 <= 0 || ceilings.memory <= 0) return 0;
  return std::max(needs.int8_ops / ceilings.int8 + needs.bf16_ops / ceilings.bf16 + needs.f32_ops / ceilings.f32,
                  needs.bytes / ceilings.memory);
}

Tensor filled(const Context& context, Shape shape, uint32_t seed, float scale, DType type) {
  Tensor out = context.on_host().allocate(type, std::move(shape));
  const int64_t count = out.count();
#pragma omp parallel for num_threads(context.threads)
  for (int64_t i = 0; i < count; ++i) {
    uint64_t word = (static_cast<uint64_t>(i) + seed * 7919ull + 1) * 0x9e3779b97f4a7c15ull;
    word = (word ^ (word >> 29)) * 0xbf58476d1ce4e5b9ull;
    const float value = scale * (static_cast<float>(word >> 40) * 0x1p-23f - 1.0f);
    if (type == DType::f32)
      out.data<float>()[i] = value;
    else
      out.data<bf16>()[i] = bf16(value);
  }
  return to_device(context, out);
}

CardBench::CardBench(const CardOptions& options, Device& device) : options_(options), device_(device) {
  cuda::require(cuda::event_create(&begin_), "making an event");
  cuda::require(cuda::event_create(&end_), "making an event");
  if (is_timed()) other_data_ = context().allocate(DType::i8, {static_cast<int64_t>(kOtherBytes)});
}

CardBench::~CardBench() {
  cuda::event_destroy(begin_);
  cuda::event_destroy(end_);
}

Context CardBench::context(DType compute) const {
  Context context = reference_context(compute);
  context.backend = Backend::cuda;
  context.device = &device_;
  return context;
}

Context CardBench::reference_context(DType compute) const {
  Context context;
  context.backend = Backend::reference;
  context.compute = compute;
  context.threads = CpuFeatures::host().cores;
  return context;
}

std::vector<int64_t> CardBench::token_counts() const {
  if (options_.tiny) return {150};
  return {7800, 32760};
}

bool CardBench::wanted(const std::string& operation, const std::string& shape) const {
  return (operation + " " + shape).find(options_.filter) != std::string::npos;
}

double CardBench::seconds_of(const std::function<void()>& work) {
  const auto stream = device_.stream();
  cuda::require(cuda::event_record(begin_, stream), "timing it");
  work();
  cuda::require(cuda::event_record(end_, stream), "timing it");
  cuda::require(cuda::event_synchronize(end_), "computing");
  float milliseconds = 0;
  cuda::require(cuda::event_elapsed(milliseconds, begin_, end_), "timing it");
  return milliseconds * 1e-3;
}

void CardBench::time(Result& result) {
  const auto seconds_of_run = [&] {
    if (!result.row.by_host_clock) return seconds_of(result.row.run);
    const auto begin = std::chrono::steady_clock::now();
    result.row.run();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  const double first = seconds_of_run();  // what a first run loads and allocates is not counted
  const int runs = std::clamp(static_cast<int>(kEnoughSeconds / std::max(first, 1e-6)), kLeastRuns, kMostRuns);
  std::vector<double> seconds;
  for (int i = 0; i < runs; ++i) {
    device_.zero(other_data_.raw(), other_data_.bytes());
    seconds.push_back(seconds_of_run());
  }
  std::sort(seconds.begin(), seconds.end());
  result.runs = runs;
  result.seconds = seconds[seconds.size() / 2];
  result.shortest = seconds.front();
  result.longest = seconds.back();
  result.floor = floor_seconds(result.row.needs, ceilings_);
  result.share = result.floor / result.seconds;
  result.memory_bound = result.floor > 0 && result.floor <= result.row.needs.bytes / ceilings_.memory;
}

Result CardBench::measure(Row row) {
  Result result{.row = std::move(row)};
  const double spent = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  if (spent > options_.seconds) {
    result.problem = "left out: no time was left";
  } else {
    try {
      result.error = result.row.error();
      if (is_timed())
        time(result);
      else
        result.row.run();
      device_.synchronize();
    } catch (const Error& error) {
      result.problem = error.code() + ": " + error.sentence() + " " + error.detail();
    }
  }
  print(result);
  results_.push_back(result);
  results_.back().row.error = nullptr;  // what they hold on the card is given back
  results_.back().row.run = nullptr;
  return results_.back();
}

void CardBench::print(const Result& result) {
  const Row& row = result.row;
  char line[512];
  int length = std::snprintf(line, sizeof line, "%-24s %-22s %-30s ", row.operation.c_str(), row.shape.c_str(),
                             row.kernel.c_str());
  const auto rest = [&] { return sizeof line - static_cast<size_t>(length); };
  if (!result.problem.empty()) {
    std::snprintf(line + length, rest(), "NO RESULT  %s", result.problem.c_str());
    return note(line);
  }
  const double operations = row.needs.int8_ops + row.needs.bf16_ops + row.needs.f32_ops;
  if (is_timed())
    length += std::snprintf(line + length, rest(), "%9.3f ms (%.3f..%.3f, %d) %8.1f %s %5.1f%% of %s",
                            result.seconds * 1e3, result.shortest * 1e3, result.longest * 1e3, result.runs,
                            (result.memory_bound ? row.needs.bytes / 1e9 : operations / 1e12) / result.seconds,
                            result.memory_bound ? "GB/s" : "TOPS", result.share * 100,
                            result.memory_bound ? "memory" : "products");
  else
    length += std::snprintf(line + length, rest(), "not timed on the emulator");
  std::snprintf(line + length, rest(), "  error %.1e%s", result.error, result.correct() ? "" : " WRONG");
  note(line);
}

void CardBench::claim(Claim claim) {
  if (!is_timed()) return;
  char line[384], asked[96] = "";
  if (claim.asked > 0)
    std::snprintf(asked, sizeof asked, "  asked at %s %g: %s", claim.at_least ? "least" : "most", claim.asked,
                  claim.reached() ? "reached" : "NOT reached");
  std::snprintf(line, sizeof line, "%s: %.3g %s%s", claim.what.c_str(), claim.value, claim.unit.c_str(), asked);
  claims_.push_back(std::move(claim));
  note(line);
}

void CardBench::note(const std::string& line) {
  lines_.push_back(line);
  if (options_.on_line) options_.on_line(line);
}

}  // namespace rushes::card
