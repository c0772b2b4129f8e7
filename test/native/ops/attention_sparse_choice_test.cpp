// Which kernels and tiles sparse attention takes on which card; no card is needed.
#include "ops/attention/attention_sparse_choice.h"

#include <doctest/doctest.h>

#include "runtime/status.h"

using namespace rushes;
using namespace rushes::attention;

namespace {

DeviceInfo card(int architecture) {
  const uint64_t kilobytes = architecture == 80 ? 163 : architecture == 90 || architecture == 100 ? 227 : 99;
  return {.name = "card", .architecture = architecture, .multiprocessors = 128, .shared_bytes = kilobytes << 10};
}

constexpr int kArchitectures[] = {80, 86, 89, 90, 100, 120};
constexpr SparseArithmetic kAll[] = {SparseArithmetic::fma, SparseArithmetic::bf16, SparseArithmetic::int8_f16,
                                     SparseArithmetic::int8_e4m3};

}  // namespace

TEST_CASE("sparse attention's tiles fit every card, whatever the shape") {
  for (const int architecture : kArchitectures)
    for (const SparseArithmetic arithmetic : kAll)
      for (int64_t size = 16; size <= 512; size += 8)
        for (const int64_t length : {1, 129, 7800, 32760, 75600, 400000}) {
          const SparseCudaChoice choice = choose_sparse_cuda(card(architecture), arithmetic, 12, size, length);
          const int64_t key_blocks = (length + 63) / 64, room = static_cast<int64_t>(card(architecture).shared_bytes);
          CAPTURE(architecture);
          CAPTURE(size);
          CAPTURE(length);
          CHECK(choice.padded_size >= size);
          CHECK(choice.arithmetic == (size > 128 ? SparseArithmetic::fma : arithmetic));
          CHECK(attend_shared_bytes(choice.arithmetic, choice.padded_size, choice.step_keys) <= room);
          CHECK(selection_shared_bytes(choice.selection_tile, key_blocks, size) <= room);
          CHECK(choice.chunk_blocks >= 1);
          CHECK(choice.chunk_blocks <= key_blocks);
          // Partial sums stay few: 31 MB at 128 channels.
          CHECK(12 * ((key_blocks + choice.chunk_blocks - 1) / choice.chunk_blocks) <= 480);
        }
}

TEST_CASE("sparse attention's tiles follow the card") {
  const auto choose = [](int architecture, SparseArithmetic arithmetic) {
    return choose_sparse_cuda(card(architecture), arithmetic, 12, 128, 32760);
  };
  const auto bytes = [&](int architecture, SparseArithmetic arithmetic) {
    const SparseCudaChoice choice = choose(architecture, arithmetic);
    return attend_shared_bytes(choice.arithmetic, choice.padded_size, choice.step_keys);
  };
  // Two blocks of four warps in 164 and 228 KB; one of eight in 99.
  CHECK(bytes(80, SparseArithmetic::bf16) == 64 << 10);
  CHECK(bytes(90, SparseArithmetic::bf16) == 96 << 10);
  CHECK(bytes(86, SparseArithmetic::bf16) == 96 << 10);
  CHECK(choose(80, SparseArithmetic::bf16).warp_tiles == 2);
  CHECK(choose(90, SparseArithmetic::bf16).warp_tiles == 2);
  CHECK(choose(86, SparseArithmetic::bf16).warp_tiles == 1);
  CHECK(choose(120, SparseArithmetic::int8_e4m3).warp_tiles == 1);
  CHECK(choose(90, SparseArithmetic::int8_f16).warp_tiles == 2);
  CHECK(choose(90, SparseArithmetic::bf16).selection_tile == 8);
  // 61 query blocks in tiles of eight would leave most of the card idle.
  CHECK(choose_sparse_cuda(card(90), SparseArithmetic::bf16, 12, 128, 7800).selection_tile == 2);
  CHECK(choose_sparse_cuda(card(90), SparseArithmetic::bf16, 1, 128, 300).selection_tile == 1);
  CHECK_THROWS_AS(choose_sparse_cuda(card(86), SparseArithmetic::bf16, 12, 128, 2000000), Error);
}
