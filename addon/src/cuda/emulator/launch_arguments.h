// What a kernel is given, as a card would see it: an address must be of the card's memory, alone or within a struct.
#pragma once
#include <cstdint>
#include <type_traits>
#include <vector>

#include "cuda/emulator/access_history.h"

namespace rushes::cuda::emulator {

/// Where an argument stands, for messages.
struct Argument {
  const char* kernel;
  int number;  // from 1
};

/// The part of the card's memory in which the address lies. Nothing for null. Throws Violation for an address that is
/// not the card's, or of memory that is not in use.
void add_access(std::vector<Access>& accesses, Argument argument, const void* address, AccessKind kind);
/// The same for every word of a struct that is an address; that of the host's memory is a Violation, whatever is no
/// address is passed over. Padding must be zero.
void add_struct_accesses(std::vector<Access>& accesses, Argument argument, const void* value, uint64_t bytes);

template <class T>
void add_argument(std::vector<Access>& accesses, Argument argument, T value) {
  if constexpr (std::is_pointer_v<T>) {
    constexpr bool is_read = std::is_const_v<std::remove_pointer_t<T>>;
    add_access(accesses, argument, value, is_read ? AccessKind::read : AccessKind::use);
  } else if constexpr (std::is_class_v<T> && alignof(T) >= alignof(void*)) {
    static_assert(std::is_trivially_copyable_v<T>, "a kernel's arguments are copied to the card byte by byte");
    __builtin_clear_padding(&value);  // an address may have lain there before
    add_struct_accesses(accesses, argument, &value, sizeof(T));
  }
}

}  // namespace rushes::cuda::emulator
