// The golden runner itself: it must fail where a number is wrong, and say nothing passed where nothing ran.
#include "golden/golden.h"

#include <doctest/doctest.h>

#include <fstream>

#include "fixtures/model_files.h"
#include "samplers/noise.h"

using namespace rushes;

namespace {

// A noise case whose expected values are off by `error`.
void write_case(const std::filesystem::path& folder, const std::string& json, float error) {
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "case.json") << json;
  std::vector<float> values(100);
  philox_normal(5, 0, values);
  values[7] += error;
  fixtures::write_safetensors_sparse(folder / "tensors.safetensors",
                                     {fixtures::tensor_of("draw0", DType::f32, {100}, values)});
}

int run(const std::filesystem::path& folder) {
  std::string text = folder.string();
  char* argument = text.data();
  return run_golden(1, &argument);
}

}  // namespace

TEST_CASE("the golden runner passes what is right and fails what is wrong, unknown or absent") {
  const std::string noise = R"({"kind": "noise", "seed": 5, "draws": 1, "tolerance": 1e-6})";
  const fixtures::TemporaryFolder folder;
  CHECK(run(folder.path()) == 1);  // no case at all
  write_case(folder / "right", noise, 0);
  CHECK(run(folder / "right") == 0);
  CHECK(run(folder.path()) == 0);
  write_case(folder / "wrong-on-purpose", noise, 0.01f);
  CHECK(run(folder.path()) == 1);
  write_case(folder / "wrong-on-purpose", R"({"kind": "made up"})", 0);
  CHECK(run(folder / "wrong-on-purpose") == 1);
  write_case(folder / "wrong-on-purpose", "not JSON", 0);
  CHECK(run(folder / "wrong-on-purpose") == 1);
}
