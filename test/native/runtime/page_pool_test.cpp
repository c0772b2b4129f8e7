// The pool of large blocks: what is kept, what is given out again, and that it never holds more than was in use.
#include "runtime/page_pool.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <vector>

#include "engine/machine.h"
#include "runtime/context.h"

namespace rushes {
namespace {

constexpr uint64_t kMegabyte = 1 << 20;

TEST_CASE("page pool: a passing block is kept and given out again, a lasting one is not") {
  PagePool pool;
  std::byte* const first = pool.take(5 * kMegabyte, PageUse::passing);
  REQUIRE(first);
  std::memset(first, 7, 5 * kMegabyte);
  pool.give(first, 5 * kMegabyte, PageUse::passing);
  CHECK(pool.kept_bytes() == 5 * kMegabyte);
  std::byte* const again = pool.take(5 * kMegabyte - 5000, PageUse::passing);
  CHECK(again == first);
  CHECK(pool.kept_bytes() == 0);
  pool.give(again, 5 * kMegabyte - 5000, PageUse::passing);
  CHECK(pool.kept_bytes() == 5 * kMegabyte);
  std::byte* const weights = pool.take(5 * kMegabyte, PageUse::lasting);
  CHECK(weights != first);
  pool.give(weights, 5 * kMegabyte, PageUse::lasting);
  CHECK(pool.kept_bytes() == 5 * kMegabyte);
  pool.trim();
  CHECK(pool.kept_bytes() == 0);
}

TEST_CASE("page pool: kept and lent blocks together stay at the most that was lent") {
  PagePool pool;
  const auto take = [&](uint64_t megabytes) { return pool.take(megabytes * kMegabyte, PageUse::passing); };
  const auto give = [&](std::byte* data, uint64_t megabytes) {
    pool.give(data, megabytes * kMegabyte, PageUse::passing);
  };
  std::byte *const eight = take(8), *const four = take(4);
  give(eight, 8);
  give(four, 4);
  CHECK(pool.kept_bytes() == 12 * kMegabyte);
  std::byte* const six = take(6);  // 6 lent, so 6 may be kept: the older block goes
  CHECK(pool.kept_bytes() == 4 * kMegabyte);
  std::byte* const seven = take(7);  // 13 lent at once: more than ever
  CHECK(pool.kept_bytes() == 0);
  give(six, 6);
  give(seven, 7);
  CHECK(pool.kept_bytes() == 13 * kMegabyte);
  pool.trim();
  CHECK(pool.kept_bytes() == 0);
}

// Memory that is no file's, counted page by page: what /proc/self/statm says may be some hundred KB old, in kernels
// that count on each processor, and code that runs for the first time brings its file's pages. Takes no memory to find
// out.
uint64_t exactly_resident() {
  constexpr char kName[] = "\nAnonymous:";
  char text[2048] = {};
  const int file = ::open("/proc/self/smaps_rollup", O_RDONLY);
  const ssize_t count = file < 0 ? 0 : ::read(file, text, sizeof text - 1);
  if (file >= 0) ::close(file);
  const char* const found = count > 0 ? std::strstr(text, kName) : nullptr;
  return found ? std::strtoull(found + sizeof kName - 1, nullptr, 10) * 1024 : 0;
}

TEST_CASE("page pool: blocks start where a huge page does, and hold what was asked for") {
  PagePool pool;
  const uint64_t bytes = 3 * kMegabyte + 1;
  const uint64_t before = exactly_resident();
  REQUIRE(before > 0);
  std::byte* const block = pool.take(bytes, PageUse::lasting);
  REQUIRE(block);
  CHECK(reinterpret_cast<uintptr_t>(block) % (2 * kMegabyte) == 0);
  std::memset(block, 1, bytes);
  CHECK(exactly_resident() <= before + bytes + 64 * 1024);
  CHECK(exactly_resident() >= before + bytes);
  pool.give(block, bytes, PageUse::lasting);
  CHECK(exactly_resident() <= before + 64 * 1024);
}

#if !defined(__SANITIZE_ADDRESS__)
TEST_CASE("page pool: what the process holds follows the tensors' counter") {
  PagePool::of_this_process().trim();
  MemoryCounter counter;
  Context context;
  context.memory = &counter;
  const uint64_t before = resident_bytes();
  uint64_t most = 0;
  const auto look = [&] { most = std::max(most, resident_bytes() - before); };
  const auto tensor = [&](int64_t megabytes, MemoryUse use) {
    const Tensor out = context.allocate(DType::u8, {megabytes * static_cast<int64_t>(kMegabyte) + 777}, use);
    std::memset(out.raw(), 1, out.bytes());
    look();
    return out;
  };
  const Tensor weights = tensor(33, MemoryUse::weights);
  for (int64_t round = 0; round < 8; ++round) {
    std::vector<Tensor> held;
    for (int64_t i = 0; i < 6; ++i) {
      held.push_back(tensor(1 + (round * 7 + i * 5) % 23, MemoryUse::activations));
      if (i % 2) held.erase(held.begin());
    }
  }
  CHECK(static_cast<double>(most) <= 1.05 * static_cast<double>(counter.peak()));
  CHECK(static_cast<double>(most) >= 0.95 * static_cast<double>(counter.peak()));
  PagePool::of_this_process().trim();
  const auto held = static_cast<double>(resident_bytes() - before);
  CHECK(held <= 1.05 * static_cast<double>(counter.current()));
}
#endif

}  // namespace
}  // namespace rushes
