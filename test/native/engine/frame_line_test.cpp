// The line of finished frames: order, bounds, errors, and that it works beside whoever pushes.
#include "engine/frame_line.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace rushes;
using namespace std::chrono_literals;

namespace {
std::vector<uint8_t> picture(int64_t frame) { return std::vector<uint8_t>(48, static_cast<uint8_t>(frame)); }
}  // namespace

TEST_CASE("frames come out whole and in order, however slow the work") {
  std::vector<int64_t> seen;
  bool whole = true;
  FrameLine line([&](int64_t frame, std::span<const uint8_t> rgb) {
    if (frame % 7 == 3) std::this_thread::sleep_for(2ms);
    whole = whole && std::vector<uint8_t>(rgb.begin(), rgb.end()) == picture(frame);
    seen.push_back(frame);
  });
  for (int64_t frame = 0; frame < 40; ++frame) line.push(frame, picture(frame));
  line.finish();
  CHECK(whole);
  REQUIRE(seen.size() == 40);
  for (size_t i = 0; i < seen.size(); ++i) CHECK(seen[i] == static_cast<int64_t>(i));
}

TEST_CASE("a full line makes whoever pushes wait") {
  std::atomic<int> done = 0;
  FrameLine line([&](int64_t, std::span<const uint8_t>) {
    std::this_thread::sleep_for(5ms);
    ++done;
  });
  for (int frame = 0; frame < 8; ++frame) {
    line.push(frame, picture(frame));
    CHECK(frame + 1 - done <= 4);  // one at work, two that wait, and one whose end is not counted yet
  }
  line.finish();
  CHECK(done == 8);
}

TEST_CASE("the work is done beside whoever pushes") {
  std::atomic<bool> pushed = false, beside = false;
  FrameLine line([&](int64_t, std::span<const uint8_t>) {
    const auto start = std::chrono::steady_clock::now();
    while (!pushed && std::chrono::steady_clock::now() - start < 5s) std::this_thread::sleep_for(1ms);
    beside = pushed.load();
  });
  line.push(0, picture(0));
  pushed = true;
  line.finish();
  CHECK(beside);
}

TEST_CASE("what the work throws comes out of the next push or of finish, and no frame follows it") {
  std::atomic<int> seen = 0;
  const auto failing = [&](int64_t frame, std::span<const uint8_t>) {
    ++seen;
    if (frame == 1) throw std::runtime_error("no room");
  };
  {
    FrameLine line(failing);
    line.push(0, picture(0));
    line.push(1, picture(1));
    CHECK_THROWS_WITH(line.finish(), "no room");
  }
  CHECK(seen == 2);
  FrameLine line(failing);
  const auto push_many = [&] {
    for (int frame = 0; frame < 9; ++frame) line.push(frame, picture(frame));
  };
  CHECK_THROWS_WITH(push_many(), "no room");
  CHECK(seen == 4);
}

TEST_CASE("a line that is left early drops what waits") {
  std::atomic<int> done = 0;
  {
    FrameLine line([&](int64_t, std::span<const uint8_t>) {
      std::this_thread::sleep_for(10ms);
      ++done;
    });
    for (int frame = 0; frame < 3; ++frame) line.push(frame, picture(frame));
  }
  CHECK(done <= 2);
}
