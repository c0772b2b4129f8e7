#include "runtime/tensor.h"

#include <cstdlib>

#include "runtime/status.h"

namespace rushes {

std::string shape_text(const Shape& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

Storage::Storage(MemoryCounter* counter, MemoryUse use, uint64_t bytes, bool dry_run)
    : counter_(counter), use_(use), bytes_(bytes) {
  if (counter_) counter_->add(use_, bytes_);
  if (dry_run) return;
  data_ = static_cast<std::byte*>(std::aligned_alloc(64, (bytes_ + 127) / 64 * 64));
  if (data_) return;
  if (counter_) counter_->remove(use_, bytes_);
  Error error("memory.exhausted", "The computer has too little free memory for this job.",
              "Close other programs, or choose a smaller size or fewer frames.");
  error.needed_bytes = bytes_;
  throw error;
}

Storage::~Storage() {
  std::free(data_);
  if (counter_) counter_->remove(use_, bytes_);
}

}  // namespace rushes
