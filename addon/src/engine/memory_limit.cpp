#include "engine/memory_limit.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>

#include "runtime/control_groups.h"

namespace rushes {
namespace {

namespace fs = std::filesystem;

std::optional<uint64_t> read_number(const fs::path& path) {
  std::ifstream file(path);
  uint64_t value = 0;
  if (file >> value) return value;
  return std::nullopt;  // "max" is no number
}

uint64_t page_cache(const fs::path& group) {
  std::ifstream file(group / "memory.stat");
  std::string name;
  uint64_t bytes = 0, sum = 0;
  while (file >> name >> bytes)
    if (name == "active_file" || name == "inactive_file" || name == "slab_reclaimable") sum += bytes;
  return sum;
}

void lower(MemoryLimit& limit, const fs::path& group) {
  const std::optional<uint64_t> most = read_number(group / "memory.max");
  if (!most) return;
  const uint64_t current = read_number(group / "memory.current").value_or(0);
  const uint64_t used = current - std::min(current, page_cache(group));
  limit.total_bytes = std::min(limit.total_bytes, *most);
  limit.free_bytes = std::min(limit.free_bytes, *most - std::min(*most, used));
}

}  // namespace

MemoryLimit memory_limit(const fs::path& root, const fs::path& own) {
  MemoryLimit limit;
  for (const fs::path& group : control_groups(root, own)) lower(limit, group);
  return limit;
}

}  // namespace rushes
