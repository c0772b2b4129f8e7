// The golden cases of single operations on the pretended card; whole networks take minutes there and are for a real one
// (test/native/gpu/run.sh).
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "cuda/emulator/host_emulator.h"
#include "golden/golden.h"
#include "project_paths.h"

namespace rushes {
namespace {

int run(std::vector<std::string> arguments) {
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  return run_golden(static_cast<int>(pointers.size()), pointers.data());
}

}  // namespace

TEST_CASE("golden layers and sparse attention hold their tolerances on a card") {
  cuda::emulator::reset();
  const std::string folder = check::golden_folder();
  CHECK(run({"--cuda", folder + "/int8-128x128x128", folder + "/int8-1x256x1024", folder + "/sla-0.34"}) == 0);
  CHECK(cuda::emulator::counts().launches > 20);
}

TEST_CASE("golden cases without a card are skipped, and said to be") {
  cuda::emulator::Card none;
  none.devices = 0;
  cuda::emulator::set_card(none);
  CHECK(run({"--cuda", check::golden_folder() + "/int8-128x128x128"}) == 0);
  CHECK(cuda::emulator::counts().live_allocations == 0);
  cuda::emulator::reset();
}
}  // namespace rushes
