// How many neighbouring elements a kernel moves in one instruction: a pure function of where its arrays begin and how
// long their rows are, tested without a card. A card refuses an access that does not lie on its own size, so that every
// kernel which moves more than one element at once asks here, and takes them one by one where the answer is 1.
#pragma once
#include <cstdint>
#include <initializer_list>

namespace rushes::cuda {

/// Where an array begins, and the bytes of an element. Null is an array that is not there, and fits everything.
struct ArrayPlace {
  const void* data;
  int element_bytes;
};

/// `elements` (a power of two) when so many neighbours of every array can move together, 16 bytes an instruction or all
/// of them where they are fewer, from every multiple of `elements` on in rows of `row_elements` that lie one after the
/// other; else 1. What is one stretch is a row of `elements`.
int choose_run(int elements, int64_t row_elements, std::initializer_list<ArrayPlace> arrays);

}  // namespace rushes::cuda
