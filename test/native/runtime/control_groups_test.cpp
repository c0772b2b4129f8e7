// The processors that control groups leave, from folders as the kernel would show them.
#include "runtime/control_groups.h"

#include <doctest/doctest.h>

#include <fstream>

#include "fixtures/model_files.h"
#include "runtime/cpu_features.h"

using namespace rushes;

namespace {

struct Groups {
  fixtures::TemporaryFolder folder;
  std::filesystem::path root = folder / "cgroup";

  void group(const std::string& name, const std::string& quota) const {
    std::filesystem::create_directories(root / name);
    std::ofstream(root / name / "cpu.max") << quota << "\n";
  }
  int processors(int most, const std::string& line) const {
    std::ofstream(folder / "own") << line << "\n";
    return processors_within_quota(most, root, folder / "own");
  }
};

}  // namespace

TEST_CASE("a control group's quota limits the processors, rounded up, to one at least") {
  const Groups groups;
  groups.group("a", "200000 100000");
  groups.group("b", "max 100000");
  groups.group("c", "250000 100000");
  groups.group("d", "10000 100000");
  groups.group("e", "");
  CHECK(groups.processors(8, "0::/a") == 2);
  CHECK(groups.processors(1, "0::/a") == 1);
  CHECK(groups.processors(8, "0::/b") == 8);
  CHECK(groups.processors(8, "0::/c") == 3);
  CHECK(groups.processors(8, "0::/d") == 1);
  CHECK(groups.processors(8, "0::/e") == 8);
  CHECK(groups.processors(8, "0::/absent") == 8);
  CHECK(processors_within_quota(8, "/no/such/folder", "/no/such/file") == 8);
}

TEST_CASE("the least quota of the groups above counts, and the root's in a container") {
  const Groups groups;
  groups.group("service", "300000 100000");
  groups.group("service/job", "500000 100000");
  CHECK(groups.processors(8, "0::/service/job") == 3);
  groups.group("", "100000 50000");
  CHECK(groups.processors(8, "0::/") == 2);
  CHECK(groups.processors(8, "0::/../elsewhere") == 2);
}

TEST_CASE("this machine has a processor to compute on") { CHECK(CpuFeatures::host().cores >= 1); }
