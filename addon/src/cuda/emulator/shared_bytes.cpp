#include "cuda/emulator/shared_bytes.h"

#include <bit>
#include <cstring>
#include <string>

#include "cuda/emulator/block.h"

namespace rushes::cuda::emulator {
namespace {

using namespace record;

int thread_of(uint32_t entry) { return static_cast<int>((entry & kThreadBits) >> kThreadShift); }

// Whether the access of the record comes before all that the thread of `stamp` does now.
bool in_order(uint32_t entry, uint32_t stamp) {
  const uint32_t difference = entry ^ stamp;
  if (difference >> kEpochShift) return true;
  if (!(difference & kThreadBits)) return true;
  if (difference & kWarpBits) return false;
  return (difference & kWarpEpochBits) != 0;
}

// The record of reads after one more by the thread of `stamp`.
uint32_t with_reader(uint32_t entry, uint32_t stamp) {
  const uint32_t difference = entry ^ stamp;
  if (difference >> kEpochShift) return stamp;
  if (entry & kManyWarps) return entry;
  if (difference & kWarpBits) return entry | kManyWarps;
  if (difference & kWarpEpochBits) return stamp;
  return difference & kThreadBits ? entry | kManyLanes : entry;
}

// Whether all reads come before what the thread of `stamp` does now.
bool reads_in_order(uint32_t entry, uint32_t stamp) {
  const uint32_t difference = entry ^ stamp;
  if (difference >> kEpochShift) return true;
  if ((entry & kManyWarps) || (difference & kWarpBits)) return false;
  if (difference & kWarpEpochBits) return true;
  return !(entry & kManyLanes) && !(difference & kThreadBits);
}

template <int kBytes>
bool all_equal(const uint32_t* entries) {
  uint32_t difference = 0;
  for (int i = 1; i < kBytes; ++i) difference |= entries[i] ^ entries[0];
  return difference == 0;
}

template <int kBytes, class T>
void set_all(T* entries, T value) {
  for (int i = 0; i < kBytes; ++i) entries[i] = value;
}

std::string byte_text(int offset) { return "byte " + std::to_string(offset) + " of shared memory"; }

}  // namespace

void SharedBytes::begin(int count, const Thread* threads, bool has_products) {
  count_ = count;
  threads_ = threads;
  has_products_ = has_products;
  const auto size = static_cast<size_t>(count);
  if (writes_.size() < size) {
    writes_.resize(size);
    reads_.resize(size);
    storage_.resize(size + 1024);
    data_ = reinterpret_cast<unsigned char*>((reinterpret_cast<uintptr_t>(storage_.data()) + 1023) & ~uintptr_t{1023});
  }
  if (!count) return;
  if (has_products) {
    fences_.assign(size, 0);
    products_.assign((size + 15) / 16, 0);
  }
  std::memset(writes_.data(), 0, size * sizeof(uint32_t));
  std::memset(reads_.data(), 0, size * sizeof(uint32_t));
  std::memset(data_, 0xff, size);
}

void SharedBytes::forget_order() {
  for (int i = 0; i < count_; ++i) {
    writes_[static_cast<size_t>(i)] &= kWritten | kInFlight | kThreadBits;
    reads_[static_cast<size_t>(i)] = 0;
  }
}

void SharedBytes::forget_order(const Thread& lane) {
  const uint32_t mask = ~(kWarpEpochBits | (kThreadBits & ~kWarpBits) | kWritten | kInFlight);
  for (int i = 0; i < count_; ++i) {
    uint32_t &written = writes_[static_cast<size_t>(i)], &read = reads_[static_cast<size_t>(i)];
    if (!((written ^ lane.stamp) & mask)) written &= kWritten | kInFlight | kThreadBits;
    if (!((read ^ lane.stamp) & mask) && !(read & kManyWarps)) read = 0;
  }
}

void SharedBytes::read_byte(const Thread& thread, int offset) {
  const auto i = static_cast<size_t>(offset);
  const uint32_t written = writes_[i];
  if (written & kInFlight)
    violation(thread, Fault::in_flight,
              "reads " + byte_text(offset) + ", which a copy_async of thread " + std::to_string(thread_of(written)) +
                  " has not been waited for to fill");
  if (!(written & kWritten))
    violation(thread, Fault::uninitialised, "reads " + byte_text(offset) + ", which nobody wrote");
  if (!in_order(written, thread.stamp))
    violation(thread, Fault::race,
              "reads " + byte_text(offset) + ", which thread " + std::to_string(thread_of(written)) +
                  " wrote without a barrier in between");
  reads_[i] = with_reader(reads_[i], thread.stamp);
}

void SharedBytes::write_byte(const Thread& thread, int offset, uint32_t flags) {
  const auto i = static_cast<size_t>(offset);
  const uint32_t written = writes_[i], read = reads_[i];
  if (written & kInFlight)
    violation(thread, Fault::in_flight,
              "writes " + byte_text(offset) + ", which a copy_async of thread " + std::to_string(thread_of(written)) +
                  " has not been waited for to fill");
  if (has_products_ && products_[i / 16])
    violation(thread, Fault::in_flight,
              "writes " + byte_text(offset) + ", which a product of warp " +
                  std::to_string(std::countr_zero(products_[i / 16])) + " reads until wgmma_wait");
  if ((written & kWritten) && !in_order(written, thread.stamp))
    violation(thread, Fault::race,
              "writes " + byte_text(offset) + ", which thread " + std::to_string(thread_of(written)) +
                  " wrote without a barrier in between");
  if (!reads_in_order(read, thread.stamp))
    violation(thread, Fault::race,
              "writes " + byte_text(offset) + ", which " + (read & (kManyWarps | kManyLanes) ? "others and " : "") +
                  "thread " + std::to_string(thread_of(read)) + " read without a barrier in between");
  writes_[i] = thread.stamp | flags;
  if (has_products_) fences_[i] = thread.fences;
}

template <int kBytes>
void SharedBytes::read_whole(const Thread& thread, int offset) {
  uint32_t *writes = writes_.data() + offset, *reads = reads_.data() + offset;
  if (all_equal<kBytes>(writes) && all_equal<kBytes>(reads)) {
    read_byte(thread, offset);
    set_all<kBytes>(reads, reads[0]);
  } else {
    for (int i = 0; i < kBytes; ++i) read_byte(thread, offset + i);
  }
}

template <int kBytes>
void SharedBytes::write_whole(const Thread& thread, int offset, uint32_t flags) {
  uint32_t *writes = writes_.data() + offset, *reads = reads_.data() + offset;
  if (all_equal<kBytes>(writes) && all_equal<kBytes>(reads)) {
    write_byte(thread, offset, flags);
    set_all<kBytes>(writes, writes[0]);
    if (has_products_) set_all<kBytes>(fences_.data() + offset, thread.fences);
  } else {
    for (int i = 0; i < kBytes; ++i) write_byte(thread, offset + i, flags);
  }
}

void SharedBytes::read(const Thread& thread, int offset, int bytes) {
  switch (bytes) {
    case 1:
      return read_byte(thread, offset);
    case 2:
      return read_whole<2>(thread, offset);
    case 4:
      return read_whole<4>(thread, offset);
    case 8:
      return read_whole<8>(thread, offset);
    case 16:
      return read_whole<16>(thread, offset);
    default:
      for (int i = 0; i < bytes; ++i) read_byte(thread, offset + i);
  }
}

void SharedBytes::write(const Thread& thread, int offset, int bytes) {
  switch (bytes) {
    case 1:
      return write_byte(thread, offset, kWritten);
    case 2:
      return write_whole<2>(thread, offset, kWritten);
    case 4:
      return write_whole<4>(thread, offset, kWritten);
    case 8:
      return write_whole<8>(thread, offset, kWritten);
    case 16:
      return write_whole<16>(thread, offset, kWritten);
    default:
      for (int i = 0; i < bytes; ++i) write_byte(thread, offset + i, kWritten);
  }
}

void SharedBytes::expect(const Thread& thread, int offset) {
  write_whole<16>(thread, offset, kWritten | kInFlight);
  std::memset(data_ + offset, 0xff, 16);
}

void SharedBytes::arrive(const Thread& thread, int offset, const unsigned char* from) {
  set_all<16>(writes_.data() + offset, thread.stamp | kWritten);
  if (has_products_) set_all<16>(fences_.data() + offset, thread.fences);
  std::memcpy(data_ + offset, from, 16);
}

void SharedBytes::begin_product(const Thread& thread, int offset) {
  read(thread, offset, 16);
  for (int i = offset; i < offset + 16; ++i) {
    const Thread& writer = threads_[thread_of(writes_[static_cast<size_t>(i)])];
    if (static_cast<int16_t>(writer.fenced - fences_[static_cast<size_t>(i)]) <= 0)
      violation(thread, Fault::fence,
                "its product reads " + byte_text(i) + ", which thread " + std::to_string(writer.index) +
                    " wrote without fence_shared_for_wgmma before the barrier");
  }
  mark_product(thread, offset);
}

void SharedBytes::mark_product(const Thread& thread, int offset) {
  products_[static_cast<size_t>(offset) / 16] |= 1u << thread.warp->index;
}

void SharedBytes::end_product(const Thread& thread, int offset) {
  products_[static_cast<size_t>(offset) / 16] &= ~(1u << thread.warp->index);
  for (int i = offset; i < offset + 16; ++i) {
    uint32_t& entry = reads_[static_cast<size_t>(i)];
    entry = with_reader(entry, thread.stamp);
  }
}

}  // namespace rushes::cuda::emulator
