#include "runtime/tensor.h"

#include <cstdlib>

#include "runtime/page_pool.h"
#include "runtime/status.h"

namespace rushes {
namespace {

// Under AddressSanitizer every block is the C library's, which marks its ends.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kPooled = false;
#else
constexpr bool kPooled = true;
#endif

bool is_pooled(uint64_t bytes) { return kPooled && bytes >= PagePool::kLeastBytes; }
PageUse page_use(MemoryUse use) { return use == MemoryUse::weights ? PageUse::lasting : PageUse::passing; }

}  // namespace

std::string shape_text(const Shape& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

Storage::Storage(MemoryCounter* counter, MemoryUse use, uint64_t bytes, bool dry_run, Device* device)
    : counter_(counter), device_(device), use_(use), bytes_(bytes) {
  if (counter_) counter_->add(use_, bytes_);
  if (dry_run) return;
  if (device_) {
    try {
      data_ = device_->allocate(bytes_);
    } catch (...) {
      if (counter_) counter_->remove(use_, bytes_);
      throw;
    }
    return;
  }
  data_ = is_pooled(bytes_) ? PagePool::of_this_process().take(bytes_, page_use(use_))
                            : static_cast<std::byte*>(std::aligned_alloc(64, (bytes_ + 127) / 64 * 64));
  if (data_) return;
  if (counter_) counter_->remove(use_, bytes_);
  Error error("memory.exhausted", "The computer has too little free memory for this job.",
              "Close other programs, or choose a smaller size or fewer frames.");
  error.needed_bytes = bytes_;
  throw error;
}

Storage::~Storage() {
  if (data_ && device_)
    device_->release(data_, bytes_);
  else if (data_ && is_pooled(bytes_))
    PagePool::of_this_process().give(data_, bytes_, page_use(use_));
  else
    std::free(data_);
  if (counter_) counter_->remove(use_, bytes_);
}

}  // namespace rushes
