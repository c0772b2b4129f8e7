// The groups of processes that this one lies in (Linux control groups, version 2): containers and services with limits.
#pragma once
#include <filesystem>
#include <vector>

namespace rushes {

/// The folders of the group that `own` names (the file /proc/self/cgroup) and of all above it, in the mounted tree
/// whose `root` (/sys/fs/cgroup) comes first: a limit of any of them counts.
std::vector<std::filesystem::path> control_groups(const std::filesystem::path& root, const std::filesystem::path& own);

/// Of `processors` as many as the groups' quotas of time (cpu.max) can keep busy, rounded up; one at least. More
/// threads than that would only wait for each other when the quota is used up. Files that are missing mean no quota.
/// Source: the kernel's Documentation/admin-guide/cgroup-v2.rst, "CPU".
int processors_within_quota(int processors, const std::filesystem::path& root, const std::filesystem::path& own);

}  // namespace rushes
