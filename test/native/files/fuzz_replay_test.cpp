// The fuzz targets without libFuzzer: seeds, a fixed number of random mutations of them, and, with
// RUSHES_FUZZ_REPLAY=DIR, every file of that folder (a corpus, a crash). Meant to run under AddressSanitizer and
// UndefinedBehaviorSanitizer too.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "fuzz/exercise.h"

using namespace rushes::fuzz;

namespace {

using Bytes = std::vector<std::byte>;
using Exercise = std::string (*)(std::span<const std::byte>);

/// A few of libFuzzer's own mutations: flip, overwrite with an interesting number, erase, repeat, splice with another.
Bytes mutated(Bytes bytes, const Bytes& other, std::mt19937_64& random) {
  const auto below = [&](size_t limit) { return limit ? static_cast<size_t>(random() % limit) : size_t{0}; };
  const int changes = 1 + static_cast<int>(below(6));
  for (int i = 0; i < changes && !bytes.empty(); ++i) {
    const size_t at = below(bytes.size()), size = std::min(1 + below(8), bytes.size() - at);
    const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    switch (below(6)) {
      case 0:
        bytes[at] ^= static_cast<std::byte>(1u << below(8));
        break;
      case 1:
        bytes[at] = static_cast<std::byte>(random());
        break;
      case 2: {
        const std::byte fill[] = {std::byte{0}, std::byte{0xff}, std::byte{0x7f}, std::byte{0x80}};
        std::fill_n(begin, size, fill[below(4)]);
        break;
      }
      case 3:
        bytes.erase(begin, begin + static_cast<std::ptrdiff_t>(size));
        break;
      case 4: {
        const Bytes part(begin, begin + static_cast<std::ptrdiff_t>(size));
        bytes.insert(begin, part.begin(), part.end());
        break;
      }
      default: {
        const size_t from = below(other.size());
        const size_t count = std::min({1 + below(32), other.size() - from, bytes.size() - at});
        std::copy_n(other.begin() + static_cast<std::ptrdiff_t>(from), count, begin);
      }
    }
  }
  return bytes;
}

void check_seeds(const std::vector<Bytes>& seeds, Exercise exercise, bool seeds_open, int rounds) {
  std::mt19937_64 random(20240229);
  for (size_t k = 0; k < seeds.size(); ++k) {
    const std::string code = exercise(seeds[k]);
    CAPTURE(k);
    if (seeds_open) CHECK(code == "");
    for (int i = 0; i < rounds; ++i) exercise(mutated(seeds[k], seeds[random() % seeds.size()], random));
  }
}

}  // namespace

TEST_CASE("fuzz: mutated files open or are refused") {
  check_seeds(safetensors_seeds(), exercise_file, true, 200);
  check_seeds(pytorch_seeds(), exercise_file, true, 200);
  check_seeds(pickle_seeds(), exercise_pickle, false, 200);
  check_seeds(header_seeds(), exercise_header, false, 200);
  check_seeds(clip_seeds(), exercise_clip, true, 200);
}

TEST_CASE("fuzz: replay of RUSHES_FUZZ_REPLAY" * doctest::skip(std::getenv("RUSHES_FUZZ_REPLAY") == nullptr)) {
  const char* folder = std::getenv("RUSHES_FUZZ_REPLAY");
  REQUIRE(folder != nullptr);
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(text.data()), text.size());
    MESSAGE(entry.path().string());
    exercise_file(bytes);
    exercise_pickle(bytes);
    exercise_header(bytes);
    exercise_clip(bytes);
  }
}
