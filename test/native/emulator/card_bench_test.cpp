// The card's benchmark on the pretended card: every row runs and is right at small shapes, nothing is timed, and a
// wrong result or a missing kernel is seen. The ceilings' kernels make what they say.
#include "bench/card/card_bench.h"

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "cuda/cuda_device.h"
#include "cuda/emulator/host_emulator.h"
#include "emulator/pretended_card.h"

namespace rushes {

TEST_CASE("a floor is the products' time or the memory's, whichever is longer") {
  card::CardCeilings ceilings;
  ceilings.int8 = 100, ceilings.bf16 = 50, ceilings.f32 = 10, ceilings.memory = 20;
  CHECK(card::floor_seconds({200, 50, 10, 20}, ceilings) == doctest::Approx(4));
  CHECK(card::floor_seconds({200, 0, 0, 200}, ceilings) == doctest::Approx(10));
  CHECK(card::floor_seconds({200, 0, 0, 200}, {}) == 0);
}

TEST_CASE("the card's benchmark runs to its end on the emulator, and prints no figure") {
  const RestoredCard restored;
  card::CardOptions options;
  options.tiny = options.json = true;
  options.seconds = 1e9;  // every row, however slow the emulating machine
  const card::CardReport report = card::run_card_bench(options);
  const auto json = nlohmann::json::parse(report.text);
  CHECK(json.at("timed") == false);
  CHECK(json.at("card").at("emulated") == true);
  CHECK(json.at("claims").empty());
  for (const auto& [name, value] : json.at("ceilings").items()) CHECK_MESSAGE((value.is_null() || value == ""), name);
  CHECK(json.at("rows").size() > 20);
  for (const auto& row : json.at("rows")) {
    CAPTURE(row.dump());
    CHECK(row.at("correct") == true);
    CHECK(row.at("seconds").is_null());
    CHECK(row.at("share").is_null());
  }
  CHECK(report.wrong == 0);
}

TEST_CASE("a wrong row of the card's benchmark, and one that fails, are counted") {
  const RestoredCard restored;
  const auto device = cuda::open_cuda_device(0);
  const card::CardOptions options;
  card::CardBench bench(options, *device);
  const auto row = [](double error) {
    return card::Row{
        .operation = "made up", .shape = "1", .tolerance = 1e-3, .error = [=] { return error; }, .run = [] {}};
  };
  CHECK(bench.measure(row(1e-4)).correct());
  CHECK_FALSE(bench.measure(row(1e-2)).correct());
  CHECK_FALSE(bench.measure(row(NAN)).correct());
  card::Row failing = row(0);
  failing.run = [] { throw Error("gpu.unsupported", "No kernel."); };
  CHECK(bench.measure(failing).problem.find("gpu.unsupported") == 0);
  CHECK(bench.lines().back().find("not timed") == std::string::npos);
  CHECK(bench.lines().front().find("not timed on the emulator") != std::string::npos);
}
}  // namespace rushes
