// Whether a file on the disk is still the one that was opened.
#pragma once
#include <filesystem>
#include <string>

namespace rushes {

/// Changes when the file does. A file that cannot be read has a stamp too; opening it says what is wrong.
inline std::string file_stamp(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::to_string(std::filesystem::file_size(path, ignored)) + "@" +
         std::to_string(std::filesystem::last_write_time(path, ignored).time_since_epoch().count());
}

}  // namespace rushes
