// engine_tests: the engine's own tests, without Node.
//   engine_tests [doctest options]     unit and property tests
//   engine_tests golden [--cuda] DIR...  runs every case folder (case.json + tensors.safetensors), on reference and
//   cpu,
//                                      or on the graphics card, where there is one
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <string_view>

#include "golden/golden.h"
#include "runtime/sleeping_team.h"

int main(int argc, char** argv) {
  rushes::prefer_sleeping_team(argv);
  if (argc > 1 && std::string_view(argv[1]) == "golden") return rushes::run_golden(argc - 2, argv + 2);
  doctest::Context context(argc, argv);
  return context.run();
}
