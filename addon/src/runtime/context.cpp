#include "runtime/context.h"

#include "runtime/weight_arena.h"

namespace rushes {

std::string_view backend_name(Backend backend) {
  constexpr std::string_view names[] = {"reference", "cpu", "cuda"};
  return names[static_cast<size_t>(backend)];
}

Tensor Context::allocate(DType type, Shape shape, MemoryUse use) const {
  if (weight_arena && use == MemoryUse::weights) return weight_arena->take(type, std::move(shape));
  const auto bytes = static_cast<uint64_t>(element_count(shape)) * dtype_size(type);
  return Tensor(type, std::move(shape),
                backend == Backend::cuda ? std::make_shared<Storage>(device_memory, use, bytes, dry_run, device)
                                         : std::make_shared<Storage>(memory, use, bytes, dry_run));
}

}  // namespace rushes
