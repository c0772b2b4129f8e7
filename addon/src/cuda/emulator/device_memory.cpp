#include "cuda/emulator/device_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "cuda/emulator/block.h"

namespace rushes::cuda::emulator {
namespace {

constexpr uint64_t kPage = 4096, kAlignment = 256;
constexpr unsigned char kNoise = 0xff;  // a NaN in every format of floating-point numbers

uint64_t round_up(uint64_t value, uint64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace

DeviceMemory& DeviceMemory::instance() {
  // Never destroyed: devices that live as long as the process give their memory back at its very end.
  static DeviceMemory& memory = *new DeviceMemory;
  return memory;
}

DeviceMemory::DeviceMemory() {
  for (size_ = uint64_t{256} << 30; size_ >= uint64_t{1} << 30; size_ /= 2) {
    void* mapping = mmap(nullptr, size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED) continue;
    base_ = static_cast<std::byte*>(mapping);
    free_[base_] = size_;
    return;
  }
  size_ = 0;
}

std::byte* DeviceMemory::allocate(uint64_t bytes) {
  std::lock_guard lock(mutex_);
  const uint64_t aligned = round_up(std::max<uint64_t>(bytes, 1), kAlignment);
  const uint64_t page_bytes = round_up(aligned, kPage), range = page_bytes + kPage;
  const auto found = std::find_if(free_.begin(), free_.end(), [&](const auto& entry) { return entry.second >= range; });
  if (found == free_.end()) return nullptr;
  std::byte* const pages = found->first;
  if (mprotect(pages, page_bytes, PROT_READ | PROT_WRITE)) return nullptr;
  const uint64_t left = found->second - range;
  free_.erase(found);
  if (left) free_[pages + range] = left;
  std::memset(pages, kNoise, page_bytes);
  if (!opened_) mprotect(pages, page_bytes, PROT_NONE);
  // The end of the allocation meets the page that nobody can touch, as near as its alignment allows.
  std::byte* const data = pages + page_bytes - aligned;
  blocks_[data] = {bytes, pages, page_bytes, false};
  allocated_ += bytes;
  return data;
}

bool DeviceMemory::free(std::byte* data) {
  std::lock_guard lock(mutex_);
  const auto found = blocks_.find(data);
  if (found == blocks_.end()) return false;
  const Block block = found->second;
  if (!opened_) mprotect(block.pages, block.page_bytes, PROT_READ);
  const auto* const bytes = reinterpret_cast<const unsigned char*>(block.pages);
  const auto begin = static_cast<uint64_t>(data - block.pages);
  bool is_intact = true;
  for (uint64_t i = 0; i < block.page_bytes; ++i)
    if ((i < begin || i >= begin + block.bytes) && bytes[i] != kNoise) is_intact = false;
  mprotect(block.pages, block.page_bytes, PROT_NONE);
  madvise(block.pages, block.page_bytes, MADV_DONTNEED);
  blocks_.erase(found);
  parts_.erase(parts_.lower_bound(data), parts_.lower_bound(data + block.bytes));
  allocated_ -= block.bytes;
  auto [entry, inserted] = free_.emplace(block.pages, block.page_bytes + kPage);
  if (const auto next = std::next(entry); next != free_.end() && entry->first + entry->second == next->first) {
    entry->second += next->second;
    free_.erase(next);
  }
  if (entry != free_.begin())
    if (const auto before = std::prev(entry); before->first + before->second == entry->first) {
      before->second += entry->second;
      free_.erase(entry);
    }
  if (!is_intact)
    throw Violation(Fault::address, "A kernel or a copy wrote beside an allocation of " + std::to_string(block.bytes) +
                                        " bytes of device memory.");
  return true;
}

uint64_t DeviceMemory::bytes_of(const void* data) const {
  std::lock_guard lock(mutex_);
  const auto found = blocks_.find(const_cast<std::byte*>(static_cast<const std::byte*>(data)));
  return found == blocks_.end() ? 0 : found->second.bytes;
}

void DeviceMemory::take_part(const std::byte* data, uint64_t bytes) {
  std::lock_guard lock(mutex_);
  const auto after = blocks_.upper_bound(const_cast<std::byte*>(data));
  if (after == blocks_.begin()) return;
  std::prev(after)->second.is_divided = true;
  parts_[data] = std::max<uint64_t>(bytes, 1);
}

void DeviceMemory::give_part(const std::byte* data) {
  std::lock_guard lock(mutex_);
  parts_.erase(data);
}

DeviceMemory::Part DeviceMemory::part_at(const void* address) const {
  std::lock_guard lock(mutex_);
  const auto* const place = static_cast<const std::byte*>(address);
  const auto block = blocks_.upper_bound(const_cast<std::byte*>(place));
  if (block == blocks_.begin()) return {};
  const auto& [data, allocation] = *std::prev(block);
  if (!allocation.is_divided) return place < data + allocation.bytes ? Part{data, allocation.bytes} : Part{};
  const auto part = parts_.upper_bound(place);
  if (part == parts_.begin()) return {};
  const auto& [begin, bytes] = *std::prev(part);
  return place < begin + bytes ? Part{begin, bytes} : Part{};
}

bool DeviceMemory::contains(const void* data, uint64_t bytes) const {
  std::lock_guard lock(mutex_);
  auto* const address = const_cast<std::byte*>(static_cast<const std::byte*>(data));
  auto found = blocks_.upper_bound(address);
  if (found == blocks_.begin()) return false;
  --found;
  return address + bytes <= found->first + found->second.bytes;
}

bool DeviceMemory::is_device_address(const void* address) const {
  return base_ && address >= base_ && address < base_ + size_;
}

std::string DeviceMemory::describe(const void* address) const {
  std::lock_guard lock(mutex_);
  auto* const place = const_cast<std::byte*>(static_cast<const std::byte*>(address));
  auto found = blocks_.upper_bound(place);
  if (found == blocks_.begin()) return "device memory before every allocation";
  --found;
  return "byte " + std::to_string(place - found->first) + " of an allocation of " +
         std::to_string(found->second.bytes) + " bytes";
}

uint64_t DeviceMemory::allocated_bytes() const {
  std::lock_guard lock(mutex_);
  return allocated_;
}
uint64_t DeviceMemory::live() const {
  std::lock_guard lock(mutex_);
  return blocks_.size();
}

void DeviceMemory::protect(int protection) const {
  for (const auto& [data, block] : blocks_) mprotect(block.pages, block.page_bytes, protection);
}
void DeviceMemory::open() {
  std::lock_guard lock(mutex_);
  if (opened_++ == 0) protect(PROT_READ | PROT_WRITE);
}
void DeviceMemory::close() {
  std::lock_guard lock(mutex_);
  if (--opened_ == 0) protect(PROT_NONE);
}

}  // namespace rushes::cuda::emulator
