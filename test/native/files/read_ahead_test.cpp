// Reading ahead of use: what reaches the page cache, how far ahead, and what a plan counts of it.
#include "files/read_ahead.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <fstream>

#include "engine/bench/random_model.h"
#include "engine/rates.h"
#include "fixtures/model_files.h"
#include "models/wan_dit/wan_dit.h"
#include "models/wan_dit/wan_dit_tensors.h"

using namespace rushes;

namespace {

constexpr uint64_t kPart = 1 << 20;
constexpr size_t kParts = 12;

// Throws the file out of the page cache; false where the file system has no other place for it.
bool evict(const std::filesystem::path& path, const MappedFile& mapped) {
  mapped.release(mapped.bytes().data(), mapped.size());
  const int file = ::open(path.c_str(), O_RDONLY);
  ::fsync(file);
  ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  ::close(file);
  return mapped.cached_bytes(mapped.bytes().data(), mapped.size()) == 0;
}

struct PartsFile {
  fixtures::TemporaryFolder folder;
  std::filesystem::path path = folder / "parts";
  std::shared_ptr<const MappedFile> mapped;
  std::vector<FilePart> parts;
  std::vector<std::byte> buffer;

  PartsFile() {
    std::ofstream out(path, std::ios::binary);
    for (size_t i = 0; i < kParts; ++i) out << std::string(kPart, static_cast<char>('a' + i));
    out.close();
    mapped = MappedFile::open(path);
    for (size_t i = 0; i < kParts; ++i)
      parts.push_back({"part" + std::to_string(i), mapped, mapped->bytes().data() + i * kPart, kPart});
    buffer.resize(ReadAhead::buffer_bytes(parts));
  }
  bool cached(size_t i) const { return mapped->is_cached(parts[i].begin, parts[i].bytes); }
};

// The reader works on a thread of its own.
template <class Condition>
bool soon(Condition&& condition) {
  const auto begin = std::chrono::steady_clock::now();
  while (!condition()) {
    if (std::chrono::steady_clock::now() - begin > std::chrono::seconds(20)) return false;
    usleep(1000);
  }
  return true;
}

}  // namespace

TEST_CASE("parts are read in the order of their use, as far ahead as the window, and further for who waits") {
  PartsFile file;
  REQUIRE(file.buffer.size() == kPart);
  REQUIRE(evict(file.path, *file.mapped));
  const Context context;
  ReadAhead ahead(file.parts, file.buffer, 3 * kPart);
  CHECK(soon([&] { return ahead.disk_bytes() == 3 * kPart; }));
  CHECK((file.cached(0) && file.cached(1) && file.cached(2)));
  usleep(20'000);
  CHECK(ahead.disk_bytes() == 3 * kPart);
  ahead.used("part1");  // and with it what comes before it
  CHECK(soon([&] { return ahead.disk_bytes() == 5 * kPart; }));
  usleep(20'000);
  CHECK(ahead.disk_bytes() == 5 * kPart);
  ahead.wait(context, "part9");
  CHECK(ahead.disk_bytes() == 10 * kPart);
  CHECK(file.cached(9));
  ahead.wait(context, "part0");
  ahead.wait(context, "a name of no part");
  CHECK(static_cast<char>(*file.parts[9].begin) == 'j');
}

TEST_CASE("what the page cache holds is not read again, and what cannot be read this way holds nobody up") {
  PartsFile file;
  const Context context;
  for (const FilePart& part : file.parts) REQUIRE(part.file->read_into_cache(part.begin, file.buffer));
  {
    ReadAhead ahead(file.parts, file.buffer);
    ahead.wait(context, "part11");
    CHECK(ahead.disk_bytes() == 0);
  }
  const auto borrowed = MappedFile::borrow(file.buffer, "borrowed");
  CHECK_FALSE(borrowed->read_into_cache(borrowed->bytes().data(), file.buffer));
  ReadAhead ahead({{"borrowed", borrowed, borrowed->bytes().data(), kPart}}, file.buffer);
  ahead.wait(context, "borrowed");
  CHECK(ahead.disk_bytes() == 0);
}

TEST_CASE("whoever waits for a part is let go when the job is cancelled") {
  PartsFile file;
  REQUIRE(evict(file.path, *file.mapped));
  // A buffer of a byte makes the reading last.
  ReadAhead ahead(file.parts, std::span(file.buffer).first(1));
  const std::atomic<bool> cancelled = true;
  Context context;
  context.cancelled = &cancelled;
  CHECK_THROWS_AS(ahead.wait(context, "part11"), Cancelled);
}

TEST_CASE("a plan counts what the disk has to give: all of a file, and nothing once it was loaded") {
  const fixtures::TemporaryFolder folder;
  const std::filesystem::path path = folder / "dit.safetensors";
  write_random_model(path, wan_dit_tensors(wan_dit_1_3b(1)), true);
  const auto planned = [&] {
    WorkCount work;
    Context context;
    context.dry_run = true;
    context.work = &work;
    WanDit::load(context, Checkpoint::open(path, FileUse::headers), LinearFormat::int8_tiles);
    return work;
  };
  REQUIRE(evict(path, *MappedFile::open(path)));
  const WorkCount cold = planned();
  const auto size = static_cast<double>(std::filesystem::file_size(path));
  CHECK(cold.file_bytes > 0.98 * size);
  CHECK(cold.file_bytes <= size);
  CHECK(cold.disk_bytes > 0.95 * cold.file_bytes);  // headers are read, and the system reads ahead of them
  const Context context;
  WanDit::load(context, Checkpoint::open(path), LinearFormat::int8_tiles);
  const WorkCount warm = planned();
  CHECK(warm.file_bytes == cold.file_bytes);
  CHECK(warm.disk_bytes < 0.01 * warm.file_bytes);
}

TEST_CASE("a plan's seconds are the disk's where it takes longer than the processors") {
  WorkCount work;
  work.pass(1e9);
  Context context;
  const double processor = predicted_seconds(work, context);
  work.disk_bytes = 1e9;
  CHECK(predicted_seconds(work, context) == processor);  // a disk of which nothing is known
  CHECK(predicted_seconds(work, context, {1e15, 0}) == processor);
  CHECK(predicted_seconds(work, context, {1e9 / (3 * processor), 0}) == doctest::Approx(3 * processor));
  CHECK(predicted_seconds(work, context, {1e15, processor / 1e9}) == doctest::Approx(2 * processor));
}
