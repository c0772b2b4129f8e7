// The pretended card behind host.h: memory that host code cannot touch, and every way to fail that tests can ask for.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "cuda/launch.h"
#include "emulator/device_array.h"

namespace rushes::cuda {
namespace {

RUSHES_KERNEL(32, 1) add_one(float* numbers) { numbers[thread_index()] += 1.0f; }

RUSHES_KERNEL(32, 1) set_one(float* numbers) { numbers[thread_index()] = 1.0f; }

// What happens to a program of its own that does this: the signal it dies of, or 0.
template <class Function>
int signal_of(Function function) {
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGSEGV, SIG_DFL);
    function();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST_CASE("emulated card: host code cannot touch device memory outside of copies") {
  DeviceArray<float> numbers(std::vector<float>(32, 2.0f));
  launch(nullptr, "add_one", add_one, {1, 1, 1}, 32, 0, numbers.data());
  CHECK(numbers.values()[31] == 3.0f);
  const volatile float* const data = numbers.data();
  CHECK(signal_of([data] { return data[0]; }) == SIGSEGV);
  CHECK(signal_of([data] {
          const emulator::DeviceAccess access;
          return data[0];
        }) == 0);
}

TEST_CASE("emulated card: new memory is not a number, and what is written beside it is noticed") {
  DeviceArray<float> numbers(100);
  CHECK(numbers.values()[99] != numbers.values()[99]);
  void* data = nullptr;
  REQUIRE(device_allocate(&data, 100) == 0);
  CHECK(reinterpret_cast<uintptr_t>(data) % 256 == 0);
  launch(nullptr, "set_one", set_one, {1, 1, 1}, 32, 0, static_cast<float*>(data));
  CHECK(stream_synchronize(nullptr) == 0);
  CHECK_THROWS_AS(device_free(data), emulator::Violation);
  CHECK(device_free(data) != 0);
}

TEST_CASE("emulated card: copies are checked against allocations") {
  DeviceArray<float> numbers(64);
  float host[64] = {};
  CHECK(copy_async(numbers.data(), host, 256, CopyKind::to_device, nullptr) == 0);
  CHECK(copy_async(numbers.data(), host, 257, CopyKind::to_device, nullptr) != 0);
  CHECK(copy_async(host, numbers.data(), 256, CopyKind::to_device, nullptr) != 0);
  CHECK(copy_async(host, host, 256, CopyKind::to_host, nullptr) != 0);
  CHECK(fill_async(numbers.data() + 1, 0, 256, nullptr) != 0);
  CHECK(last_error() != 0);
  CHECK(last_error() == 0);
}

TEST_CASE("emulated card: memory ends where the card's does, or at the allocation a test chose") {
  emulator::Card card;
  card.info.total_bytes = 1000;
  emulator::set_card(card);
  void* data = nullptr;
  CHECK(device_allocate(&data, 1001) == emulator::kOutOfMemory);
  CHECK(data == nullptr);
  CHECK(device_allocate(&data, 1000) == 0);
  uint64_t free_bytes = 1, total_bytes = 0;
  CHECK(memory_info(free_bytes, total_bytes) == 0);
  CHECK(free_bytes == 0);
  CHECK(total_bytes == card.info.total_bytes);
  CHECK(device_free(data) == 0);
  emulator::reset();
  emulator::set_faults({.allocation = 2});
  CHECK(device_allocate(&data, 16) == 0);
  void* second = nullptr;
  CHECK(device_allocate(&second, 16) == emulator::kOutOfMemory);
  CHECK(device_allocate(&second, 16) == 0);
  device_free(data);
  device_free(second);
  emulator::reset();
}

TEST_CASE("emulated card: no driver, an old one, no card, no image") {
  int count = 7, version = 7;
  CHECK(device_count(count) == 0);
  CHECK(count == 6);
  emulator::set_card({.driver_version = 0});
  CHECK(device_count(count) == emulator::kInsufficientDriver);
  CHECK(count == 0);
  CHECK(driver_version(version) == 0);
  CHECK(version == 0);
  emulator::set_card({.driver_version = 12020});
  CHECK(device_count(count) == emulator::kInsufficientDriver);
  emulator::set_card({.devices = 0});
  CHECK(device_count(count) == emulator::kNoDevice);
  emulator::Card card;
  card.has_kernel_image = false;
  emulator::set_card(card);
  DeviceArray<float> numbers(32);
  CHECK(emulator::launch_kernel(nullptr, "k", {1, 1, 1}, 32, 0, {}, [] {}) == emulator::kNoKernelImage);
  CHECK(code_text(emulator::kNoKernelImage).find("cudaErrorNoKernelImageForDevice") == 0);
  emulator::reset();
}

TEST_CASE("emulated card: a launch or a wait fails when a test says so, once or for good") {
  const auto run = [] { return emulator::launch_kernel(nullptr, "k", {1, 1, 1}, 32, 0, {}, [] {}); };
  emulator::set_faults({.launch = 2});
  CHECK(run() == 0);
  CHECK(run() == emulator::kLaunchFailure);
  CHECK(run() == 0);
  StreamHandle stream = nullptr;
  CHECK(stream_create(&stream) == 0);
  emulator::set_faults({.synchronize = 1, .synchronize_code = emulator::kUncorrectableEcc, .lost = true});
  CHECK(stream_synchronize(stream) == emulator::kUncorrectableEcc);
  void* data = nullptr;
  CHECK(run() == emulator::kUncorrectableEcc);
  CHECK(device_allocate(&data, 16) == emulator::kUncorrectableEcc);
  CHECK(last_error() == emulator::kUncorrectableEcc);
  emulator::reset();
  CHECK(stream_synchronize(stream) == 0);
  CHECK(stream_destroy(stream) == 0);
}

TEST_CASE("emulated card: what a launch asks must be possible") {
  const auto run = [](Grid grid, int threads, int shared_bytes) {
    return emulator::launch_kernel(nullptr, "k", grid, threads, shared_bytes, {}, [] {});
  };
  CHECK(run({1, 1, 1}, 1024, 227 << 10) == 0);
  CHECK(run({1, 1, 1}, 1056, 0) != 0);
  CHECK(run({1, 65536, 1}, 32, 0) != 0);
  CHECK(run({0, 1, 1}, 32, 0) != 0);
  CHECK(run({1, 1, 1}, 32, (227 << 10) + 1) != 0);
}

}  // namespace
}  // namespace rushes::cuda
