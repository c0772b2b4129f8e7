// The memory that the groups of processes this one lies in (Linux control groups, version 2) leave to it: containers
// and services with a limit.
#pragma once
#include <cstdint>
#include <filesystem>
#include <limits>

namespace rushes {

/// Bytes: the least limit of the groups, and the least that one of them has left. Without a limit both are the largest
/// number there is.
struct MemoryLimit {
  uint64_t total_bytes = std::numeric_limits<uint64_t>::max(), free_bytes = std::numeric_limits<uint64_t>::max();
};

/// Reads memory.max, memory.current and memory.stat of the group `own` names (the file /proc/self/cgroup) and of all
/// above it, in the mounted tree `root` (/sys/fs/cgroup). What the page cache holds counts as free, as in MemAvailable:
/// the kernel gives it up before it refuses anything, and files just read would otherwise leave no memory to work with.
/// Files that are missing mean no limit. Source: the kernel's Documentation/admin-guide/cgroup-v2.rst, "Memory".
MemoryLimit memory_limit(const std::filesystem::path& root, const std::filesystem::path& own);

}  // namespace rushes
