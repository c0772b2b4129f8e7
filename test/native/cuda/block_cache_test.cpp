// The allocator of device memory against a source of plain addresses that runs out: blocks never overlap, nothing is
// lost, and what is free is found.
#include "cuda/block_cache.h"

#include <doctest/doctest.h>

#include <random>
#include <vector>

#include "models/wan_dit/wan_dit_tensors.h"

using rushes::cuda::BlockCache;

namespace {

// Addresses that nothing is ever written to, at most `capacity` bytes of them at once.
struct Addresses {
  uint64_t capacity, taken = 0, calls = 0;
  uint64_t next = uint64_t{1} << 40;
  std::map<std::byte*, uint64_t> pieces;

  BlockCache::Source source() {
    return {[this](uint64_t bytes) -> std::byte* {
              ++calls;
              if (taken + bytes > capacity) return nullptr;
              taken += bytes;
              std::byte* piece = reinterpret_cast<std::byte*>(next);
              next += bytes + 4096;  // pieces are never neighbours
              pieces[piece] = bytes;
              return piece;
            },
            [this](std::byte* piece) {
              REQUIRE(pieces.contains(piece));
              taken -= pieces[piece];
              pieces.erase(piece);
            }};
  }
  bool holds(std::byte* data, uint64_t bytes) const {
    auto piece = pieces.upper_bound(data);
    if (piece == pieces.begin()) return false;
    --piece;
    return data + bytes <= piece->first + piece->second;
  }
};

}  // namespace

TEST_CASE("blocks of device memory lie in pieces, apart from each other, and all of it comes back") {
  for (const uint64_t capacity : {uint64_t{64} << 20, uint64_t{1} << 40}) {
    CAPTURE(capacity);
    Addresses addresses{capacity};
    {
      BlockCache cache(addresses.source());
      std::map<std::byte*, uint64_t> live;
      std::mt19937_64 random(capacity);
      uint64_t asked = 0;
      for (int step = 0; step < 20000; ++step) {
        if (live.empty() || random() % 5 < 3) {
          const uint64_t bytes = random() % 3 ? random() % 40000 : random() % (9 << 20);
          std::byte* data = cache.take(bytes);
          if (!data) {
            REQUIRE(capacity != uint64_t{1} << 40);
            continue;
          }
          REQUIRE(reinterpret_cast<uintptr_t>(data) % 256 == 0);
          REQUIRE(addresses.holds(data, bytes));
          const auto after = live.upper_bound(data);
          if (after != live.end()) REQUIRE(data + bytes <= after->first);
          if (after != live.begin()) REQUIRE(std::prev(after)->first + std::prev(after)->second <= data);
          live[data] = bytes;
          asked += bytes;
        } else {
          auto chosen = live.begin();
          std::advance(chosen, static_cast<int64_t>(random() % live.size()));
          asked -= chosen->second;
          cache.give(chosen->first);
          live.erase(chosen);
        }
        REQUIRE(cache.used_bytes() >= asked);
        REQUIRE(cache.used_bytes() <= asked + live.size() * BlockCache::kGranule);
        REQUIRE(cache.held_bytes() == addresses.taken);
      }
      for (const auto& [data, bytes] : live) cache.give(data);
      CHECK(cache.used_bytes() == 0);
      cache.trim();
      CHECK(cache.held_bytes() == 0);
      CHECK(addresses.taken == 0);
    }
    CHECK(addresses.pieces.empty());
  }
}

TEST_CASE("device memory that was given back serves again without a call, and is joined for larger blocks") {
  Addresses addresses{uint64_t{20} << 20};
  BlockCache cache(addresses.source());
  std::byte* whole = cache.take(16 << 20);
  REQUIRE(whole);
  const uint64_t calls = addresses.calls;
  cache.give(whole);
  std::byte *front = cache.take(5 << 20), *back = cache.take(11 << 20);
  CHECK(addresses.calls == calls);
  CHECK(front == whole);
  CHECK(back == whole + (5 << 20));
  CHECK(cache.take(8 << 20) == nullptr);  // 4 MiB are left
  cache.give(front);
  cache.give(back);
  CHECK(cache.take(16 << 20) == whole);
  cache.give(whole);
  // A block that no kept piece can hold gets the memory of those that are free.
  CHECK(cache.take(19 << 20) != nullptr);
  CHECK(addresses.pieces.size() == 1);
  CHECK(cache.peak_held_bytes() == uint64_t{20} << 20);
}

TEST_CASE("a transformer of 1.3B takes hardly more of the card than its weights are") {
  for (const bool int8 : {false, true}) {
    Addresses addresses{uint64_t{1} << 40};
    BlockCache cache(addresses.source());
    uint64_t weights = 0;
    const auto take = [&](uint64_t bytes) {
      REQUIRE(cache.take(bytes));
      weights += bytes;
    };
    for (const rushes::ExpectedTensor& tensor : rushes::wan_dit_tensors({.dim = 1536,
                                                .heads = 12,
                                                .ffn = 8960,
                                                .layers = 30,
                                                .in_channels = 16,
                                                .out_channels = 16,
                                                .text_dim = 4096})) {
      const auto count = static_cast<uint64_t>(rushes::element_count(tensor.shape));
      if (tensor.shape.size() != 2) {
        take(4 * count);
      } else if (!int8) {
        take(2 * count);
      } else {
        take(count);
        take(4 * (count + 16383) / 16384);
      }
    }
    // Of the last shared piece a part is free.
    CHECK(cache.held_bytes() - BlockCache::kMostSharedPiece < weights / 100 * 102);
  }
}
