// The card's own ceilings: products in registers, copies in its memory and over the bus.
#include <algorithm>

#include "bench/card/card_bench.h"
#include "cuda/launch_errors.h"
#include "cuda/peak.h"
#include "runtime/transfer.h"

namespace rushes::card {
namespace {

using cuda::Peak;

constexpr uint64_t kCopyBytes = uint64_t{2} << 30, kBusBytes = uint64_t{256} << 20;

/// Operations per second of one kind of product: the quickest of five launches of some milliseconds on a full card.
double peak_rate(CardBench& bench, const Context& context, Peak peak) {
  const int blocks = bench.info().multiprocessors * 4;
  const Tensor seeds = filled(context, {2 * cuda::kPeakSeeds}, 5, 1.0f, DType::bf16);
  const Tensor out = context.allocate(DType::f32, {int64_t{blocks} * cuda::peak_threads(peak)});
  const auto run = [&](int rounds) {
    return bench.seconds_of([&] {
      cuda::launch_peak(context.device->stream(), peak, blocks, rounds, reinterpret_cast<const uint32_t*>(seeds.raw()),
                        reinterpret_cast<uint32_t*>(out.raw()));
    });
  };
  constexpr double kLaunchSeconds = 0.02;
  int rounds = 64;
  for (double seconds = run(rounds); seconds < kLaunchSeconds && rounds < (1 << 24); seconds = run(rounds))
    rounds *= seconds > kLaunchSeconds / 8 ? 2 : 8;
  double best = 0;
  for (int i = 0; i < 5; ++i) best = std::max(best, cuda::peak_operations(peak, rounds) * blocks / run(rounds));
  return best;
}

double copy_rate(CardBench& bench, const Context& context) {
  const uint64_t bytes = std::min(kCopyBytes, bench.info().total_bytes / 8) / 4096 * 4096;
  const Tensor from = context.allocate(DType::i8, {static_cast<int64_t>(bytes)});
  Tensor to = context.allocate(DType::i8, {static_cast<int64_t>(bytes)});
  double best = 0;
  for (int i = 0; i < 6; ++i) {
    const double by_driver = bench.seconds_of([&] { context.device->copy(to.raw(), from.raw(), bytes); });
    const double by_kernel = bench.seconds_of([&] {
      cuda::launch_copy(context.device->stream(), from.raw(), to.raw(), bytes, bench.info().multiprocessors * 16);
    });
    if (i > 0) best = std::max(best, 2.0 * static_cast<double>(bytes) / std::min(by_driver, by_kernel));
  }
  return best;
}

double bus_rate(CardBench& bench, const Context& context, cuda::CopyKind kind) {
  void* pinned = nullptr;
  cuda::require(cuda::pinned_allocate(&pinned, kBusBytes), "taking pinned memory");
  const std::unique_ptr<void, void (*)(void*)> held(pinned, [](void* data) { cuda::pinned_free(data); });
  std::fill_n(static_cast<std::byte*>(pinned), kBusBytes, std::byte{1});
  const Tensor there = context.allocate(DType::i8, {static_cast<int64_t>(kBusBytes)});
  const bool up = kind == cuda::CopyKind::to_device;
  double best = 0;
  for (int i = 0; i < 5; ++i) {
    const double seconds = bench.seconds_of([&] {
      cuda::require(cuda::copy_async(up ? there.raw() : pinned, up ? pinned : there.raw(), kBusBytes, kind,
                                     context.device->stream()),
                    "copying");
    });
    if (i > 0) best = std::max(best, static_cast<double>(kBusBytes) / seconds);
  }
  return best;
}

}  // namespace

void CardBench::measure_ceilings() {
  if (!is_timed()) return note("an emulated card: results are checked, nothing is timed");
  const Context context = this->context();
  const auto try_peak = [&](Peak peak, const char* name, double& rate, std::string& by) {
    if (!cuda::has_peak(peak, info().architecture)) return;
    const double measured = peak_rate(*this, context, peak);
    char line[96];
    std::snprintf(line, sizeof line, "ceiling %-12s %9.1f TOPS", name, measured / 1e12);
    note(line);
    if (measured > rate) rate = measured, by = name;
  };
  std::string by;
  double e4m3 = 0;
  try_peak(Peak::mma_bf16, "mma bf16", ceilings_.bf16, ceilings_.bf16_by);
  try_peak(Peak::wgmma_bf16, "wgmma bf16", ceilings_.bf16, ceilings_.bf16_by);
  try_peak(Peak::mma_int8, "mma int8", ceilings_.int8, ceilings_.int8_by);
  try_peak(Peak::wgmma_int8, "wgmma int8", ceilings_.int8, ceilings_.int8_by);
  try_peak(Peak::mma_e4m3, "mma e4m3", e4m3, by);
  try_peak(Peak::fma_f32, "fma f32", ceilings_.f32, by);
  ceilings_.memory = copy_rate(*this, context);
  ceilings_.upload = bus_rate(*this, context, cuda::CopyKind::to_device);
  ceilings_.download = bus_rate(*this, context, cuda::CopyKind::to_host);
  for (const auto& [name, rate] :
       {std::pair{"memory", ceilings_.memory}, {"upload", ceilings_.upload}, {"download", ceilings_.download}}) {
    char line[96];
    std::snprintf(line, sizeof line, "ceiling %-12s %9.1f GB/s", name, rate / 1e9);
    note(line);
  }
}

}  // namespace rushes::card
