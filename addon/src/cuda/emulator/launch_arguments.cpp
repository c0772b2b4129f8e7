#include "cuda/emulator/launch_arguments.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstring>
#include <string>

#include "cuda/emulator/block.h"
#include "cuda/emulator/device_memory.h"

namespace rushes::cuda::emulator {
namespace {

constexpr uint64_t kPage = 4096;
// Programs, their heaps, stacks and mappings lie above this on 64-bit Linux (x86-64: from 0x55.. and 0x7e.. on; the
// instruments' shadows lie below).
constexpr uint64_t kLowestOfHost = uint64_t{1} << 46;

[[noreturn]] void refuse(Argument argument, const std::string& what) {
  throw Violation(Fault::address, std::string("Kernel ") + argument.kernel + " was given in argument " +
                                      std::to_string(argument.number) + " " + what + ".");
}

// Two 32-bit numbers that stand side by side look like an address only when the second is at least 16,384, is the upper
// half of addresses that the process happens to use (a few of the 49,152 there could be), and the first hits a page
// of them. Shapes that a test can afford to emulate do not get there, so such a word is taken for what it most likely
// is; the message gives the word and says what else it may be.
bool is_host_memory(uint64_t word) {
  if (word < kLowestOfHost || word >> 48) return false;
  unsigned char in_core = 0;
  return mincore(reinterpret_cast<void*>(word / kPage * kPage), 1, &in_core) == 0;
}

}  // namespace

void add_access(std::vector<Access>& accesses, Argument argument, const void* address, AccessKind kind) {
  if (!address) return;
  const DeviceMemory& memory = DeviceMemory::instance();
  if (!memory.is_device_address(address)) refuse(argument, "an address that is not the card's");
  const DeviceMemory::Part part = memory.part_at(address);
  if (!part.begin) refuse(argument, "memory that is not in use (" + memory.describe(address) + ")");
  accesses.push_back({part.begin, part.bytes, kind});
}

void add_struct_accesses(std::vector<Access>& accesses, Argument argument, const void* value, uint64_t bytes) {
  for (uint64_t at = 0; at + sizeof(void*) <= bytes; at += sizeof(void*)) {
    uint64_t word = 0;
    std::memcpy(&word, static_cast<const std::byte*>(value) + at, sizeof word);
    const auto* const address = reinterpret_cast<const void*>(word);
    if (DeviceMemory::instance().is_device_address(address)) {
      add_access(accesses, argument, address, AccessKind::use);
    } else if (is_host_memory(word)) {
      char text[96];
      std::snprintf(text, sizeof text, "an address of the host's memory (%p, or the numbers %u and %u)", address,
                    static_cast<unsigned>(word), static_cast<unsigned>(word >> 32));
      refuse(argument, std::string(text) + ", at byte " + std::to_string(at) + " of the struct");
    }
  }
}

}  // namespace rushes::cuda::emulator
