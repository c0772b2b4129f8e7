// A dense row-major array in counted memory. Kernels and models use it; files have their own view (files/checkpoint.h).
#pragma once
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "runtime/device.h"
#include "runtime/dtype.h"
#include "runtime/memory.h"

namespace rushes {

using Shape = std::vector<int64_t>;

inline int64_t element_count(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}
/// "[1536, 8960]"
std::string shape_text(const Shape& shape);

/// Bytes in host memory, or in the memory of a device, counted while they live. `data` is null while planning
/// (Context::dry_run): then only the count is kept and nothing may be read or written. The device must outlive it.
class Storage {
 public:
  Storage(MemoryCounter* counter, MemoryUse use, uint64_t bytes, bool dry_run, Device* device = nullptr);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  std::byte* data() const { return data_; }
  uint64_t bytes() const { return bytes_; }
  /// Whose memory this is; null: the host's.
  Device* device() const { return device_; }

 private:
  MemoryCounter* counter_;
  Device* device_;
  MemoryUse use_;
  uint64_t bytes_;
  std::byte* data_ = nullptr;
};

/// Copying a Tensor shares its memory. Memory is 64-byte aligned (256 on a device) and not initialised. Elements of a
/// tensor on a device may only be touched by kernels and by runtime/transfer.h.
class Tensor {
 public:
  Tensor() = default;
  Tensor(DType type, Shape shape, std::shared_ptr<Storage> storage, uint64_t byte_offset = 0)
      : type_(type), shape_(std::move(shape)), storage_(std::move(storage)), byte_offset_(byte_offset) {}

  DType type() const { return type_; }
  const Shape& shape() const { return shape_; }
  int64_t size(int axis) const { return shape_[axis < 0 ? shape_.size() + axis : axis]; }
  int rank() const { return static_cast<int>(shape_.size()); }
  int64_t count() const { return element_count(shape_); }
  uint64_t bytes() const { return static_cast<uint64_t>(count()) * dtype_size(type_); }
  bool defined() const { return storage_ != nullptr; }
  /// Where the elements lie; null: in host memory.
  Device* device() const { return storage_ ? storage_->device() : nullptr; }

  /// Typed pointer to the first element; T must match type() (bf16 for DType::bf16, float for f32, ...).
  template <class T>
  T* data() const {
    assert(sizeof(T) == dtype_size(type_));
    return reinterpret_cast<T*>(storage_->data() + byte_offset_);
  }
  std::byte* raw() const { return storage_->data() + byte_offset_; }

  /// The same memory under another shape of equal count.
  Tensor reshaped(Shape shape) const { return Tensor(type_, std::move(shape), storage_, byte_offset_); }
  /// Rows [begin, end) along axis 0, sharing memory.
  Tensor rows(int64_t begin, int64_t end) const {
    Shape part = shape_;
    part[0] = end - begin;
    const uint64_t row = bytes() / static_cast<uint64_t>(shape_[0] ? shape_[0] : 1);
    return Tensor(type_, std::move(part), storage_, byte_offset_ + static_cast<uint64_t>(begin) * row);
  }

 private:
  DType type_ = DType::f32;
  Shape shape_;
  std::shared_ptr<Storage> storage_;
  uint64_t byte_offset_ = 0;
};

}  // namespace rushes
