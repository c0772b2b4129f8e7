#include "runtime/control_groups.h"

#include <algorithm>
#include <fstream>
#include <string>

namespace rushes {
namespace {

namespace fs = std::filesystem;

// "0::/a/b" is version 2's line; its path begins at the root that this process sees.
fs::path group_path(const fs::path& own) {
  std::ifstream file(own);
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("0::/")) return line.substr(4);
  return {};
}

}  // namespace

std::vector<fs::path> control_groups(const fs::path& root, const fs::path& own) {
  std::vector<fs::path> groups{root};
  for (const fs::path& part : group_path(own)) {
    if (part == "..") break;  // outside of what this process sees
    groups.push_back(groups.back() / part);
  }
  return groups;
}

int processors_within_quota(int processors, const fs::path& root, const fs::path& own) {
  int64_t most = processors;
  for (const fs::path& group : control_groups(root, own)) {
    std::ifstream file(group / "cpu.max");
    int64_t quota = 0, period = 0;  // microseconds; "max" is no number
    if (file >> quota >> period && quota > 0 && period > 0) most = std::min(most, (quota - 1) / period + 1);
  }
  return static_cast<int>(std::max<int64_t>(1, most));
}

}  // namespace rushes
