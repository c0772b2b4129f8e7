// Golden cases on the pretended card: single operations, and one small case of each network; the others take minutes
// there and are for a real one (test/native/gpu/run.sh).
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
  CHECK(run({"--cuda", folder + "/int8-128x128x128", folder + "/int8-1x128x512", folder + "/sla-0.34"}) == 0);
  CHECK(cuda::emulator::counts().launches > 20);
}

TEST_CASE("golden networks hold their tolerances on a card") {
  cuda::emulator::reset();
  const std::string folder = check::golden_folder();
  CHECK(run({"--cuda", folder + "/umt5-0", folder + "/vae-decode-1"}) == 0);
#ifndef __SANITIZE_ADDRESS__  // where they would take five minutes
  CHECK(run({"--cuda", folder + "/dit-96x160x9-t988", folder + "/dit-96x160x9-t988-sla0.1"}) == 0);
#endif
}

TEST_CASE("golden cases without a card are skipped, and said to be") {
  cuda::emulator::Card none;
  none.devices = 0;
  cuda::emulator::set_card(none);
  const uint64_t before = cuda::emulator::counts().allocations;
  CHECK(run({"--cuda", check::golden_folder() + "/int8-128x128x128"}) == 0);
  CHECK(cuda::emulator::counts().allocations == before);
  cuda::emulator::reset();
}
}  // namespace rushes
