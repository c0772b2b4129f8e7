// A stretch of memory in which the weights of one part of a model are laid out one after the other, so that they can be
// moved together: what is packed into it twice in the same order lies at the same places.
#pragma once
#include "runtime/tensor.h"

namespace rushes {

/// Hands out tensors of one Storage in order. Without a Storage it only measures: tensors are dry.
class WeightArena {
 public:
  WeightArena() = default;
  explicit WeightArena(std::shared_ptr<Storage> storage) : storage_(std::move(storage)) {}
  /// The next tensor, 256-byte aligned. Throws engine.internal when the Storage is full.
  Tensor take(DType type, Shape shape);
  /// Starts over: what is taken next lies where the first tensor lay.
  void rewind() { used_ = 0; }
  uint64_t used_bytes() const { return used_; }
  const std::shared_ptr<Storage>& storage() const { return storage_; }

 private:
  std::shared_ptr<Storage> storage_;
  uint64_t used_ = 0;
};

}  // namespace rushes
