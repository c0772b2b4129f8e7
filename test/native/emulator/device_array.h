// An array in the pretended card's memory, for tests of the emulator; all in the null stream.
#pragma once
#include <doctest/doctest.h>

#include <vector>

#include "cuda/host.h"

namespace rushes::cuda {

template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(size_t count) : count_(count) {
    void* data = nullptr;
    REQUIRE(device_allocate(&data, bytes()) == 0);
    data_ = static_cast<T*>(data);
  }
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(values.size()) {
    REQUIRE(copy_async(data_, values.data(), bytes(), CopyKind::to_device, nullptr) == 0);
  }
  ~DeviceArray() {
    stream_synchronize(nullptr);
    device_free(data_);
  }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* data() const { return data_; }
  std::vector<T> values() const {
    std::vector<T> out(count_);
    REQUIRE(copy_async(out.data(), data_, bytes(), CopyKind::to_host, nullptr) == 0);
    return out;
  }

 private:
  size_t bytes() const { return count_ * sizeof(T); }
  size_t count_;
  T* data_ = nullptr;
};

}  // namespace rushes::cuda
