#include "runtime/weight_arena.h"

#include "runtime/status.h"

namespace rushes {

Tensor WeightArena::take(DType type, Shape shape) {
  constexpr uint64_t kAlignment = 256;
  const uint64_t bytes = static_cast<uint64_t>(element_count(shape)) * dtype_size(type);
  const uint64_t begin = used_;
  used_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
  if (!storage_)
    return Tensor(type, std::move(shape), std::make_shared<Storage>(nullptr, MemoryUse::weights, bytes, true));
  if (used_ > storage_->bytes())
    throw Error("engine.internal", "A part of the model needs more room for its weights than was measured.");
  return Tensor(type, std::move(shape), storage_, begin);
}

}  // namespace rushes
