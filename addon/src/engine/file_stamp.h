// Whether a file on the disk is still the one that was opened.
#pragma once
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace rushes {

/// Changes when the file does. A file that cannot be read has a stamp too; opening it says what is wrong.
inline std::string file_stamp(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::to_string(std::filesystem::file_size(path, ignored)) + "@" +
         std::to_string(std::filesystem::last_write_time(path, ignored).time_since_epoch().count());
}

/// The same for a checkpoint: of an index also the shards, which lie beside it.
inline std::string checkpoint_stamp(const std::filesystem::path& path) {
  std::string stamp = file_stamp(path);
  if (path.extension() != ".json") return stamp;
  std::vector<std::filesystem::path> shards;
  std::error_code unreadable;
  for (std::filesystem::directory_iterator entry(path.parent_path(), unreadable), end; !unreadable && entry != end;
       entry.increment(unreadable))
    if (entry->path().extension() == ".safetensors") shards.push_back(entry->path());
  std::sort(shards.begin(), shards.end());
  for (const auto& shard : shards) stamp += " " + shard.filename().string() + " " + file_stamp(shard);
  return stamp;
}

}  // namespace rushes
