#include "engine/rates.h"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "engine/rate_samples.h"
#include "runtime/page_pool.h"
#include "runtime/processor_time.h"

namespace rushes {
namespace {

// The reference's plain loops, operations per second and thread.
constexpr double kReferenceRate = 1e9;
// A sample runs at least this often, and until this much processor time is spent or it ran this often.
constexpr int kLeastRuns = 3, kMostRuns = 12;
constexpr double kEnoughSeconds = 8e-3;
// What is left of a sample after earlier efforts are taken off is at least this share of it.
constexpr double kLeastShare = 0.02;

double shortest(const std::function<void()>& run) {
  double best = 1e30, spent = 0;
  for (int count = 0; count < kLeastRuns || (count < kMostRuns && spent < kEnoughSeconds); ++count) {
    const double begin = thread_processor_seconds();
    run();
    const double seconds = thread_processor_seconds() - begin;
    best = std::min(best, seconds);
    spent += seconds;
  }
  return best;
}

// What the rates belong to: another processor, limit of instructions or build makes them worthless.
nlohmann::json identity() {
  const CpuFeatures& cpu = CpuFeatures::host();
  nlohmann::json instructions = nlohmann::json::array();
  for (int i = 0; i <= static_cast<int>(Isa::amx); ++i)
    if (cpu.supports(static_cast<Isa>(i))) instructions.push_back(isa_name(static_cast<Isa>(i)));
  nlohmann::json program;
  Dl_info info;
  static const char here = 0;
  if (dladdr(&here, &info) && info.dli_fname) {
    std::error_code ignored;
    program = {std::filesystem::file_size(info.dli_fname, ignored),
               std::filesystem::last_write_time(info.dli_fname, ignored).time_since_epoch().count()};
  }
  return {{"cpu", cpu.model}, {"cores", cpu.cores}, {"instructions", instructions}, {"program", program}};
}

// What a card's multiprocessors can do in a cycle, of which kernels reach a part: enough to compare jobs before one
// ran.
double card_seconds(const WorkCount& work, const DeviceInfo& card) {
  constexpr double kClock = 1.7e9, kReached = 0.4, kBytesPerProcessor = 1.2e10;
  const double bf16 = card.architecture >= 100 && card.architecture < 120 ? 8192
                      : card.architecture == 90                           ? 4096
                      : card.architecture == 80                           ? 2048
                                                                          : 1024;
  const double processors = std::max(card.multiprocessors, 1), cycles = kClock * kReached * processors;
  return work.bf16_ops / (bf16 * cycles) + work.int8_ops / (2 * bf16 * cycles) + work.f32_ops / (256 * cycles) +
         work.bytes / (kBytesPerProcessor * processors);
}

}  // namespace

Rates& Rates::of_this_machine() {
  static Rates rates;
  return rates;
}

void Rates::keep_in(const std::filesystem::path& folder) {
  const std::lock_guard lock(mutex_);
  file_ = folder / "engine-rates.json";
  read_kept();
}

void Rates::read_kept() {
  std::ifstream in(file_);
  const nlohmann::json kept = nlohmann::json::parse(in, nullptr, false);
  if (!kept.is_object() || kept.value("machine", nlohmann::json()) != identity()) return;
  const auto found = kept.find("seconds");
  if (found == kept.end() || !found->is_array() || found->size() != kEffortCount) return;
  for (size_t i = 0; i < kEffortCount; ++i) {
    const nlohmann::json& value = (*found)[i];
    if (value.is_number() && value.get<double>() > 0 && value.get<double>() < 1) costs_[i] = value.get<double>();
  }
}

// Beside the file, then in its place: another process may read it now.
void Rates::write_kept() const {
  if (file_.empty()) return;
  std::error_code ignored;
  std::filesystem::create_directories(file_.parent_path(), ignored);
  const std::filesystem::path part = file_.string() + "." + std::to_string(getpid());
  std::ofstream out(part);
  out << nlohmann::json{{"machine", identity()}, {"seconds", costs_}}.dump(1) << "\n";
  out.close();
  if (out)
    std::filesystem::rename(part, file_, ignored);
  else
    std::filesystem::remove(part, ignored);
}

void Rates::time_sample(size_t effort) {
  const RateSample sample = rate_sample(static_cast<Effort>(effort));
  Timing& timing = timings_[effort];
  const auto keep = [](double& best, double seconds) { best = best > 0 ? std::min(best, seconds) : seconds; };
  timing.work = {};
  sample.run(&timing.work);  // counts, and warms up
  keep(timing.run, shortest([&] { sample.run(nullptr); }));
  if (!sample.base) return;
  WorkCount base;
  sample.base(&base);
  keep(timing.base, shortest([&] { sample.base(nullptr); }));
  for (size_t i = 0; i < kEffortCount; ++i) timing.work.efforts[i] -= base.efforts[i];
}

// From its timing and the costs of the efforts before it.
double Rates::derived(size_t effort) const {
  const Timing& timing = timings_[effort];
  const double seconds = std::max(timing.run - timing.base, kLeastShare * timing.run);
  double rest = seconds;
  for (size_t i = 0; i < effort; ++i) rest -= std::max(0.0, timing.work.efforts[i]) * costs_[i];
  return std::max(rest, kLeastShare * seconds) / timing.work.efforts[effort];
}

double Rates::cost(size_t effort) {
  if (costs_[effort] > 0) return costs_[effort];
  if (timings_[effort].run == 0) time_sample(effort);
  for (size_t i = 0; i < effort; ++i)
    if (timings_[effort].work.efforts[i] > 0) cost(i);
  return costs_[effort] = derived(effort);
}

void Rates::measure_again(const WorkCount& work) {
  const std::lock_guard lock(mutex_);
  std::array<bool, kEffortCount> needed{};
  for (size_t i = kEffortCount; i-- > 0;) {
    needed[i] = needed[i] || work.efforts[i] > 0;
    if (!needed[i]) continue;
    time_sample(i);
    for (size_t earlier = 0; earlier < i; ++earlier)
      needed[earlier] = needed[earlier] || timings_[i].work.efforts[earlier] > 0;
  }
  for (size_t i = 0; i < kEffortCount; ++i)
    if (needed[i]) costs_[i] = 0;
  for (size_t i = 0; i < kEffortCount; ++i)
    if (needed[i]) cost(i);
}

double Rates::processor_seconds(const WorkCount& work) {
  const std::lock_guard lock(mutex_);
  const auto before = costs_;
  double sum = 0;
  for (size_t i = 0; i < kEffortCount; ++i)
    if (work.efforts[i] > 0) sum += work.efforts[i] * cost(i);
  if (costs_ != before) write_kept();
  return sum;
}

double packed_bytes(const WorkCount& work) {
  const auto weights = [&](Effort effort) { return work.efforts[static_cast<size_t>(effort)]; };
  return weights(Effort::weights_int8) + weights(Effort::weights_quantized) + 2 * weights(Effort::weights_bf16) +
         4 * weights(Effort::weights_f32) + 2 * weights(Effort::filters);
}

namespace {

struct Surcharge {
  std::mutex mutex;
  double seconds_per_byte = -1;  // not measured yet
  std::chrono::steady_clock::time_point measured;
};

Surcharge& surcharge() {
  static Surcharge kept;
  return kept;
}

// The same blocks twice: those of the first pass are the next to be given out when they were given back.
double measure_surcharge() {
  constexpr uint64_t kBlock = 1536 << 10, kBlocks = 32;
  PagePool& pool = PagePool::of_this_process();
  double seconds[2];
  for (double& pass : seconds) {
    std::vector<std::byte*> blocks;
    const double begin = thread_processor_seconds();
    for (uint64_t i = 0; i < kBlocks; ++i) {
      blocks.push_back(pool.take(kBlock, PageUse::lasting));
      if (blocks.back()) PagePool::populate(blocks.back(), kBlock);
    }
    pass = thread_processor_seconds() - begin;
    for (std::byte* block : blocks)
      if (block) pool.give(block, kBlock, PageUse::lasting);
  }
  return std::max(0.0, seconds[0] - seconds[1]) / (kBlock * kBlocks);
}

}  // namespace

double page_surcharge() {
  Surcharge& kept = surcharge();
  const std::lock_guard lock(kept.mutex);
  if (kept.seconds_per_byte < 0) {
    kept.seconds_per_byte = measure_surcharge();
    kept.measured = std::chrono::steady_clock::now();
  }
  return kept.seconds_per_byte;
}

void refresh_page_surcharge() {
  Surcharge& kept = surcharge();
  const std::lock_guard lock(kept.mutex);
  if (std::chrono::steady_clock::now() - kept.measured > std::chrono::minutes(1)) kept.seconds_per_byte = -1;
}

double stage_processor_seconds(const WorkCount& work, const DiskRate& disk) {
  // A small model's pages are among those that are kept or were given back just now.
  constexpr double kManyPages = 64 << 20;
  const double packed = packed_bytes(work);
  return Rates::of_this_machine().processor_seconds(work) + work.disk_bytes * disk.processor_seconds_per_byte +
         (packed > kManyPages ? packed * page_surcharge() : 0);
}

double predicted_seconds(const WorkCount& work, const Context& context, const DiskRate& disk) {
  const double reading = disk.seconds(work.disk_bytes);
  if (context.backend == Backend::reference)
    return std::max(reading, (work.int8_ops + work.bf16_ops + work.f32_ops) / (kReferenceRate * context.threads));
  // Frames are looked at and encoded by one thread. Beside a card it has a core to itself; a processor's team waits for
  // it.
  WorkCount shared = work, frames;
  std::swap(shared.of(Effort::frame_bytes), frames.of(Effort::frame_bytes));
  const double alone = Rates::of_this_machine().processor_seconds(frames);
  if (context.backend == Backend::cuda) return std::max({reading, card_seconds(shared, context.device->info()), alone});
  const int threads = std::min(context.threads, CpuFeatures::host().cores);
  return std::max(reading, stage_processor_seconds(shared, disk) / threads + alone);
}

}  // namespace rushes
