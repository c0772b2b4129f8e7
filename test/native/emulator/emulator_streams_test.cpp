// Streams of the pretended card: what is asked for happens when somebody waits for it, in every lawful order, and who
// forgets to wait is told.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <optional>
#include <string>

#include "cuda/launch.h"
#include "emulator/device_array.h"
#include "emulator/pretended_card.h"

namespace rushes::cuda {
namespace {

using emulator::Fault;
using emulator::StreamOrder;
using emulator::Violation;

constexpr StreamOrder kOrders[] = {StreamOrder::earliest, StreamOrder::latest, StreamOrder::others_first,
                                   StreamOrder::shuffled};
constexpr int kCount = 32;
constexpr uint64_t kBytes = kCount * sizeof(float);

RUSHES_KERNEL(32, 1) add_one(float* numbers) { numbers[thread_index()] += 1.0f; }
RUSHES_KERNEL(32, 1) add_to(const float* from, float* to, float factor) {
  to[thread_index()] = from[thread_index()] + factor;
}
RUSHES_KERNEL(32, 1) beyond(float* numbers) { numbers[thread_index() + 100000] = 1.0f; }

struct TestStream {
  StreamHandle handle = nullptr;
  TestStream() { REQUIRE(stream_create(&handle) == 0); }
  ~TestStream() {
    stream_synchronize(handle);
    stream_destroy(handle);
  }
  TestStream(const TestStream&) = delete;
  TestStream& operator=(const TestStream&) = delete;
  operator StreamHandle() const { return handle; }
};

struct TestEvent {
  EventHandle handle = nullptr;
  TestEvent() { REQUIRE(event_create(&handle) == 0); }
  ~TestEvent() { event_destroy(handle); }
  TestEvent(const TestEvent&) = delete;
  TestEvent& operator=(const TestEvent&) = delete;
  operator EventHandle() const { return handle; }
};

struct PinnedNumbers {
  float* data = nullptr;
  explicit PinnedNumbers(float value) {
    void* memory = nullptr;
    REQUIRE(pinned_allocate(&memory, kBytes) == 0);
    data = static_cast<float*>(memory);
    fill(value);
  }
  ~PinnedNumbers() { pinned_free(data); }
  PinnedNumbers(const PinnedNumbers&) = delete;
  PinnedNumbers& operator=(const PinnedNumbers&) = delete;
  void fill(float value) { std::fill(data, data + kCount, value); }
};

template <class Function>
void check_order(Function function, const std::string& first, const std::string& second) {
  std::optional<Violation> violation;
  try {
    function();
  } catch (const Violation& thrown) {
    violation = thrown;
  }
  REQUIRE(violation);
  CAPTURE(violation->sentence());
  CHECK(violation->fault == Fault::order);
  CHECK(violation->sentence().find(first) != std::string::npos);
  CHECK(violation->sentence().find(second) != std::string::npos);
}

void add_one_in(StreamHandle stream, float* numbers) {
  launch(stream, "add_one", add_one, {1, 1, 1}, kCount, 0, numbers);
}
Code upload(DeviceArray<float>& to, const PinnedNumbers& from, StreamHandle stream) {
  return copy_async(to.data(), from.data, kBytes, CopyKind::to_device, stream);
}
Code download(const PinnedNumbers& to, const DeviceArray<float>& from, StreamHandle stream) {
  return copy_async(to.data, from.data(), kBytes, CopyKind::to_host, stream);
}

}  // namespace

TEST_CASE("emulated streams: work is done when it is waited for, with arguments as they were") {
  const RestoredCard restored;
  emulator::set_stream_order(StreamOrder::latest);
  PinnedNumbers in(3), out(7);
  DeviceArray<float> numbers(kCount), sum(kCount);
  const TestStream stream;
  CHECK(upload(numbers, in, stream) == 0);
  float factor = 10;
  launch(stream, "add_to", add_to, {1, 1, 1}, kCount, 0, numbers.data(), sum.data(), factor);
  factor = 20;
  CHECK(download(out, sum, stream) == 0);
  CHECK(std::isnan(out.data[5]));
  CHECK(stream_synchronize(stream) == 0);
  CHECK(out.data[5] == 13);
}

TEST_CASE("emulated streams: an event waits for what came before it, and for no more") {
  const RestoredCard restored;
  emulator::set_stream_order(StreamOrder::latest);
  PinnedNumbers in(1), first(0), second(0);
  DeviceArray<float> numbers(kCount);
  const TestStream stream;
  const TestEvent event;
  CHECK(event_synchronize(event) == 0);  // never recorded
  float milliseconds = 0;
  CHECK(event_elapsed(milliseconds, event, event) != 0);
  CHECK(upload(numbers, in, stream) == 0);
  CHECK(download(first, numbers, stream) == 0);
  CHECK(event_record(event, stream) == 0);
  add_one_in(stream, numbers.data());
  CHECK(download(second, numbers, stream) == 0);
  CHECK(event_elapsed(milliseconds, event, event) != 0);
  CHECK(event_synchronize(event) == 0);
  CHECK(event_elapsed(milliseconds, event, event) == 0);
  CHECK(first.data[0] == 1);
  CHECK(std::isnan(second.data[0]));
  CHECK(event_record(event, stream) == 0);  // means the later point from now on
  CHECK(event_synchronize(event) == 0);
  CHECK(second.data[0] == 2);
}

TEST_CASE("emulated streams: two streams that wait for each other give the same bits in every order") {
  const RestoredCard restored;
  for (const StreamOrder order : kOrders)
    for (const uint32_t seed : {1u, 2u, 3u}) {
      emulator::set_stream_order(order, seed);
      PinnedNumbers in(1), out(0);
      DeviceArray<float> numbers(kCount), sum(kCount);
      const TestStream copies, work;
      const TestEvent copied, worked;
      float expected = 0;
      for (int i = 0; i < 4; ++i) {
        CHECK(upload(numbers, in, copies) == 0);
        CHECK(event_record(copied, copies) == 0);
        CHECK(stream_wait(work, copied) == 0);
        add_one_in(work, numbers.data());
        CHECK(event_record(worked, work) == 0);
        CHECK(stream_wait(copies, worked) == 0);
        expected = in.data[0] + 1;
      }
      CHECK(download(out, numbers, work) == 0);
      CHECK(stream_synchronize(work) == 0);
      CHECK(out.data[31] == expected);
    }
}

TEST_CASE("emulated streams: a wait that is missing between two streams is an error that names both operations") {
  const RestoredCard restored;
  for (const StreamOrder order : kOrders) {
    emulator::set_stream_order(order);
    PinnedNumbers in(1), out(0);
    DeviceArray<float> numbers(kCount);
    const TestStream copies, work;
    const TestEvent event;
    CHECK(upload(numbers, in, copies) == 0);
    check_order([&] { add_one_in(work, numbers.data()); }, "Kernel add_one", "a copy of 128 bytes to the card");
    // Its work ended with it; the host knows that.
    add_one_in(work, numbers.data());
    check_order([&] { upload(numbers, in, copies); }, "A copy of 128 bytes to the card", "kernel add_one");
    add_one_in(work, numbers.data());
    CHECK(event_record(event, work) == 0);
    add_one_in(work, numbers.data());
    CHECK(stream_wait(copies, event) == 0);  // too early a point
    check_order([&] { download(out, numbers, copies); }, "A copy of 128 bytes from the card", "kernel add_one");
    // Reads of two streams are no conflict, nor are two kernels that the host waited for in between.
    add_one_in(work, numbers.data());
    CHECK(stream_synchronize(work) == 0);
    add_one_in(copies, numbers.data());
    CHECK(stream_synchronize(copies) == 0);
    CHECK(download(in, numbers, copies) == 0);
    CHECK(download(out, numbers, work) == 0);
  }
}

TEST_CASE("emulated streams: parts of one allocation are used by two streams at a time") {
  const RestoredCard restored;
  PinnedNumbers in(1);
  DeviceArray<float> numbers(4 * kCount);
  const TestStream copies, work;
  take_part(numbers.data(), kBytes);
  take_part(numbers.data() + kCount, kBytes);
  CHECK(copy_async(numbers.data(), in.data, kBytes, CopyKind::to_device, copies) == 0);
  add_one_in(work, numbers.data() + kCount);
  check_order([&] { add_one_in(work, numbers.data()); }, "Kernel add_one", "a copy of 128 bytes");
  give_part(numbers.data());
  CHECK_THROWS_AS(add_one_in(work, numbers.data()), Violation);
  CHECK(stream_synchronize(work) == 0);
}

TEST_CASE("emulated streams: pinned memory that the host touches before the copy ran") {
  const RestoredCard restored;
  emulator::set_stream_order(StreamOrder::latest);
  PinnedNumbers memory(1);
  DeviceArray<float> numbers(kCount);
  const TestStream stream;
  CHECK(upload(numbers, memory, stream) == 0);
  memory.fill(2);
  check_order([&] { stream_synchronize(stream); }, "a copy of 128 bytes to the card", "changed by the host");
  CHECK(upload(numbers, memory, stream) == 0);
  CHECK(download(memory, numbers, stream) == 0);  // the same memory, after the copy in this stream
  CHECK(stream_synchronize(stream) == 0);
  CHECK(memory.data[3] == 2);
  CHECK(download(memory, numbers, stream) == 0);
  CHECK(std::isnan(memory.data[3]));
  memory.data[3] = 5;
  check_order([&] { stream_synchronize(stream); }, "a copy of 128 bytes from the card", "changed by the host");
}

TEST_CASE("emulated streams: memory that is given back while work may use it") {
  const RestoredCard restored;
  for (const StreamOrder order : kOrders) {
    emulator::set_stream_order(order);
    const TestStream stream;
    void *there = nullptr, *here = nullptr;
    REQUIRE(device_allocate(&there, kBytes) == 0);
    REQUIRE(pinned_allocate(&here, kBytes) == 0);
    CHECK(fill_async(there, 0, kBytes, stream) == 0);
    check_order([&] { device_free(there); }, "Device memory", "a fill of 128 bytes");
    CHECK(copy_async(there, here, kBytes, CopyKind::to_device, stream) == 0);
    check_order([&] { pinned_free(here); }, "Pinned memory", "a copy of 128 bytes");
    CHECK(fill_async(there, 0, kBytes, stream) == 0);
    CHECK(stream_synchronize(stream) == 0);
    CHECK(device_free(there) == 0);
    CHECK(pinned_free(here) == 0);
  }
}

TEST_CASE("emulated streams: pageable memory is read at once, and is there when the call returns") {
  const RestoredCard restored;
  emulator::set_stream_order(StreamOrder::latest);
  DeviceArray<float> numbers(kCount);
  const TestStream stream;
  std::vector<float> memory(kCount, 4);
  CHECK(copy_async(numbers.data(), memory.data(), kBytes, CopyKind::to_device, stream) == 0);
  std::fill(memory.begin(), memory.end(), 0.0f);
  CHECK(copy_async(memory.data(), numbers.data(), kBytes, CopyKind::to_host, stream) == 0);
  CHECK(memory[9] == 4);
}

TEST_CASE("emulated streams: the order says how much of another stream's work is done") {
  const RestoredCard restored;
  const auto other_is_done = [](StreamOrder order, uint32_t seed = 1) {
    emulator::set_stream_order(order, seed);
    DeviceArray<float> numbers(std::vector<float>(kCount, 1.0f));
    CHECK(numbers.values()[0] == 1);
    PinnedNumbers one(0), two(0);
    const TestStream waited, other;
    CHECK(download(two, numbers, other) == 0);
    for (int i = 0; i < 3; ++i) CHECK(download(one, numbers, waited) == 0);
    CHECK(stream_synchronize(waited) == 0);
    const bool is_done = two.data[0] == 1;
    CHECK(stream_synchronize(other) == 0);
    CHECK(two.data[0] == 1);
    return is_done;
  };
  CHECK(other_is_done(StreamOrder::earliest));
  CHECK_FALSE(other_is_done(StreamOrder::latest));
  CHECK(other_is_done(StreamOrder::others_first));
  int done = 0;
  for (uint32_t seed = 1; seed <= 32; ++seed) {
    const bool is_done = other_is_done(StreamOrder::shuffled, seed);
    CHECK(other_is_done(StreamOrder::shuffled, seed) == is_done);
    done += is_done;
  }
  CHECK(done > 0);
  CHECK(done < 32);
}

TEST_CASE("emulated streams: a stream that is destroyed ends its work all the same") {
  const RestoredCard restored;
  emulator::set_stream_order(StreamOrder::latest);
  PinnedNumbers in(1), out(0);
  DeviceArray<float> numbers(kCount);
  StreamHandle stream = nullptr;
  const TestEvent event;
  REQUIRE(stream_create(&stream) == 0);
  CHECK(upload(numbers, in, stream) == 0);
  CHECK(download(out, numbers, stream) == 0);
  CHECK(event_record(event, stream) == 0);
  CHECK(stream_destroy(stream) == 0);
  CHECK(stream_synchronize(stream) != 0);
  CHECK(event_synchronize(event) == 0);
  CHECK(out.data[0] == 1);
}

TEST_CASE("emulated streams: what goes wrong in a kernel is said by who waits for it") {
  const RestoredCard restored;
  emulator::set_stream_order(StreamOrder::latest);
  DeviceArray<float> numbers(std::vector<float>(kCount, 1.0f));
  {
    const TestStream stream;
    CHECK(stream_synchronize(nullptr) == 0);
    launch(stream, "beyond", beyond, {1, 1, 1}, kCount, 0, numbers.data());
    CHECK_THROWS_AS(stream_synchronize(stream), Violation);
    CHECK(stream_synchronize(stream) == 0);
  }
  // The third kernel from now fails while it runs: asking for it succeeds, and for what comes after.
  emulator::set_faults({.execution = 3});
  const TestStream stream;
  for (int i = 0; i < 4; ++i) add_one_in(stream, numbers.data());
  CHECK(last_error() == 0);
  CHECK(stream_synchronize(stream) == emulator::kIllegalAddress);
  CHECK(last_error() == emulator::kIllegalAddress);
  CHECK(stream_synchronize(stream) == emulator::kIllegalAddress);
  CHECK_THROWS_AS(add_one_in(stream, numbers.data()), Error);
  emulator::set_faults({});
  CHECK(numbers.values()[0] == 3);
}

}  // namespace rushes::cuda
