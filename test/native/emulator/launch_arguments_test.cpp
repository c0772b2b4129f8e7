// What a kernel is given must be the card's: addresses alone and within structs, and nothing else is taken for one.
#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

#include "cuda/launch.h"
#include "emulator/device_array.h"
#include "emulator/pretended_card.h"

namespace rushes::cuda {
namespace {

using emulator::Fault;
using emulator::Violation;

struct Numbers {
  int count, stride;
  bool is_whole;
  float* data[2];
  double factor;
};
RUSHES_KERNEL(32, 1) add_numbers(int unused, Numbers numbers) {
  const int i = thread_index();
  if (unused || i >= numbers.count) return;
  numbers.data[0][i] += numbers.data[1] ? numbers.data[1][i] : 1.0f;
}

std::string fault_of(const Numbers& numbers) {
  try {
    launch(nullptr, "add_numbers", add_numbers, {1, 1, 1}, 32, 0, 0, numbers);
    stream_synchronize(nullptr);
  } catch (const Violation& violation) {
    CHECK(violation.fault == Fault::address);
    return violation.sentence();
  }
  return "";
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a host address within a struct is refused with the kernel's name, and the card's own is not") {
  const RestoredCard restored;
  DeviceArray<float> there(std::vector<float>(32, 2.0f)), more(std::vector<float>(32, 3.0f));
  Numbers numbers = {};
  std::memset(static_cast<void*>(&numbers), 0xff, sizeof numbers);  // what lies in the padding is nobody's business
  numbers.count = 32, numbers.stride = 1, numbers.is_whole = true, numbers.factor = 0.5;
  numbers.data[0] = there.data(), numbers.data[1] = nullptr;
  CHECK(fault_of(numbers) == "");
  numbers.data[1] = more.data() + 3;
  CHECK(fault_of(numbers) == "");
  CHECK(there.values()[0] == 6);

  float on_the_stack[32] = {};
  const std::vector<float> on_the_heap(1 << 20);  // in a mapping of its own
  static float in_the_program[32];
  for (float* address : {on_the_stack, const_cast<float*>(on_the_heap.data()), in_the_program, new float[32]}) {
    numbers.data[1] = address;
    const std::string fault = fault_of(numbers);
    CAPTURE(fault);
    CHECK(has(fault, "Kernel add_numbers was given in argument 2 an address of the host's memory"));
    CHECK(has(fault, ", at byte 24 of the struct"));
    if (address != on_the_stack && address != in_the_program && address != on_the_heap.data()) delete[] address;
  }
}

TEST_CASE("numbers that stand side by side in a struct are not taken for an address") {
  const RestoredCard restored;
  DeviceArray<float> there(std::vector<float>(32, 2.0f));
  // Any first number, and second ones up to what shapes that can be emulated reach.
  for (const int count : {0, 1, 4096, 1 << 20, INT32_MAX, -1})
    for (const int stride : {0, 1, 1000, 4096, 16383, -1, INT32_MIN}) {
      Numbers numbers = {count, stride, false, {there.data(), nullptr}, -1e300};
      CHECK(fault_of(numbers) == "");
    }
}

TEST_CASE("memory that was given back is refused, alone and within a struct") {
  const RestoredCard restored;
  void* data = nullptr;
  REQUIRE(device_allocate(&data, 256) == 0);
  REQUIRE(device_free(data) == 0);
  Numbers numbers = {32, 1, false, {static_cast<float*>(data), nullptr}, 1};
  CHECK(has(fault_of(numbers), "memory that is not in use"));
}

}  // namespace rushes::cuda
