// How many elements a streaming kernel moves at once, for every beginning an array may have.
#include "cuda/access_choice.h"

#include <doctest/doctest.h>

using namespace rushes::cuda;

namespace {

const void* at(uintptr_t address) { return reinterpret_cast<const void*>(address); }

}  // namespace

TEST_CASE("a run moves where every array lies on the bytes of an instruction, whatever the offset") {
  for (const int bytes : {1, 2, 4})
    for (const int elements : {2, 4, 8, 16})
      for (uintptr_t offset = 0; offset < 64; offset += static_cast<uintptr_t>(bytes)) {
        const uintptr_t access = elements * bytes < 16 ? static_cast<uintptr_t>(elements * bytes) : 16;
        CAPTURE(bytes);
        CAPTURE(elements);
        CAPTURE(offset);
        const int run = choose_run(elements, elements, {{at(4096 + offset), bytes}});
        CHECK(run == (offset % access == 0 ? elements : 1));
        // Every run of whole rows then lies as well as the first, which is what a card asks.
        if (run == elements) CHECK((4096 + offset + 3 * static_cast<uintptr_t>(elements * bytes)) % access == 0);
      }
}

TEST_CASE("one array that lies badly, or rows that end within a run, leave single elements") {
  CHECK(choose_run(8, 24, {{at(256), 2}, {at(512), 4}}) == 8);
  CHECK(choose_run(8, 24, {{at(256), 2}, {at(516), 4}}) == 1);
  CHECK(choose_run(8, 24, {{at(264), 2}, {at(512), 4}}) == 1);
  CHECK(choose_run(8, 20, {{at(256), 2}, {at(512), 4}}) == 1);
  CHECK(choose_run(4, 20, {{at(256), 2}, {at(512), 4}}) == 4);
  CHECK(choose_run(4, 20, {{at(264), 2}, {at(512), 4}}) == 4);  // four bf16 take 8 bytes
  CHECK(choose_run(4, 4, {{nullptr, 4}, {at(512), 4}}) == 4);
}
