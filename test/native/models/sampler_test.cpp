// Noise and the rCM sampler: published values, independence of shapes and threads, resuming, refusals.
#include <doctest/doctest.h>

#include <cmath>
#include <numbers>

#include "runtime/status.h"
#include "samplers/noise.h"
#include "samplers/rcm.h"

using namespace rushes;

namespace {

// A stand-in for the network: any function of the input will do.
std::vector<float> velocity_of(const std::vector<float>& x, double time) {
  std::vector<float> v(x.size());
  for (size_t i = 0; i < x.size(); ++i) v[i] = static_cast<float>(std::sin(3 * x[i]) + time);
  return v;
}

void step(RcmSampler& sampler) {
  std::vector<float> input(sampler.x().size());
  sampler.model_input(input);
  sampler.advance(velocity_of(input, sampler.time()));
}

}  // namespace

TEST_CASE("Philox 4x32-10 gives its authors' known answer") {
  // Random123's kat_vectors: counter 0, key 0 -> 6627e8d5 e169c58d bc57ac4c 9b00dbd8.
  float out[4];
  philox_normal(0, 0, out);
  auto expected = [](uint32_t a, uint32_t b, bool sine) {
    const double radius = std::sqrt(-2 * std::log((a + 1.0) / 4294967296.0)),
                 angle = 2 * std::numbers::pi * b / 4294967296.0;
    return static_cast<float>(radius * (sine ? std::sin(angle) : std::cos(angle)));
  };
  CHECK(out[0] == expected(0x6627e8d5, 0xe169c58d, false));
  CHECK(out[1] == expected(0x6627e8d5, 0xe169c58d, true));
  CHECK(out[2] == expected(0xbc57ac4c, 0x9b00dbd8, false));
  CHECK(out[3] == expected(0xbc57ac4c, 0x9b00dbd8, true));
}

TEST_CASE("an element of the noise depends on seed, draw and place only") {
  std::vector<float> longer(4099), shorter(4097), other(4097);
  philox_normal(0x123456789abcdef0u, 1, longer);
  philox_normal(0x123456789abcdef0u, 1, shorter);
  CHECK(std::equal(shorter.begin(), shorter.end(), longer.begin()));
  philox_normal(0x123456789abcdef0u, 2, other);
  CHECK(other[0] != shorter[0]);
  philox_normal(0x9abcdef0u, 1, other);  // the seed's high half counts
  CHECK(other[0] != shorter[0]);
  double sum = 0, squares = 0;
  std::vector<float> many(200000);
  philox_normal(7, 0, many);
  for (const float x : many) sum += x, squares += double(x) * x;
  CHECK(std::abs(sum / many.size()) < 0.01);
  CHECK(squares / many.size() == doctest::Approx(1).epsilon(0.02));
}

TEST_CASE("the network sees bf16 timesteps") {
  const auto times = rcm_times(4, 80);
  const float seen[] = {988, 932, 852, 608};
  for (int i = 0; i < 4; ++i) CHECK(rcm_timestep(times[i]) == seen[i]);
  CHECK(rcm_timestep(rcm_times(1, 200)[0]) == 996);
  CHECK(rcm_timestep(rcm_times(1, 1600)[0]) == 1000);
  CHECK(times.size() == 5);
  CHECK(times[4] == 0);
}

TEST_CASE("the model input is rounded to bf16 while the state is not") {
  RcmSampler sampler({}, 64);
  std::vector<float> input(64);
  sampler.model_input(input);
  for (size_t i = 0; i < 64; ++i) {
    CHECK(input[i] == float(bf16(static_cast<float>(sampler.x()[i]))));
    CHECK(std::abs(input[i] - sampler.x()[i]) <= std::abs(sampler.x()[i]) / 256);
  }
}

TEST_CASE("the last SDE step lands on the clean estimate, and an ODE of one step too") {
  for (const RcmSettings settings : {RcmSettings{4, 80, false, 3}, RcmSettings{1, 80, true, 3}}) {
    RcmSampler sampler(settings, 10);
    while (!sampler.finished()) step(sampler);
    for (size_t i = 0; i < 10; ++i) CHECK(sampler.estimate()[i] == doctest::Approx(sampler.x()[i]));
    CHECK_THROWS_AS(sampler.advance(std::vector<float>(10)), Error);
  }
}

TEST_CASE("a run continued from saved latents equals the run that was not interrupted") {
  for (const bool ode : {false, true}) {
    const RcmSettings settings{4, 80, ode, 11};
    RcmSampler whole(settings, 33);
    step(whole), step(whole);
    RcmSampler resumed(settings, whole.x(), whole.step());
    step(whole), step(whole), step(resumed), step(resumed);
    CHECK(whole.x() == resumed.x());
    CHECK(resumed.finished());
  }
}

TEST_CASE("settings outside their range are refused") {
  for (const RcmSettings settings :
       {RcmSettings{0}, RcmSettings{5}, RcmSettings{4, 0.5}, RcmSettings{4, 1601}, RcmSettings{4, std::nan("")}})
    CHECK_THROWS_AS(RcmSampler(settings, 4), Error);
  CHECK_THROWS_AS(RcmSampler({}, std::vector<double>(4), 5), Error);
  RcmSampler sampler({}, 4);
  CHECK_THROWS_AS(sampler.advance(std::vector<float>(3)), Error);
}
