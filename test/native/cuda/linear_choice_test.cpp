// Which kernel multiplies a linear layer, for cards that are not here: the choice is a pure function.
#include <doctest/doctest.h>

#include <algorithm>

#include "cuda/kernel_choice.h"

namespace rushes::cuda {
namespace {

DeviceInfo card_of(int architecture) {
  DeviceInfo card;
  card.architecture = architecture;
  const bool large = architecture == 80 || architecture == 90 || architecture == 100;
  card.multiprocessors = architecture == 80 ? 108 : architecture == 90 ? 132 : architecture == 100 ? 148 : 46;
  card.shared_bytes = (architecture == 80 ? 163 : large ? 227 : 99) << 10;
  card.total_bytes = uint64_t{large ? 80u : 8u} << 30;
  return card;
}
constexpr int kArchitectures[] = {80, 86, 89, 90, 100, 120};
constexpr LinearProduct kProducts[] = {LinearProduct::int8, LinearProduct::bf16, LinearProduct::f32};

}  // namespace

TEST_CASE("no shape gets a kernel that its card lacks, or a tile that does not cover it") {
  for (const int architecture : kArchitectures)
    for (const LinearProduct product : kProducts)
      for (const int64_t rows : {1, 2, 8, 9, 63, 64, 65, 512, 7800, 32760, 75600, 1 << 20})
        for (const int64_t outputs : {1, 7, 64, 129, 1536, 5120, 8960, 13824, 256384})
          for (const int64_t depth : {1, 128, 1536, 13824}) {
            CAPTURE(architecture);
            CAPTURE(rows);
            CAPTURE(outputs);
            const DeviceInfo card = card_of(architecture);
            const LinearChoice choice = choose_linear(card, product, {rows, outputs, depth});
            const LinearTile& tile = choice.tile;
            if (tile.kernel == LinearKernel::wgmma) CHECK(architecture == 90);
            CHECK((tile.kernel == LinearKernel::fma) == (product == LinearProduct::f32 && rows > kDotRows));
            CHECK((tile.kernel == LinearKernel::dot) == (product != LinearProduct::int8 && rows <= kDotRows));
            CHECK(static_cast<uint64_t>(tile.shared_bytes) <= card.shared_bytes);
            CHECK(static_cast<uint64_t>(tile.shared_bytes) * tile.blocks <= card.shared_bytes + (1 << 10));
            CHECK(tile.threads * tile.blocks <= 1536);
            CHECK(tile.threads % 32 == 0);
            CHECK(choice.padded_rows() >= rows);
            CHECK(choice.padded_outputs() >= outputs);
            CHECK(choice.padded_rows() - rows < tile.rows);
            CHECK(choice.padded_outputs() - outputs < tile.columns);
            CHECK(choice.grid >= 1);
            CHECK(choice.grid <= choice.row_tiles * choice.column_tiles);
            CHECK(choice.band >= 1);
            CHECK(choice.band <= choice.row_tiles);
            if (tile.kernel == LinearKernel::wgmma)
              CHECK(choice.grid <= card.multiprocessors);
            else
              CHECK(choice.grid == choice.row_tiles * choice.column_tiles);
          }
}

TEST_CASE("the layers of the models fill every card's multiprocessors") {
  for (const int architecture : kArchitectures)
    for (const LinearProduct product : kProducts)
      for (const int64_t rows : {512, 7800, 32760, 75600})
        for (const auto& [depth, outputs] : {std::pair<int64_t, int64_t>{1536, 1536},
                                             {1536, 8960},
                                             {8960, 1536},
                                             {5120, 5120},
                                             {5120, 13824},
                                             {13824, 5120},
                                             {4096, 10240}}) {
          CAPTURE(architecture);
          CAPTURE(rows);
          CAPTURE(outputs);
          const DeviceInfo card = card_of(architecture);
          const LinearChoice choice = choose_linear(card, product, {rows, outputs, depth});
          // Of the time until the fullest multiprocessor is done, the part that all of them have work.
          const int64_t tiles = choice.row_tiles * choice.column_tiles;
          const int64_t most = (tiles + card.multiprocessors - 1) / card.multiprocessors;
          const double filled = static_cast<double>(tiles) / static_cast<double>(most * card.multiprocessors);
          // 512 rows of text: large tiles on a third of the card are as quick as small ones on all of it.
          CHECK(filled > (rows >= 7800 ? 0.80 : 0.35));
        }
}

TEST_CASE("large layers get each card's largest tile, small ones smaller tiles") {
  for (const int architecture : kArchitectures)
    for (const LinearProduct product : kProducts) {
      const DeviceInfo card = card_of(architecture);
      const auto tiles = linear_tiles(architecture, product);
      const LinearTile large = choose_linear(card, product, {32760, 8960, 1536}).tile;
      CHECK(large.rows == tiles.front().rows);
      CHECK(large.columns == tiles.front().columns);
      const LinearTile small = choose_linear(card, product, {64, 1536, 1536}).tile;
      CHECK(small.rows * small.columns == tiles.back().rows * tiles.back().columns);
    }
}

TEST_CASE("a card newer or older than any in the table gets kernels that it has") {
  CHECK(choose_linear(card_of(103), LinearProduct::int8, {4096, 4096, 4096}).tile.kernel == LinearKernel::mma);
  CHECK(choose_linear(card_of(121), LinearProduct::bf16, {4096, 4096, 4096}).tile.kernel == LinearKernel::mma);
  DeviceInfo little = card_of(90);
  little.shared_bytes = 99 << 10;
  CHECK(choose_linear(little, LinearProduct::int8, {4096, 4096, 4096}).tile.shared_bytes <= 99 << 10);
}

TEST_CASE("scratch of a layer is bounded, and its parts begin with a tile of scales") {
  for (const int64_t depth : {1, 128, 1536, 13824, 1 << 20})
    for (const LinearProduct product : {LinearProduct::int8, LinearProduct::bf16}) {
      const DeviceInfo card = card_of(90);
      const int64_t rows = linear_chunk_rows(card, product, depth);
      CHECK(rows % 128 == 0);
      CHECK(rows >= 128);
      const int64_t bytes = rows * depth * (product == LinearProduct::int8 ? 1 : 2);
      CHECK((bytes <= int64_t{128} << 20 || rows == 128));
    }
}

}  // namespace rushes::cuda
