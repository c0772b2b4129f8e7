// The kernels of a card's ceilings on the pretended card: they make what they say, in every round.
#include "cuda/peak.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "cuda/emulator/host_emulator.h"
#include "emulator/device_array.h"
#include "emulator/pretended_card.h"

namespace rushes {
namespace {

std::vector<uint32_t> peak_words(cuda::Peak peak, int rounds) {
  // bf16 pairs 1 and -0.5, and as bytes small integers: sums are exact.
  std::vector<uint32_t> seeds(cuda::kPeakSeeds);
  for (size_t i = 0; i < seeds.size(); ++i) seeds[i] = i % 3 ? 0x3f80bf00u : 0x3f003f80u;
  const cuda::DeviceArray<uint32_t> there(seeds);
  cuda::DeviceArray<uint32_t> out(static_cast<size_t>(2 * cuda::peak_threads(peak)));
  cuda::launch_peak(nullptr, peak, 2, rounds, there.data(), out.data());
  return out.values();
}

double number(cuda::Peak peak, uint32_t word) {
  if (peak == cuda::Peak::mma_int8 || peak == cuda::Peak::wgmma_int8) return static_cast<int32_t>(word);
  float value;
  std::memcpy(&value, &word, 4);
  return value;
}

}  // namespace

TEST_CASE("the kernels of a card's ceilings multiply in every round") {
  const RestoredCard restored;
  using cuda::Peak;
  for (const Peak peak : {Peak::mma_bf16, Peak::mma_int8, Peak::mma_e4m3, Peak::wgmma_bf16, Peak::wgmma_int8}) {
    CAPTURE(static_cast<int>(peak));
    const auto once = peak_words(peak, 1), thrice = peak_words(peak, 3);
    int different = 0;
    for (size_t i = 0; i < once.size(); ++i) {
      CHECK(number(peak, thrice[i]) == 3 * number(peak, once[i]));
      different += number(peak, once[i]) != 0;
    }
    CHECK(different > static_cast<int>(once.size()) / 2);
    CHECK(cuda::peak_operations(peak, 3) == 3 * cuda::peak_operations(peak, 1));
    CHECK(cuda::has_peak(peak, peak == Peak::mma_e4m3 ? 89 : 90));
  }
  CHECK_FALSE(cuda::has_peak(Peak::wgmma_int8, 100));
  CHECK_FALSE(cuda::has_peak(Peak::mma_e4m3, 90));
  for (const uint32_t word : peak_words(Peak::fma_f32, 2)) CHECK(std::isfinite(number(Peak::fma_f32, word)));
}

TEST_CASE("a card's copy moves every byte and no more") {
  const RestoredCard restored;
  std::vector<uint32_t> words(4 * 2500);
  for (size_t i = 0; i < words.size(); ++i) words[i] = static_cast<uint32_t>(i) * 2654435761u;
  const cuda::DeviceArray<uint32_t> from(words);
  cuda::DeviceArray<uint32_t> to(std::vector<uint32_t>(words.size() + 4, 7u));
  cuda::launch_copy(nullptr, from.data(), to.data(), words.size() * 4, 2);
  auto copied = to.values();
  CHECK(std::vector<uint32_t>(copied.end() - 4, copied.end()) == std::vector<uint32_t>(4, 7u));
  copied.resize(words.size());
  CHECK(copied == words);
}

}  // namespace rushes
