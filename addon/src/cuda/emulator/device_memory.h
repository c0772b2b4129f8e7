// Memory of the pretended card: addresses of its own that host code cannot touch, each allocation against a page that
// nobody can touch, new memory full of what is not a number.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace rushes::cuda::emulator {

class DeviceMemory {
 public:
  static DeviceMemory& instance();

  /// 256-byte aligned; null when the addresses are used up or the computer has no memory.
  std::byte* allocate(uint64_t bytes);
  /// False when nothing of that address is allocated. Throws Violation when bytes behind the allocation were changed.
  bool free(std::byte* data);
  /// True when [data, data + bytes) lies in one allocation.
  bool contains(const void* data, uint64_t bytes) const;
  /// Of an allocation that begins here; 0 where none does.
  uint64_t bytes_of(const void* data) const;
  /// Says that these bytes of an allocation are one part, or no longer are.
  void take_part(const std::byte* data, uint64_t bytes);
  void give_part(const std::byte* data);
  struct Part {
    const std::byte* begin = nullptr;
    uint64_t bytes = 0;
  };
  /// The part in which the address lies: the whole allocation where it was never divided, none (null) where there is
  /// none in use.
  Part part_at(const void* address) const;
  /// True when the address is one of the card's, allocated or not.
  bool is_device_address(const void* address) const;
  /// What lies at or nearest before an address of the card, for a message.
  std::string describe(const void* address) const;

  uint64_t allocated_bytes() const;
  uint64_t live() const;

  /// Memory can be touched between open and as many close.
  void open();
  void close();

 private:
  DeviceMemory();
  struct Block {
    uint64_t bytes;
    std::byte* pages;
    uint64_t page_bytes;
    bool is_divided = false;
  };
  void protect(int protection) const;

  mutable std::mutex mutex_;
  std::byte* base_ = nullptr;
  uint64_t size_ = 0;
  std::map<std::byte*, Block> blocks_;
  std::map<const std::byte*, uint64_t> parts_;  // in use, of allocations that are divided
  std::map<std::byte*, uint64_t> free_;         // ranges of pages by address
  uint64_t allocated_ = 0;
  int opened_ = 0;
};

}  // namespace rushes::cuda::emulator
