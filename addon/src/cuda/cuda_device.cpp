// An NVIDIA card in use, over host.h.
#include "cuda/cuda_device.h"

#include "cuda/launch_errors.h"
#include "runtime/status.h"

namespace rushes::cuda {
namespace {

class CudaDevice final : public Device {
 public:
  explicit CudaDevice(int ordinal) : ordinal_(ordinal) {
    require(device_info(ordinal, info_), "it was opened");
    require(set_device(ordinal), "it was opened");
    require(stream_create(&stream_), "it was opened");
  }
  ~CudaDevice() override {
    if (stream_) stream_destroy(stream_);
  }
  const DeviceInfo& info() const override { return info_; }
  void* stream() const override { return stream_; }
  std::byte* allocate(uint64_t bytes) override {
    void* data = nullptr;
    enter();
    require(device_allocate(&data, bytes ? bytes : 1), "taking memory");
    return static_cast<std::byte*>(data);
  }
  void release(std::byte* data, uint64_t) noexcept override {
    set_device(ordinal_);
    stream_synchronize(stream_);
    device_free(data);
  }
  void upload(void* to, const void* from, uint64_t bytes) override {
    enter();
    require(copy_async(to, from, bytes, CopyKind::to_device, stream_), "copying to it");
    synchronize();
  }
  void download(void* to, const void* from, uint64_t bytes) override {
    enter();
    require(copy_async(to, from, bytes, CopyKind::to_host, stream_), "copying from it");
    synchronize();
  }
  void copy(void* to, const void* from, uint64_t bytes) override {
    enter();
    require(copy_async(to, from, bytes, CopyKind::on_device, stream_), "copying in its memory");
  }
  void zero(void* to, uint64_t bytes) override {
    enter();
    require(fill_async(to, 0, bytes, stream_), "clearing its memory");
  }
  void synchronize() override { require(stream_synchronize(stream_), "computing"); }

 private:
  void enter() { require(set_device(ordinal_), "it was chosen"); }

  int ordinal_;
  DeviceInfo info_;
  StreamHandle stream_ = nullptr;
};

}  // namespace

Discovery discover() {
  Discovery found;
  int count = 0;
  if (const Code code = device_count(count)) {
    found.problem = code_text(code);
    return found;
  }
  for (int ordinal = 0; ordinal < count; ++ordinal) {
    DeviceInfo info;
    if (const Code code = device_info(ordinal, info)) {
      found.problem = code_text(code);
      break;
    }
    found.devices.push_back(info);
  }
  if (found.devices.empty() && found.problem.empty()) found.problem = "the driver offers no graphics card";
  return found;
}

std::unique_ptr<Device> open_cuda_device(int ordinal) { return std::make_unique<CudaDevice>(ordinal); }

}  // namespace rushes::cuda
