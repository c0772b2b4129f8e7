// Reading ahead of use: which bytes, from where, how far ahead, and what a plan counts of it.
#include "files/read_ahead.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <system_error>
#include <thread>

#include "engine/bench/random_model.h"
#include "engine/rates.h"
#include "fixtures/model_files.h"
#include "models/wan_dit/wan_dit.h"
#include "models/wan_dit/wan_dit_tensors.h"

using namespace rushes;

namespace {

constexpr uint64_t kPart = 1 << 20;
constexpr size_t kParts = 12;
constexpr uint64_t kOdd = 4096 + 137;  // where the first begins: tensors lie anywhere

// Throws the file out of the page cache; false where the file system has no other place for it.
bool evict(const std::filesystem::path& path, const MappedFile& mapped) {
  mapped.release(mapped.bytes().data(), mapped.size());
  const int file = ::open(path.c_str(), O_RDONLY);
  ::fsync(file);
  ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  ::close(file);
  return mapped.cached_bytes(mapped.bytes().data(), mapped.size()) == 0;
}

// Of temporary folders. A file system in memory has no other place for its files; some take what was to be read past
// the cache through it after all (compressed ones do), and some do not say what the cache holds.
bool can_evict() {
  const fixtures::TemporaryFolder folder;
  const std::filesystem::path path = folder / "page";
  constexpr uint64_t kSize = 64 * MappedFile::kBlockBytes;
  std::ofstream(path, std::ios::binary) << std::string(kSize, 'x');
  const auto mapped = MappedFile::open(path);
  if (!mapped->reads_past_cache() || !evict(path, *mapped)) return false;
  const std::unique_ptr<std::byte, decltype(&std::free)> block(
      static_cast<std::byte*>(std::aligned_alloc(MappedFile::kBlockBytes, kSize)), &std::free);
  const auto cached = [&] { return mapped->cached_bytes(mapped->bytes().data(), kSize); };
  if (!mapped->read_past_cache(0, block.get(), kSize) || cached() != 0) return false;
  return mapped->read_into_cache(mapped->bytes().data(), {block.get(), kSize}) && cached() == kSize;
}

const auto kNeedsDisk = doctest::skip(!can_evict());

struct PartsFile {
  fixtures::TemporaryFolder folder;
  std::filesystem::path path = folder / "parts";
  std::shared_ptr<const MappedFile> mapped;
  std::vector<FilePart> parts;
  std::vector<std::byte> buffer;

  std::string content(size_t i) const {
    std::string out(kPart, '\0');
    for (size_t k = 0; k < kPart; ++k) out[k] = static_cast<char>(k * 7 + k / 4099 + i * 31);
    return out;
  }
  void make_buffer() { buffer.resize(ReadAhead::buffer_bytes(parts)); }

  PartsFile() {
    std::ofstream out(path, std::ios::binary);
    out << std::string(kOdd, 'x');
    for (size_t i = 0; i < kParts; ++i) out << content(i);
    out.close();
    mapped = MappedFile::open(path);
    for (size_t i = 0; i < kParts; ++i)
      parts.push_back({"part" + std::to_string(i), mapped, mapped->bytes().data() + kOdd + i * kPart, kPart});
  }
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

// While it lives the system refuses new threads: each would need a stack larger than the address space.
class NoThreads {
 public:
  NoThreads() {
    ::pthread_getattr_default_np(&before_);
    pthread_attr_t attributes = before_;
    ::pthread_attr_setstacksize(&attributes, size_t{1} << 47);
    ::pthread_setattr_default_np(&attributes);
  }
  ~NoThreads() { ::pthread_setattr_default_np(&before_); }
  NoThreads(const NoThreads&) = delete;
  NoThreads& operator=(const NoThreads&) = delete;

 private:
  pthread_attr_t before_;
};

}  // namespace

TEST_CASE("parts are read one ahead of their use, past the page cache, byte for byte" * kNeedsDisk) {
  PartsFile file;
  REQUIRE(soon([&] { return evict(file.path, *file.mapped); }));
  file.make_buffer();
  REQUIRE(file.buffer.size() > 2 * kPart);
  const Context context;
  ReadAhead ahead(file.parts, file.buffer);
  CHECK(soon([&] { return ahead.disk_bytes() >= 2 * kPart; }));
  usleep(20'000);
  CHECK(ahead.disk_bytes() < 3 * kPart);  // both halves are full
  for (size_t i = 0; i < kParts; ++i) {
    const std::byte* data = ahead.wait(context, file.parts[i].name);
    REQUIRE(data != nullptr);
    CHECK((data >= file.buffer.data() && data + kPart <= file.buffer.data() + file.buffer.size()));
    CHECK(std::memcmp(data, file.content(i).data(), kPart) == 0);
    if (i + 1 < kParts) {  // the next one is read meanwhile, and the one after it is not
      const std::byte* next = ahead.wait(context, file.parts[i + 1].name);
      CHECK(next != data);
      CHECK(std::memcmp(data, file.content(i).data(), kPart) == 0);
    }
    ahead.used(file.parts[i].name);
  }
  CHECK(file.mapped->cached_bytes(file.mapped->bytes().data(), file.mapped->size()) == 0);
  CHECK(ahead.wait(context, "a name of no part") == nullptr);
}

TEST_CASE("who asks in another order is served from the map instead of waiting for ever" * kNeedsDisk) {
  PartsFile file;
  REQUIRE(soon([&] { return evict(file.path, *file.mapped); }));
  file.make_buffer();
  const Context context;
  ReadAhead ahead(file.parts, file.buffer);
  for (const size_t i : {size_t{5}, size_t{3}, size_t{11}, size_t{0}}) {
    const std::byte* data = ahead.wait(context, file.parts[i].name);
    CHECK(std::memcmp(data, file.content(i).data(), kPart) == 0);
    CHECK((data == file.parts[i].begin) == (i > 1));
  }
}

TEST_CASE("a plan's memory is that of its run, whatever the page cache loses between the two" * kNeedsDisk) {
  PartsFile file;
  std::vector<std::byte> dropped(kPart);
  for (const FilePart& part : file.parts) REQUIRE(part.file->read_into_cache(part.begin, dropped));
  const uint64_t planned = ReadAhead::buffer_bytes(file.parts);
  REQUIRE(soon([&] { return evict(file.path, *file.mapped); }));
  CHECK(ReadAhead::buffer_bytes(file.parts) == planned);
}

TEST_CASE("what the page cache holds is used from the map, and so is what cannot be read past it" * kNeedsDisk) {
  PartsFile file;
  const Context context;
  std::vector<std::byte> dropped(kPart);
  for (const FilePart& part : file.parts) REQUIRE(part.file->read_into_cache(part.begin, dropped));
  {
    ReadAhead ahead(file.parts, {});
    for (const FilePart& part : file.parts) CHECK(ahead.wait(context, part.name) == part.begin);
    CHECK(ahead.disk_bytes() == 0);
  }
  // Although there is a buffer.
  std::vector<std::byte> buffer(4 * kPart);
  ReadAhead cached(file.parts, buffer);
  CHECK(cached.wait(context, "part11") == file.parts[11].begin);
  CHECK(cached.disk_bytes() == 0);
  const auto borrowed = MappedFile::borrow(dropped, "borrowed");
  const std::vector<FilePart> parts = {{"borrowed", borrowed, borrowed->bytes().data(), kPart}};
  CHECK(ReadAhead::buffer_bytes(parts) == 0);
  ReadAhead ahead(parts, buffer);
  CHECK(ahead.wait(context, "borrowed") == dropped.data());
}

TEST_CASE("whoever waits for a part is let go when the job is cancelled, and nothing is waited for at the end" *
          kNeedsDisk) {
  PartsFile file;
  REQUIRE(soon([&] { return evict(file.path, *file.mapped); }));
  file.make_buffer();
  const std::atomic<bool> cancelled = true;
  Context context;
  context.cancelled = &cancelled;
  ReadAhead ahead(file.parts, file.buffer);
  CHECK(soon([&] { return ahead.disk_bytes() >= 2 * kPart; }));
  CHECK_THROWS_AS(ahead.wait(context, "part11"), Cancelled);  // which no half of the buffer has room for
}

TEST_CASE("a slow disk is read once, through the page cache" * kNeedsDisk) {
  PartsFile file;
  REQUIRE(soon([&] { return evict(file.path, *file.mapped); }));
  file.make_buffer();
  const Context context;
  ReadAhead ahead(file.parts, file.buffer, {.quick_bytes_per_second = 1e18, .trial_bytes = 1});
  for (size_t i = 0; i < kParts; ++i) {
    const std::byte* data = ahead.wait(context, file.parts[i].name);
    REQUIRE(data != nullptr);
    CHECK((data == file.parts[i].begin) == (i > 0));  // the first one was the trial
    if (i > 0) CHECK(file.mapped->is_cached(data, kPart));
    CHECK(std::memcmp(data, file.content(i).data(), kPart) == 0);
    ahead.used(file.parts[i].name);
  }
  CHECK(ahead.disk_bytes() < 2 * kPart);
}

TEST_CASE("where the system gives no thread, parts are used through the map, and read by one thread instead of two" *
          kNeedsDisk) {
  PartsFile file;
  REQUIRE(soon([&] { return evict(file.path, *file.mapped); }));
  file.make_buffer();
  const Context context;
  ReadAhead ahead(file.parts, file.buffer);
  const auto holds = [&](ReadAhead& reader, size_t i, bool in_map) {
    const std::byte* data = reader.wait(context, file.parts[i].name);
    return (data == file.parts[i].begin) == in_map && std::memcmp(data, file.content(i).data(), kPart) == 0;
  };
  CHECK(holds(ahead, 1, false));  // both halves are full
  const NoThreads none;
  REQUIRE_THROWS_AS(std::thread([] {}).join(), std::system_error);
  ahead.used(file.parts[0].name);
  CHECK(holds(ahead, 2, false));
  ReadAhead without(file.parts, file.buffer);
  for (size_t i = 0; i < kParts; ++i) CHECK(holds(without, i, true));
  CHECK(without.disk_bytes() == 0);
}

TEST_CASE("a plan counts what the disk has to give: all of a file, and nothing of what the page cache holds" *
          kNeedsDisk) {
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
  const auto mapped = MappedFile::open(path);
  REQUIRE(soon([&] { return evict(path, *mapped); }));
  const WorkCount cold = planned();
  // Headers are read, and the system reads ahead of them: megabytes, and some of it while this runs.
  const auto read_ahead = static_cast<double>(mapped->cached_bytes(mapped->bytes().data(), mapped->size()));
  const auto size = static_cast<double>(std::filesystem::file_size(path));
  CHECK(cold.file_bytes > 0.98 * size);
  CHECK(cold.file_bytes <= size);
  CHECK(cold.disk_bytes > 0.97 * cold.file_bytes - read_ahead);  // both look at a page here and there
  CHECK(cold.disk_bytes <= cold.file_bytes);
  const auto file = Checkpoint::open(path);
  for (const TensorView& tensor : file->tensors()) {
    std::vector<std::byte> dropped(tensor.bytes());
    const auto part = file->part(tensor);
    REQUIRE((part && part->file->read_into_cache(part->begin, dropped)));
  }
  const WorkCount warm = planned();
  CHECK(warm.file_bytes == cold.file_bytes);
  CHECK(warm.disk_bytes < 0.01 * warm.file_bytes);
}

TEST_CASE("a transformer's loading reads its file past the page cache, and no second time into it" * kNeedsDisk) {
  const fixtures::TemporaryFolder folder;
  const std::filesystem::path path = folder / "dit.safetensors";
  write_random_model(path, wan_dit_tensors(wan_dit_1_3b(1)), true);
  const auto mapped = MappedFile::open(path);
  const auto file = Checkpoint::open(path);
  REQUIRE(soon([&] { return evict(path, *mapped); }));
  WanDit::load(Context(), file, LinearFormat::int8_tiles);
  usleep(100'000);  // reading that was asked for and not waited for
  CHECK(mapped->cached_bytes(mapped->bytes().data(), mapped->size()) < mapped->size() / 5);
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
