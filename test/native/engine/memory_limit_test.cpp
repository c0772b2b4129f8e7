// Limits of control groups, from folders as the kernel would show them.
#include "engine/memory_limit.h"

#include <doctest/doctest.h>

#include <fstream>

#include "fixtures/model_files.h"

using namespace rushes;

namespace {

constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();

struct Groups {
  fixtures::TemporaryFolder folder;
  std::filesystem::path root = folder / "cgroup";

  void group(const std::string& name, const std::string& most, uint64_t current, const std::string& statistics) const {
    std::filesystem::create_directories(root / name);
    std::ofstream(root / name / "memory.max") << most << "\n";
    std::ofstream(root / name / "memory.current") << current << "\n";
    std::ofstream(root / name / "memory.stat") << statistics;
  }
  MemoryLimit limit(const std::string& line) const {
    std::ofstream(folder / "own") << line << "\n";
    return memory_limit(root, folder / "own");
  }
};

}  // namespace

TEST_CASE("without a control group's limit there is none") {
  const Groups groups;
  CHECK(groups.limit("0::/").free_bytes == kNoLimit);
  groups.group("", "max", 900, "");
  CHECK(groups.limit("0::/").total_bytes == kNoLimit);
  CHECK(memory_limit("/no/such/folder", "/no/such/file").free_bytes == kNoLimit);
}

TEST_CASE("what the page cache holds of a control group is free") {
  const Groups groups;
  groups.group("", "1000", 950, "anon 100\nfile 800\ninactive_file 500\nactive_file 200\nslab_reclaimable 50\n");
  const MemoryLimit limit = groups.limit("0::/");
  CHECK(limit.total_bytes == 1000);
  CHECK(limit.free_bytes == 800);  // anon, and files in memory (shared memory), which cannot be given up
}

TEST_CASE("every group above counts, and one that is overdrawn leaves nothing") {
  const Groups groups;
  groups.group("service", "5000", 2000, "inactive_file 400\n");
  groups.group("service/job", "3000", 500, "");
  groups.group("service/other", "100", 100, "");
  const MemoryLimit limit = groups.limit("0::/service/job");
  CHECK(limit.total_bytes == 3000);
  CHECK(limit.free_bytes == 2500);
  groups.group("service", "5000", 5400, "inactive_file 100\n");
  CHECK(groups.limit("0::/service/job").free_bytes == 0);
  CHECK(groups.limit("1:memory:/service/other").free_bytes == kNoLimit);  // version 1 alone
  CHECK(groups.limit("0::/../service").free_bytes == kNoLimit);
}
