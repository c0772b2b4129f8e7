// What this machine offers: memory that may be used and memory that is, and whether a GPU is there.
#pragma once
#include <cstdint>
#include <string>

namespace rushes {

/// Bytes of physical memory, and those free for a new job (MemAvailable, or what a control group leaves); 0 = unknown.
struct MachineMemory {
  uint64_t total_bytes = 0, free_bytes = 0;
};
MachineMemory machine_memory();

/// Bytes of physical memory this process holds, mapped files included; 0 = unknown.
uint64_t resident_bytes();

/// Gives memory that was freed, but kept by the allocator for later, back to the system.
void return_freed_memory();

/// Why a job that may choose computes on the processor: one sentence, "" where there is a card to use.
std::string no_card_reason();

/// The JSON of rushes_machine.
std::string machine_report();

}  // namespace rushes
