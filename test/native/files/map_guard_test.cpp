// The guard over mapped files against signals it is not meant for, and against guards that come and go meanwhile. What
// it does for a torn file is in engine/torn_files_test.cpp.
#include "files/map_guard.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <memory>
#include <thread>

#include "files/guarded_range.h"
#include "fixtures/model_files.h"

using rushes::GuardedRange;
using rushes::MapGuard;
using rushes::fixtures::TemporaryFolder;

TEST_CASE("a bus error that another process sends ends this one, guard or not") {
  alignas(4096) static std::byte page[4096];
  const MapGuard guard(page, sizeof page);
  const pid_t child = ::fork();
  if (child == 0) {
    ::kill(::getpid(), SIGBUS);
    ::_exit(0);
  }
  REQUIRE(child > 0);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  // A sanitizer reports the signal and exits with a code of its own.
  CHECK_FALSE((WIFEXITED(status) && WEXITSTATUS(status) == 0));
#ifndef __SANITIZE_ADDRESS__
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGBUS);
#endif
}

TEST_CASE("a range that changes is never read as the begin of one and the end of another") {
  constexpr uintptr_t kChanges = 5'000'000;
  GuardedRange range;
  std::atomic<uintptr_t> changes = 0;
  std::jthread changing([&] {
    for (uintptr_t i = 0; i < kChanges; changes = ++i) range.set(1000 + i % 2 * 2000, 2000 + i % 2 * 2000);
  });
  int mistaken = 0;
  while (changes < kChanges) mistaken += range.end_around(2500) != 0;
  changing.join();
  CHECK(mistaken == 0);
  range.set(1000, 2000);
  CHECK(range.end_around(999) == 0);
  CHECK(range.end_around(1000) == 2000);
  CHECK(range.end_around(1999) == 2000);
  CHECK(range.end_around(2000) == 0);
  range.clear();
  CHECK(range.is_clear());
  CHECK(range.end_around(0) == 0);
}

TEST_CASE("a torn range is known as itself while its neighbours change places") {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  // Torn bytes in the middle; before and after them, guards of one place in turn.
  const TemporaryFolder folder;
  std::ofstream(folder / "empty").flush();
  const int file = ::open((folder / "empty").c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(file >= 0);
  void* area = ::mmap(nullptr, 3 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(area != MAP_FAILED);
  auto* bytes = static_cast<std::byte*>(area);
  std::atomic<bool> placed = false, done = false;
  std::atomic<int> mistaken = 0;
  std::jthread neighbours([&] {
    auto guard = std::make_unique<MapGuard>(bytes, page);
    placed = true;
    for (size_t i = 0; !done; ++i) {
      if (guard->is_torn()) ++mistaken;
      guard.reset();
      guard = std::make_unique<MapGuard>(bytes + i % 2 * 2 * page, page);
    }
  });
  while (!placed) std::this_thread::yield();
  int unknown = 0;
  for (int i = 0; i < 30'000; ++i) {
    REQUIRE(::mmap(bytes + page, page, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0) == bytes + page);
    const MapGuard guard(bytes + page, page);
    CHECK_FALSE(guard.is_torn());
    const std::byte read = *static_cast<volatile std::byte*>(bytes + page);
    if (read != std::byte{0} || !guard.is_torn()) ++unknown;
  }
  done = true;
  neighbours.join();
  CHECK(unknown == 0);
  CHECK(mistaken == 0);
  ::munmap(area, 3 * page);
  ::close(file);
}
