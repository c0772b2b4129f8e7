// Kernels broken on purpose, one mistake each: the emulator must say which, and the same kernel without it must run.
#include <doctest/doctest.h>

#include <optional>
#include <string>

#include "cuda/launch.h"
#include "emulator/device_array.h"

namespace rushes::cuda {
namespace {

using emulator::Fault;
using emulator::Violation;

constexpr int kSharedBytes = 4096;

template <class... Parameters, class... Arguments>
std::optional<Violation> violation_of(void (*kernel)(Parameters...), int threads, Arguments... arguments) {
  try {
    launch(nullptr, "broken", kernel, {2, 1, 1}, threads, kSharedBytes, arguments...);
    stream_synchronize(nullptr);
  } catch (const Violation& violation) {
    return violation;
  }
  return std::nullopt;
}

void check(const std::optional<Violation>& violation, Fault fault, const std::string& part) {
  REQUIRE(violation);
  CHECK_MESSAGE(violation->fault == fault, violation->sentence());
  CHECK_MESSAGE(violation->sentence().find(part) != std::string::npos, violation->sentence());
  CHECK(violation->sentence().find("Kernel broken, block (") == 0);
  CHECK(violation->sentence().find("), thread ") != std::string::npos);
  CHECK(violation->code() == "gpu.failed");
}

// Every thread writes its own number and reads its neighbour's.
RUSHES_KERNEL(64, 1) neighbours(int* out, bool has_barrier, bool reads_first) {
  const Shared<int> numbers = shared_memory<int>(0, 64);
  const int i = thread_index();
  if (reads_first) {
    numbers[i] = i;
    sync_block();
    out[i] = numbers[(i + 33) % 64];
    if (has_barrier) sync_block();
    numbers[i] = i;
  } else {
    numbers[i] = i;
    if (has_barrier) sync_block();
    out[i] = numbers[(i + 33) % 64];
  }
}

TEST_CASE("emulator: a read and a write without a barrier of the block in between are a race") {
  DeviceArray<int> out(64);
  for (const bool reads_first : {false, true}) {
    CHECK_FALSE(violation_of(neighbours, 64, out.data(), true, reads_first));
    CHECK(out.values()[5] == 38);
    const auto violation = violation_of(neighbours, 64, out.data(), false, reads_first);
    // The first warp reads what the second has not written: in its order that is memory without a value.
    if (reads_first)
      check(violation, Fault::race, "without a barrier");
    else
      check(violation, Fault::uninitialised, "which nobody wrote");
  }
}

// The later warp looks at what the earlier wrote.
RUSHES_KERNEL(64, 1) downwards(int* out, bool has_barrier) {
  const Shared<int> numbers = shared_memory<int>(0, 64);
  const int i = thread_index();
  numbers[i] = i;
  if (has_barrier) sync_block();
  out[i] = i < 32 ? i : static_cast<int>(numbers[i - 32]);
}

// Two threads write one byte of the same word.
RUSHES_KERNEL(64, 1) both_write(bool same_byte) {
  const Shared<uint8_t> bytes = shared_memory<uint8_t>(0, 256);
  bytes[thread_index() * (same_byte ? 0 : 1)] = 7;
}

TEST_CASE("emulator: a race names the byte and both threads") {
  DeviceArray<int> out(64);
  CHECK_FALSE(violation_of(downwards, 64, out.data(), true));
  check(violation_of(downwards, 64, out.data(), false), Fault::race,
        "thread 32: reads byte 0 of shared memory, which thread 0 wrote without a barrier");
  CHECK_FALSE(violation_of(both_write, 64, false));
  check(violation_of(both_write, 64, true), Fault::race,
        "thread 1: writes byte 0 of shared memory, which thread 0 wrote without a barrier");
}

// Lanes of one warp exchange through shared memory; shuffles do not order it.
RUSHES_KERNEL(32, 1) lanes(int* out, int order) {
  const Shared<int> numbers = shared_memory<int>(0, 32);
  const int i = thread_index();
  for (int round = 0; round < 3; ++round) {
    numbers[i] = i + round;
    if (order == 1) sync_warp();
    if (order == 2) shuffle(i, 0);
    out[i] = numbers[i ^ 1];
    if (order == 1) sync_warp();
  }
}

TEST_CASE("emulator: a warp barrier orders the lanes of a warp, a shuffle does not") {
  DeviceArray<int> out(32);
  CHECK_FALSE(violation_of(lanes, 32, out.data(), 1));
  CHECK(out.values()[4] == 7);
  check(violation_of(lanes, 32, out.data(), 2), Fault::race, "without a barrier");
}

// One warp's barrier says nothing about another warp.
RUSHES_KERNEL(64, 1) warp_barrier_across(int* out) {
  const Shared<int> numbers = shared_memory<int>(0, 64);
  numbers[thread_index()] = 1;
  sync_warp();
  if (warp_index() == 1) out[lane_index()] = numbers[lane_index()];
}

TEST_CASE("emulator: a warp barrier does not order two warps") {
  DeviceArray<int> out(32);
  check(violation_of(warp_barrier_across, 64, out.data()), Fault::race, "without a barrier");
}

// More barriers than the records count before they begin anew.
RUSHES_KERNEL(64, 1) many_barriers(int* out, int count, bool of_warps) {
  const Shared<int> numbers = shared_memory<int>(0, 64);
  int sum = 0;
  numbers[thread_index()] = thread_index();
  sync_block();
  for (int i = 0; i < count; ++i) {
    sum += numbers[thread_index() ^ 1];
    if (of_warps)
      sync_warp();
    else
      sync_block();
    numbers[thread_index()] = thread_index();
    if (of_warps)
      sync_warp();
    else
      sync_block();
  }
  out[thread_index()] = sum + numbers[thread_index() ^ 1];
}

TEST_CASE("emulator: thousands of barriers are counted right") {
  DeviceArray<int> out(64);
  for (const bool of_warps : {false, true}) {
    const auto violation = violation_of(many_barriers, 64, out.data(), 1700, of_warps);
    CHECK_FALSE_MESSAGE(violation, violation->sentence());
    CHECK(out.values()[10] == 11 * 1701);
  }
}

RUSHES_KERNEL(32, 1) window(int offset, int count, int element, bool writes_all) {
  const Shared<float> numbers = shared_memory<float>(offset, count);
  if (writes_all) numbers[lane_index()] = 1.0f;
  sync_warp();
  if (lane_index() == 3 && element >= 0) numbers[element] = numbers[element] + 1.0f;
}

TEST_CASE("emulator: windows of shared memory have ends") {
  CHECK_FALSE(violation_of(window, 32, 0, 32, 31, true));
  check(violation_of(window, 32, 0, 32, 32, true), Fault::bounds, "element 32 of a window of 32 elements");
  check(violation_of(window, 32, kSharedBytes - 64, 32, -1, false), Fault::bounds, "of which the launch has 4096");
  check(violation_of(window, 32, 8, 32, 1, true), Fault::alignment, "not a multiple of 16");
  check(violation_of(window, 32, 256, 64, 40, true), Fault::uninitialised, "thread 3");
}

RUSHES_KERNEL(64, 1) copies(const float* from, float* out, int mistake) {
  const Shared<float> numbers = shared_memory<float>(0, 256);
  const int i = thread_index();
  copy_async(numbers, 4 * i, from + 4 * i);
  copy_async_commit();
  if (mistake == 1) out[i] = numbers[4 * i];  // before the wait
  if (mistake == 2) numbers[4 * i] = 1.0f;
  if (mistake != 3) copy_async_wait<0>();
  if (mistake < 4) sync_block();
  out[i] = mistake == 5 ? static_cast<float>(numbers[4 * (i & 31)]) : static_cast<float>(numbers[4 * (i ^ 33)]);
}

RUSHES_KERNEL(32, 1) copy_groups(const float* from, float* out, bool waits_for_all) {
  const Shared<float> numbers = shared_memory<float>(0, 256);
  const int i = thread_index();
  copy_async(numbers, 4 * i, from + 4 * i);
  copy_async_commit();
  copy_async(numbers, 128 + 4 * i, from + 4 * i, i % 2 == 0);
  copy_async_commit();
  if (waits_for_all)
    copy_async_wait<0>();
  else
    copy_async_wait<1>();
  sync_warp();
  out[i] = numbers[4 * i] + numbers[128 + 4 * i];
}

TEST_CASE("emulator: a copy must be waited for, and then a barrier") {
  std::vector<float> values(256);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  DeviceArray<float> from(values), out(64);
  CHECK_FALSE(violation_of(copies, 64, from.data(), out.data(), 0));
  CHECK(out.values()[0] == 132.0f);
  check(violation_of(copies, 64, from.data(), out.data(), 1), Fault::in_flight,
        "reads byte 0 of shared memory, which a copy_async of thread 0");
  check(violation_of(copies, 64, from.data(), out.data(), 2), Fault::in_flight, "writes byte 0");
  check(violation_of(copies, 64, from.data(), out.data(), 3), Fault::in_flight, "which a copy_async of thread");
  // The first warp looks before the second has begun; the second then finds what is there, and without an order.
  check(violation_of(copies, 64, from.data(), out.data(), 4), Fault::uninitialised, "which nobody wrote");
  check(violation_of(copies, 64, from.data(), out.data(), 5), Fault::race, "wrote without a barrier");
  CHECK_FALSE(violation_of(copy_groups, 32, from.data(), out.data(), true));
  CHECK(out.values()[2] == 16.0f);
  CHECK(out.values()[3] == 12.0f);
  check(violation_of(copy_groups, 32, from.data(), out.data(), false), Fault::in_flight,
        "which a copy_async of thread 31 has not been waited for");
  check(violation_of(copies, 64, static_cast<const float*>(from.data() + 1), out.data(), 0), Fault::alignment,
        "copy_async from an address");
}

RUSHES_KERNEL(64, 1) barriers(int mistake) {
  const int i = thread_index();
  if (mistake == 1 && i == 40) return;
  if (mistake == 2 && i == 40) shuffle(i, 0);
  if (mistake == 3) {
    if (i < 32)
      sync_block();
    else
      sync_block();
  }
  if (mistake == 4 && i >= 32) return;
  sync_block();
}

TEST_CASE("emulator: all threads of a block meet at the same barrier") {
  CHECK_FALSE(violation_of(barriers, 64, 0));
  check(violation_of(barriers, 64, 1), Fault::barrier, "thread 40 has left the kernel");
  check(violation_of(barriers, 64, 2), Fault::divergence, "thread 40");
  check(violation_of(barriers, 64, 3), Fault::barrier, "but thread 0 in that of line");
  check(violation_of(barriers, 64, 4), Fault::barrier, "has left the kernel");
}

RUSHES_KERNEL(32, 1) part_of_a_warp(int mistake, float* out) {
  float d[4] = {};
  const uint32_t a[4] = {}, b[2] = {};
  const int i = lane_index();
  if (mistake == 0) out[i] = shuffle_xor(1.0f, 1);
  if (mistake == 1 && i < 16) out[i] = shuffle_xor(1.0f, 1);
  if (mistake == 2) {
    if (i < 16)
      warp_ballot(true);
    else
      mma_bf16(d, a, b);
  }
  if (mistake == 3) {
    if (i == 7) return;
    mma_int8(*reinterpret_cast<int32_t(*)[4]>(&d), a, b);
  }
  if (mistake == 4) {
    if (i < 4)
      sync_warp();
    else
      sync_warp();
  }
}

TEST_CASE("emulator: functions of a warp need the whole warp") {
  DeviceArray<float> out(32);
  CHECK_FALSE(violation_of(part_of_a_warp, 32, 0, out.data()));
  check(violation_of(part_of_a_warp, 32, 1, out.data()), Fault::divergence,
        "calls shuffle_xor, which the whole warp must call, but thread 16 has left");
  check(violation_of(part_of_a_warp, 32, 2, out.data()), Fault::divergence, "mma_bf16");
  check(violation_of(part_of_a_warp, 32, 3, out.data()), Fault::divergence, "but thread 7 has left the kernel");
  check(violation_of(part_of_a_warp, 32, 4, out.data()), Fault::divergence, "waits in this sync_warp");
  CHECK_THROWS_AS(launch(nullptr, "broken", part_of_a_warp, {1, 1, 1}, 48, 0, 0, out.data()), Violation);
}

RUSHES_KERNEL(32, 1) matrices(int mistake, uint32_t* out) {
  const Shared<uint16_t> rows = shared_memory<uint16_t>(0, 8 * 8);
  for (int i = lane_index(); i < 64; i += 32) rows[i] = static_cast<uint16_t>(i);
  sync_warp();
  uint32_t fragment[1];
  load_matrix<1>(fragment, rows, lane_index() % 8 * 8 + (mistake == 1 ? 8 : mistake == 2 && lane_index() == 0 ? 4 : 0));
  out[lane_index()] = fragment[0];
}

TEST_CASE("emulator: load_matrix keeps to its window and to 16 bytes") {
  DeviceArray<uint32_t> out(32);
  CHECK_FALSE(violation_of(matrices, 32, 0, out.data()));
  CHECK(out.values()[5] == (10u | 11u << 16));
  check(violation_of(matrices, 32, 1, out.data()), Fault::bounds, "load_matrix of a row outside");
  check(violation_of(matrices, 32, 2, out.data()), Fault::alignment, "load_matrix of a row that");
}

RUSHES_KERNEL(32, 1) global_memory(float* numbers, int index, int divisor) {
  if (lane_index() == 9) numbers[index] = static_cast<float>(index / divisor);
}

RUSHES_KERNEL(32, 1) misaligned(const float* numbers, float* out) {
  const Words4 words = *reinterpret_cast<const Words4*>(numbers + 1);
  out[lane_index()] = bits_float(words.word[lane_index() % 4]);
}

TEST_CASE("emulator: global memory that is not there, and division by zero, end the kernel and nothing else") {
  DeviceArray<float> numbers(64);
  CHECK_FALSE(violation_of(global_memory, 32, numbers.data(), 63, 1));
  check(violation_of(global_memory, 32, numbers.data(), 64, 1), Fault::address,
        "thread 9: touches global memory that is not there: byte 256 of an allocation of 256 bytes");
  check(violation_of(global_memory, 32, static_cast<float*>(nullptr), 4, 1), Fault::address, "address 0x10");
  check(violation_of(global_memory, 32, numbers.data(), 0, 0), Fault::undefined, "divides an integer by zero");
  DeviceArray<float> out(32);
  check(violation_of(misaligned, 32, static_cast<const float*>(numbers.data()), out.data()), Fault::undefined,
        "moves more bytes at once than their address allows");
  float on_the_host = 0;
  CHECK_THROWS_AS(launch(nullptr, "broken", global_memory, {1, 1, 1}, 32, 0, &on_the_host, 0, 1), Violation);
  CHECK_FALSE(violation_of(global_memory, 32, numbers.data(), 63, 1));
}

}  // namespace
}  // namespace rushes::cuda
