// A libFuzzer target in one line. Started with an empty corpus folder it writes its seeds there first:
//   mkdir corpus && pickle_fuzz corpus -max_total_time=60
#pragma once
#include <cstdint>
#include <filesystem>
#include <fstream>

#include "fuzz/exercise.h"

namespace rushes::fuzz {

inline void write_seeds(int count, char** arguments, const std::vector<std::vector<std::byte>>& seeds) {
  for (int i = 1; i < count; ++i) {
    const std::filesystem::path folder = arguments[i];
    if (arguments[i][0] == '-' || !std::filesystem::is_directory(folder) || !std::filesystem::is_empty(folder))
      continue;
    for (size_t k = 0; k < seeds.size(); ++k)
      std::ofstream(folder / ("seed-" + std::to_string(k)), std::ios::binary)
          .write(reinterpret_cast<const char*>(seeds[k].data()), static_cast<std::streamsize>(seeds[k].size()));
    return;
  }
}

}  // namespace rushes::fuzz

#define RUSHES_FUZZ_TARGET(exercise, seeds)                                   \
  extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments) {        \
    rushes::fuzz::write_seeds(*count, *arguments, rushes::fuzz::seeds());     \
    return 0;                                                                 \
  }                                                                           \
  extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {   \
    rushes::fuzz::exercise({reinterpret_cast<const std::byte*>(data), size}); \
    return 0;                                                                 \
  }
