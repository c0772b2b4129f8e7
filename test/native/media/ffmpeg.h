// What the media tests share: a moving picture, ffmpeg where it is installed, and closeness in dB.
#pragma once
#include <doctest/doctest.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numbers>
#include <span>
#include <sstream>
#include <string>
#include <vector>

namespace rushes {

/// A smooth coloured wave that moves.
inline std::vector<uint8_t> wave(int frame, int width, int height) {
  std::vector<uint8_t> rgb;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c) {
        const double phase = 2 * std::numbers::pi * ((x + 2 * frame) / 60.0 + (y - frame) / 90.0 + c / 3.0);
        rgb.push_back(static_cast<uint8_t>(std::lround(127.5 + 100 * std::sin(phase))));
      }
  return rgb;
}

/// Looks only, because this runs at every start of the test program.
inline bool on_path(const std::string& program) {
  std::istringstream folders(std::getenv("PATH") ? std::getenv("PATH") : "");
  for (std::string folder; std::getline(folders, folder, ':');)
    if (::access((folder + "/" + program).c_str(), X_OK) == 0) return true;
  return false;
}
inline bool has_ffmpeg() { return on_path("ffmpeg") && on_path("ffprobe"); }

inline std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe);
  char part[256];
  while (fgets(part, sizeof part, pipe)) text += part;
  pclose(pipe);
  return text;
}

inline std::vector<uint8_t> read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline double psnr(std::span<const uint8_t> a, const uint8_t* b) {
  double squares = 0;
  for (size_t i = 0; i < a.size(); ++i) squares += (double(a[i]) - b[i]) * (double(a[i]) - b[i]);
  return 10 * std::log10(255.0 * 255.0 / (squares / static_cast<double>(a.size()) + 1e-12));
}

/// An empty folder that goes with its test.
struct TemporaryFolder {
  std::filesystem::path path;
  explicit TemporaryFolder(const std::string& name)
      : path(std::filesystem::temp_directory_path() / ("rushes-" + name + "-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
};

}  // namespace rushes
