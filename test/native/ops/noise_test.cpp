// The noise's bits: pinned for every machine, compiler and backend, and as close to the formula as float64 allows.
#include "ops/noise/noise.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <numbers>
#include <vector>

#include "ops/check_context.h"
#include "ops/noise/noise_bits.h"
#include "ops/noise/noise_kernels.h"
#include "runtime/transfer.h"
#include "samplers/noise.h"

using namespace rushes;

namespace {

/// FNV-1a over the bits, low byte first.
uint64_t fingerprint(const float* values, int64_t count) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (int64_t i = 0; i < count; ++i)
    for (int byte = 0; byte < 4; ++byte) {
      hash ^= std::bit_cast<uint32_t>(values[i]) >> (8 * byte) & 255u;
      hash *= 0x100000001b3u;
    }
  return hash;
}

}  // namespace

TEST_CASE("noise has the same bits on every backend, machine and number of threads") {
  constexpr int64_t kCount = 20003;
  for (const auto& kernel : noise_kernels()) {
    if (kernel.info.backend == Backend::cuda && !check::can_check(kernel.info, CpuFeatures::host())) {
      MESSAGE("skipped: no GPU");
      continue;
    }
    CAPTURE(kernel.info.name);
    for (const int threads : {1, 3}) {
      const Context context = check::context_for(kernel.info, threads);
      Tensor out = context.allocate(DType::f32, {kCount});
      normal_noise(context, 0x0123456789abcdefu, 2, out);
      CHECK(fingerprint(to_host(context, out).data<float>(), kCount) == 0xc31eca33d3908d22u);
      std::vector<float> spanned(kCount);
      philox_normal(context, 0x0123456789abcdefu, 2, spanned);
      CHECK(fingerprint(spanned.data(), kCount) == 0xc31eca33d3908d22u);
    }
  }
}

TEST_CASE("noise starts anywhere and ends anywhere with the same values") {
  for (const auto& kernel : noise_kernels()) {
    if (!check::can_check(kernel.info, CpuFeatures::host())) continue;
    const Context context = check::context_for(kernel.info, 1);
    std::vector<float> whole(4096);
    philox_normal(context, 5, 0, whole);
    for (const int64_t count : {1, 2, 3, 5, 1023, 1025}) {
      std::vector<float> part(static_cast<size_t>(count));
      philox_normal(context, 5, 0, part);
      CHECK(std::memcmp(part.data(), whole.data(), part.size() * 4) == 0);
    }
  }
}

TEST_CASE("noise is what the C library's logarithm, cosine and sine give, but for last bits") {
  int64_t different = 0;
  for (int64_t group = 0; group < 250000; ++group) {
    const noise_bits::Words words = noise_bits::philox({{static_cast<uint32_t>(group), 0, 7, 0}}, 11, 0);
    const auto normals = noise_bits::normals<noise_bits::ProcessorArithmetic>(static_cast<uint64_t>(group), 7, 11);
    for (int pair = 0; pair < 4; pair += 2) {
      const double radius = std::sqrt(-2 * std::log((words.word[pair] + 1.0) / 4294967296.0));
      const double angle = 2 * std::numbers::pi * words.word[pair + 1] / 4294967296.0;
      const float cosine = static_cast<float>(radius * std::cos(angle)),
                  sine = static_cast<float>(radius * std::sin(angle));
      different += normals.value[pair] != cosine;
      different += normals.value[pair + 1] != sine;
      CHECK(std::abs(normals.value[pair] - cosine) <= std::abs(cosine) * 1.2e-7f);
    }
  }
  CHECK(different <= 2);  // about one in 10^8 is expected
}

TEST_CASE("the noise's logarithm and quarter turns are within units in the last place over their whole range") {
  double worst_log = 0, worst_turn = 0;
  uint32_t word = 1;
  for (int i = 0; i < 200000; ++i) {
    word = word * 1664525u + 1013904223u;
    for (const uint32_t w : {word, word >> (i % 31), ~(word >> (i % 31))}) {
      const long double exact = std::log((static_cast<long double>(w) + 1) / 4294967296.0L);
      if (exact != 0)
        worst_log =
            std::max(worst_log, static_cast<double>(std::abs((noise_bits::log_of_unit<noise_bits::ProcessorArithmetic>(w) - exact) / exact)));
      const long double angle = static_cast<long double>(w) * (2 * std::numbers::pi_v<long double>) / 4294967296.0L;
      const auto turn = noise_bits::cosine_and_sine<noise_bits::ProcessorArithmetic>(w);
      worst_turn = std::max({worst_turn, static_cast<double>(std::abs(turn.cosine - std::cos(angle))),
                             static_cast<double>(std::abs(turn.sine - std::sin(angle)))});
    }
  }
  CHECK(worst_log < 4.5e-16);
  CHECK(worst_turn < 2.5e-16);
  CHECK(noise_bits::log_of_unit<noise_bits::ProcessorArithmetic>(0xffffffffu) == 0);
  CHECK(noise_bits::log_of_unit<noise_bits::ProcessorArithmetic>(0) == doctest::Approx(-32 * std::numbers::ln2).epsilon(1e-15));
  CHECK(noise_bits::cosine_and_sine<noise_bits::ProcessorArithmetic>(0).cosine == 1);
  CHECK(noise_bits::cosine_and_sine<noise_bits::ProcessorArithmetic>(0x40000000u).sine == 1);
  CHECK(noise_bits::cosine_and_sine<noise_bits::ProcessorArithmetic>(0x80000000u).cosine == -1);
}
