// The card in use, on the emulator: copies, memory that runs out, and a card that is lost.
#include "cuda/cuda_device.h"

#include <doctest/doctest.h>

#include <numeric>

#include "cuda/emulator/host_emulator.h"
#include "cuda/host.h"
#include "cuda/launch_errors.h"
#include "emulator/pretended_card.h"
#include "ops/elementwise/elementwise.h"
#include "runtime/random.h"
#include "runtime/transfer.h"

using namespace rushes;
using namespace rushes::cuda;

namespace {

std::string code_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.code();
  }
  return "";
}

Context context_on(Device& device, MemoryCounter* counter = nullptr) {
  Context context;
  context.backend = Backend::cuda;
  context.device = &device;
  context.device_memory = counter;
  return context;
}

}  // namespace

TEST_CASE("tensors go to the card and come back, in one piece and through pinned memory in parts") {
  const RestoredCard restored;
  const auto device = open_cuda_device(0);
  MemoryCounter counter;
  const Context context = context_on(*device, &counter);
  for (const int64_t count : {1, 1000, 1 << 20, (5 << 20) + 3}) {
    CAPTURE(count);
    const Tensor host = check::random_tensor(context.on_host(), {count}, static_cast<uint64_t>(count));
    const Tensor there = to_device(context, host);
    CHECK(there.device() == device.get());
    CHECK(to_device(context, there).raw() == there.raw());
    CHECK(counter.current() == host.bytes());
    Tensor second = context.allocate(DType::f32, {count});
    copy_tensor(context, there, second);
    const Tensor back = to_host(context, second);
    CHECK(std::memcmp(back.raw(), host.raw(), host.bytes()) == 0);
    fill_zero(context, second);
    const Tensor zeros = to_host(context, second);
    CHECK(std::all_of(zeros.data<float>(), zeros.data<float>() + count, [](float x) { return x == 0; }));
  }
  CHECK(counter.current() == 0);
}

TEST_CASE("pinned copies beside the work arrive before the work that waits for them") {
  const RestoredCard restored;
  const auto device = open_cuda_device(0);
  constexpr uint64_t kBytes = 1 << 20;
  std::byte* pinned = device->allocate_pinned(kBytes);
  for (uint64_t i = 0; i < kBytes; ++i) pinned[i] = static_cast<std::byte>(i * 7);
  std::byte* there = device->allocate(kBytes);
  device->begin_upload(1, there, pinned, kBytes);
  device->finish_upload(1);
  std::vector<std::byte> back(kBytes);
  device->download(back.data(), there, kBytes);
  CHECK(std::memcmp(back.data(), pinned, kBytes) == 0);
  device->release(there, kBytes);
  device->release_pinned(pinned, kBytes);
}

TEST_CASE("a full card says what was needed and what is free, and works on with less") {
  const PretendedCard card(90, 4, uint64_t{256} << 20);
  MemoryCounter counter;
  const Context context = card.context(DType::f32, &counter);
  const Tensor held = context.allocate(DType::u8, {100 << 20});
  try {
    context.allocate(DType::u8, {200 << 20});
    FAIL("the card has no 300 MiB");
  } catch (const Error& error) {
    CHECK(error.code() == "memory.exhausted");
    CHECK(error.needed_bytes == uint64_t{200} << 20);
    CHECK(error.free_bytes > uint64_t{50} << 20);
    CHECK(error.free_bytes < uint64_t{156} << 20);
  }
  CHECK(counter.current() == held.bytes());
  const Tensor lowered = context.allocate(DType::u8, {100 << 20});
  CHECK(lowered.defined());
}

TEST_CASE("kept memory is returned to the card before an allocation fails") {
  const PretendedCard card(90, 4, uint64_t{64} << 20);
  const Context context = card.context();
  for (int i = 0; i < 3; ++i) context.allocate(DType::u8, {(10 + i * 6) << 20});  // given back and kept
  CHECK(context.allocate(DType::u8, {60 << 20}).defined());
  // A refusal that is not the card's last word: the second try finds memory.
  emulator::set_faults({.allocation = 1});
  CHECK(context.allocate(DType::u8, {62 << 20}).defined());
}

TEST_CASE("memory that work may still use is not returned to the card before that work is done") {
  const PretendedCard card(90, 4, uint64_t{64} << 20);
  emulator::set_stream_order(emulator::StreamOrder::latest);
  const Context context = card.context();
  const uint64_t violations = emulator::counts().violations;
  {
    Tensor tensor = context.allocate(DType::u8, {40 << 20});
    fill_zero(context, tensor);
  }
  // Room for it is made of what the tensor left, which nobody has waited for.
  CHECK(context.allocate(DType::u8, {60 << 20}).defined());
  CHECK(emulator::counts().violations == violations);
}

TEST_CASE("a card can be closed while work and an upload beside it are under way") {
  const RestoredCard restored;
  emulator::set_stream_order(emulator::StreamOrder::latest);
  constexpr uint64_t kBytes = 1 << 20;
  std::byte* pinned = nullptr;
  const uint64_t violations = emulator::counts().violations;
  {
    const auto device = open_cuda_device(0);
    pinned = device->allocate_pinned(kBytes);
    std::memset(pinned, 1, kBytes);
    std::byte* const there = device->allocate(kBytes);
    std::byte* const beside = device->allocate(kBytes);
    device->begin_upload(0, there, pinned, kBytes);
    device->zero(beside, kBytes);
  }
  CHECK(pinned_free(pinned) == 0);
  CHECK(emulator::counts().violations == violations);
}

TEST_CASE("a kernel that fails while it runs loses the card where the job waits for it") {
  const RestoredCard restored;
  {
    const auto device = open_cuda_device(0);
    const Context context = context_on(*device);
    const Tensor x = to_device(context, check::random_tensor(context.on_host(), {1000}, 1));
    emulator::set_stream_order(emulator::StreamOrder::latest);
    emulator::set_faults({.execution = 1});
    Tensor rounded = context.allocate(DType::bf16, {1000});
    convert(context, x, rounded);
    CHECK(code_of([&] { to_host(context, rounded); }) == "gpu.lost");
    CHECK(code_of([&] { context.allocate(DType::f32, {10}); }) == "gpu.lost");
  }
  emulator::set_faults({});
  const auto again = open_cuda_device(0);
  const Context context = context_on(*again);
  const Tensor x = check::random_tensor(context.on_host(), {1000}, 1);
  CHECK(check::relative_error(to_device(context, x), x) == 0);
}

TEST_CASE("a lost card stays lost until it is opened again, and nothing ends the process") {
  const RestoredCard restored;
  {
    const auto device = open_cuda_device(0);
    const Context context = context_on(*device);
    const Tensor x = check::random_tensor(context, {1000}, 1);
    emulator::set_faults({.synchronize = 1, .synchronize_code = emulator::kUncorrectableEcc, .lost = true});
    CHECK(code_of([&] { to_host(context, x); }) == "gpu.lost");
    CHECK(code_of([&] { to_host(context, x); }) == "gpu.lost");
    CHECK(code_of([&] { context.allocate(DType::f32, {10}); }) == "gpu.lost");
    CHECK(code_of([&] { device->synchronize(); }) == "gpu.lost");
  }
  const auto again = open_cuda_device(0);
  const Context context = context_on(*again);
  const Tensor x = check::random_tensor(context.on_host(), {1000}, 1);
  CHECK(check::relative_error(to_device(context, x), x) == 0);
}

TEST_CASE("a card that a kernel lost is not opened again in this process, which says so and goes on") {
  const RestoredCard restored;
  const auto device = open_cuda_device(0);
  emulator::set_faults({.synchronize = 1, .synchronize_code = emulator::kIllegalAddress, .lost = true});
  CHECK(code_of([&] { device->synchronize(); }) == "gpu.lost");
  CHECK(code_of([] { open_cuda_device(0); }) == "gpu.lost");
}

TEST_CASE("every error after which CUDA wants another process is a lost card, and no other") {
  for (const Code lost : {214, 220, 226, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 721}) {
    CAPTURE(lost);
    CHECK(is_lost(lost));
    CHECK(code_of([&] { require(lost, "computing"); }) == "gpu.lost");
  }
  for (const Code other : {1, 9, 98, 209, 222, 223, 400, 701, 720, 724, 999}) CHECK_FALSE(is_lost(other));
  for (const Code driver : {34, 35, 36, 802, 803, 804})
    CHECK(code_of([&] { require(driver, "computing"); }) == "gpu.driver");
  for (const Code image : {98, 200, 209, 218, 221, 222, 223})
    CHECK(code_of([&] { require(image, "computing"); }) == "gpu.no_kernel");
}

TEST_CASE("no driver, no card and a card that fails to start each have a code") {
  const RestoredCard restored;
  emulator::Card card;
  card.driver_version = 0;
  emulator::set_card(card);
  CHECK(discover().devices.empty());
  CHECK(discover().problem.find("driver") != std::string::npos);
  CHECK(code_of([] { open_cuda_device(0); }) == "gpu.driver");
  card = {};
  card.devices = 0;
  emulator::set_card(card);
  CHECK(discover().devices.empty());
  CHECK(code_of([] { open_cuda_device(0); }) == "gpu.unavailable");
  emulator::reset();
  CHECK(code_of([] { open_cuda_device(7); }) == "gpu.unavailable");
  CHECK(discover().devices.size() == 6);
  CHECK(discover().devices[1].architecture == 80);
}

TEST_CASE("a card that is only planned with has facts and refuses to work") {
  const auto device = planned_device({.name = "A card", .architecture = 89, .total_bytes = uint64_t{12} << 30});
  MemoryCounter counter;
  Context context = context_on(*device, &counter);
  context.dry_run = true;
  const Tensor x = context.allocate(DType::f32, {1 << 20});
  CHECK(counter.current() == 4 << 20);
  CHECK(device->free_bytes() == uint64_t{12} << 30);
  CHECK(code_of([&] { device->allocate(1); }) == "engine.internal");
}
