// An NVIDIA card in use, over host.h: one stream of work, one of copies beside it, kept memory, and pinned buffers
// through which pageable memory goes.
#include "cuda/cuda_device.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "cuda/block_cache.h"
#include "cuda/launch_errors.h"
#include "runtime/card_shortage.h"

namespace rushes::cuda {
namespace {

// Left to the driver and to what the card shows, of what it says is free.
constexpr uint64_t kLeftFree = uint64_t{64} << 20;
// Copies to and from pageable memory go through two buffers of this size: one is filled while the other travels.
constexpr uint64_t kStagingBytes = uint64_t{4} << 20;

class CudaDevice final : public Device {
 public:
  explicit CudaDevice(int ordinal);
  ~CudaDevice() override;
  const DeviceInfo& info() const override { return info_; }
  void* stream() const override {
    set_device(ordinal_);  // a thread that never used the card would start kernels on another one
    return stream_;
  }
  uint64_t free_bytes() const override;
  std::byte* allocate(uint64_t bytes) override;
  void release(std::byte* data, uint64_t bytes) noexcept override;
  void upload(void* to, const void* from, uint64_t bytes) override;
  void download(void* to, const void* from, uint64_t bytes) override;
  void copy(void* to, const void* from, uint64_t bytes) override;
  void zero(void* to, uint64_t bytes) override;
  std::byte* allocate_pinned(uint64_t bytes) override;
  void release_pinned(std::byte* data, uint64_t bytes) noexcept override;
  void begin_upload(int lane, void* to, const void* pinned, uint64_t bytes) override;
  void finish_upload(int lane) override;
  void synchronize() override;

 private:
  struct Staging {
    void* buffer = nullptr;
    EventHandle done = nullptr;
    bool busy = false;
  };

  void check(Code code, const char* doing);
  void enter();
  void wait_for(Staging& staging, const char* doing);
  void wait_for_work() noexcept;
  void close() noexcept;
  std::byte* take_piece(uint64_t bytes);
  void give_piece(std::byte* piece) noexcept;

  int ordinal_;
  DeviceInfo info_;
  StreamHandle stream_ = nullptr, copies_ = nullptr;
  EventHandle work_so_far_ = nullptr;
  std::array<EventHandle, 2> uploaded_{};  // by lane
  std::array<Staging, 2> staging_;
  bool lost_ = false;
  BlockCache cache_;
};

CudaDevice::CudaDevice(int ordinal)
    : ordinal_(ordinal),
      cache_({[this](uint64_t bytes) { return take_piece(bytes); }, [this](std::byte* piece) { give_piece(piece); }}) {
  constexpr const char* kOpening = "it was being opened";
  try {
    check(device_info(ordinal, info_), kOpening);
    check(set_device(ordinal), kOpening);
    check(stream_create(&stream_), kOpening);
    check(stream_create(&copies_), kOpening);
    check(event_create(&work_so_far_), kOpening);
    for (EventHandle& event : uploaded_) check(event_create(&event), kOpening);
    for (Staging& staging : staging_) {
      check(pinned_allocate(&staging.buffer, kStagingBytes), kOpening);
      check(event_create(&staging.done), kOpening);
    }
  } catch (...) {
    close();
    throw;
  }
}

CudaDevice::~CudaDevice() {
  set_device(ordinal_);
  if (!lost_) wait_for_work();
  close();
}

// What a lost context held went with it. Resetting the card can make it usable again for whoever opens it next; mostly
// it does not, until this process has ended.
void CudaDevice::close() noexcept {
  if (lost_) cache_.forget();
  for (Staging& staging : staging_) {
    if (staging.done) event_destroy(staging.done);
    if (staging.buffer) pinned_free(staging.buffer);
  }
  if (work_so_far_) event_destroy(work_so_far_);
  for (const EventHandle event : uploaded_)
    if (event) event_destroy(event);
  if (copies_) stream_destroy(copies_);
  if (stream_) stream_destroy(stream_);
  copies_ = stream_ = nullptr;  // the kept memory is given back after this
  if (lost_) device_reset(ordinal_);
}

void CudaDevice::check(Code code, const char* doing) {
  lost_ = lost_ || is_lost(code);
  require(code, doing);
}

void CudaDevice::enter() {
  if (lost_)
    throw Error("gpu.lost", "The graphics card stopped working earlier in this job.",
                "Start the job again. If it happens again, restart the computer or update the card's driver.");
  check(set_device(ordinal_), "it was being chosen");
}

uint64_t CudaDevice::free_bytes() const {
  uint64_t free = 0, total = 0;
  set_device(ordinal_);
  if (lost_ || memory_info(free, total) != 0) return 0;
  free = free > kLeftFree ? free - kLeftFree : 0;
  return free + cache_.held_bytes() - cache_.used_bytes();
}

std::byte* CudaDevice::take_piece(uint64_t bytes) {
  void* data = nullptr;
  const Code code = device_allocate(&data, bytes);
  if (code == 0) return static_cast<std::byte*>(data);
  last_error();  // a refusal is not an error of later work
  if (is_lost(code)) check(code, "taking memory");
  return nullptr;
}

// Of cudaFree the runtime only says that it "may" wait for the work that still uses the memory.
void CudaDevice::give_piece(std::byte* piece) noexcept {
  wait_for_work();
  if (is_lost(device_free(piece))) lost_ = true;
}

void CudaDevice::wait_for_work() noexcept {
  for (const StreamHandle stream : {copies_, stream_})
    if (stream && stream_synchronize(stream) != 0) lost_ = true;
}

std::byte* CudaDevice::allocate(uint64_t bytes) {
  enter();
  if (std::byte* data = cache_.take(bytes)) {
    take_part(data, bytes);
    return data;
  }
  throw CardShortage("Close other programs that use the card, or choose a smaller size or fewer frames.", "", bytes,
                     free_bytes());
}

void CudaDevice::release(std::byte* data, uint64_t) noexcept {
  give_part(data);
  if (!lost_) cache_.give(data);
}

void CudaDevice::wait_for(Staging& staging, const char* doing) {
  if (staging.busy) check(event_synchronize(staging.done), doing);
  staging.busy = false;
}

void CudaDevice::upload(void* to, const void* from, uint64_t bytes) {
  constexpr const char* kDoing = "copying to its memory";
  enter();
  size_t turn = 0;
  for (uint64_t at = 0; at < bytes; at += kStagingBytes, turn ^= 1) {
    Staging& staging = staging_[turn];
    const uint64_t part = std::min(kStagingBytes, bytes - at);
    wait_for(staging, kDoing);
    std::memcpy(staging.buffer, static_cast<const std::byte*>(from) + at, part);
    check(copy_async(static_cast<std::byte*>(to) + at, staging.buffer, part, CopyKind::to_device, stream_), kDoing);
    check(event_record(staging.done, stream_), kDoing);
    staging.busy = true;
  }
}

void CudaDevice::download(void* to, const void* from, uint64_t bytes) {
  constexpr const char* kDoing = "copying from its memory";
  enter();
  struct Part {
    std::byte* to = nullptr;
    uint64_t bytes = 0;
  };
  std::array<Part, 2> parts;
  const auto deliver = [&](size_t turn) {
    if (!parts[turn].bytes) return;
    wait_for(staging_[turn], kDoing);
    std::memcpy(parts[turn].to, staging_[turn].buffer, parts[turn].bytes);
    parts[turn].bytes = 0;
  };
  size_t turn = 0;
  for (uint64_t at = 0; at < bytes; at += kStagingBytes, turn ^= 1) {
    Staging& staging = staging_[turn];
    const uint64_t part = std::min(kStagingBytes, bytes - at);
    deliver(turn);
    wait_for(staging, kDoing);
    check(copy_async(staging.buffer, static_cast<const std::byte*>(from) + at, part, CopyKind::to_host, stream_),
          kDoing);
    check(event_record(staging.done, stream_), kDoing);
    staging.busy = true;
    parts[turn] = {static_cast<std::byte*>(to) + at, part};
  }
  deliver(turn);  // the older one first
  deliver(turn ^ 1);
}

void CudaDevice::copy(void* to, const void* from, uint64_t bytes) {
  enter();
  check(copy_async(to, from, bytes, CopyKind::on_device, stream_), "copying in its memory");
}

void CudaDevice::zero(void* to, uint64_t bytes) {
  enter();
  check(fill_async(to, 0, bytes, stream_), "clearing its memory");
}

std::byte* CudaDevice::allocate_pinned(uint64_t bytes) {
  enter();
  void* data = nullptr;
  const Code code = pinned_allocate(&data, std::max<uint64_t>(bytes, 1));
  if (code == 0) return static_cast<std::byte*>(data);
  last_error();
  if (is_lost(code)) check(code, "taking the computer's memory");
  Error error("memory.exhausted",
              "The computer has too little free memory for the weights that the card has no room for.",
              "Close other programs, or choose int8 weights.", code_text(code));
  error.needed_bytes = bytes;
  throw error;
}

void CudaDevice::release_pinned(std::byte* data, uint64_t) noexcept { pinned_free(data); }

void CudaDevice::begin_upload(int lane, void* to, const void* pinned, uint64_t bytes) {
  constexpr const char* kDoing = "copying weights to its memory";
  enter();
  check(event_record(work_so_far_, stream_), kDoing);
  check(stream_wait(copies_, work_so_far_), kDoing);
  check(copy_async(to, pinned, bytes, CopyKind::to_device, copies_), kDoing);
  check(event_record(uploaded_[static_cast<size_t>(lane)], copies_), kDoing);
}

void CudaDevice::finish_upload(int lane) {
  enter();
  check(stream_wait(stream_, uploaded_[static_cast<size_t>(lane)]), "waiting for weights");
}

void CudaDevice::synchronize() {
  enter();
  check(stream_synchronize(copies_), "copying weights to its memory");
  check(stream_synchronize(stream_), "computing");
}

// A card that is only planned with.
class PlannedDevice final : public Device {
 public:
  explicit PlannedDevice(DeviceInfo info) : info_(std::move(info)) {}
  const DeviceInfo& info() const override { return info_; }
  void* stream() const override { return nullptr; }
  uint64_t free_bytes() const override { return info_.total_bytes; }
  std::byte* allocate(uint64_t) override { refuse(); }
  void release(std::byte*, uint64_t) noexcept override {}
  void upload(void*, const void*, uint64_t) override { refuse(); }
  void download(void*, const void*, uint64_t) override { refuse(); }
  void copy(void*, const void*, uint64_t) override { refuse(); }
  void zero(void*, uint64_t) override { refuse(); }
  std::byte* allocate_pinned(uint64_t) override { refuse(); }
  void release_pinned(std::byte*, uint64_t) noexcept override {}
  void begin_upload(int, void*, const void*, uint64_t) override { refuse(); }
  void finish_upload(int) override { refuse(); }
  void synchronize() override { refuse(); }

 private:
  [[noreturn]] static void refuse() {
    throw Error("engine.internal", "A card that is only planned with was asked to work.");
  }
  DeviceInfo info_;
};

}  // namespace

Discovery discover() {
  Discovery found;
  int count = 0;
  Code code = device_count(count);
  for (int ordinal = 0; code == 0 && ordinal < count; ++ordinal) {
    DeviceInfo info;
    code = device_info(ordinal, info);
    if (code == 0) found.devices.push_back(info);
  }
  if (found.devices.empty()) found.problem = code ? code_text(code) : "the driver offers no graphics card";
  return found;
}

std::unique_ptr<Device> open_cuda_device(int ordinal) {
  const Discovery found = discover();
  if (ordinal < 0 || static_cast<size_t>(ordinal) >= found.devices.size()) {
    int count = 0;
    require(device_count(count), "looking for it");
    throw Error("gpu.unavailable", "There is no graphics card here that Rushes can use.",
                "Choose the device cpu, or run `rushes doctor` to see why.", found.problem);
  }
  return std::make_unique<CudaDevice>(ordinal);
}

std::unique_ptr<Device> planned_device(const DeviceInfo& info) { return std::make_unique<PlannedDevice>(info); }

}  // namespace rushes::cuda
