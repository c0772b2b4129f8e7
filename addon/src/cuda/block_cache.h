// Which bytes of a card's memory are in use: blocks cut from larger pieces that are taken from the driver and kept, so
// that taking and giving back costs no call to it. Knows no CUDA: where pieces come from is the caller's.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>

namespace rushes::cuda {

/// Not thread-safe. A block given back may be given out again at once, so its user must do all work in one order.
class BlockCache {
 public:
  /// Where pieces come from. `take` gives null when there is no memory; `give` must not throw.
  struct Source {
    std::function<std::byte*(uint64_t bytes)> take;
    std::function<void(std::byte* piece)> give;
  };
  explicit BlockCache(Source source) : source_(std::move(source)) {}
  /// Gives every piece back, blocks in use included.
  ~BlockCache();
  BlockCache(const BlockCache&) = delete;
  BlockCache& operator=(const BlockCache&) = delete;

  /// A block of at least this many bytes, 256-byte aligned; null when there is none, even after trim().
  std::byte* take(uint64_t bytes);
  void give(std::byte* block) noexcept;
  /// Gives pieces of which nothing is in use back to the source.
  void trim() noexcept;
  /// Forgets everything without giving it back: the memory is gone with its context.
  void forget() noexcept;

  uint64_t used_bytes() const { return used_; }       // in blocks that are in use, rounding included
  uint64_t held_bytes() const { return held_; }       // in pieces
  uint64_t peak_held_bytes() const { return peak_; }  // the most there ever were

  /// Blocks are multiples of this.
  static constexpr uint64_t kGranule = 512;
  /// Requests below kLeastLarge share pieces of kSmallPiece among themselves, so that small blocks that live long do
  /// not cut up large ones.
  static constexpr uint64_t kSmallPiece = uint64_t{2} << 20;
  static constexpr uint64_t kLeastLarge = uint64_t{1} << 20;
  /// Up to kMostShared large requests share pieces: a weight of 2.3 MB in a piece of its own would waste nearly as much
  /// again. The pieces are small until kMuch is held. Larger requests have pieces of their own, in multiples of
  /// kSmallPiece.
  static constexpr uint64_t kMostShared = uint64_t{32} << 20;
  static constexpr uint64_t kLeastSharedPiece = uint64_t{8} << 20, kMostSharedPiece = uint64_t{128} << 20;
  static constexpr uint64_t kMuch = uint64_t{64} << 20;

 private:
  // Free blocks by pool, size, then address: the smallest that fits, the lowest of equals.
  struct FreeKey {
    bool large;
    uint64_t bytes;
    std::byte* data;
    auto operator<=>(const FreeKey&) const = default;
  };
  struct Block {
    uint64_t bytes = 0;
    bool large = false, in_use = false, first_of_piece = false;
    std::set<FreeKey>::node_type
        node;  // while in use: the entry it goes back into, so that giving back allocates nothing
  };
  using Blocks = std::map<std::byte*, Block>;

  Blocks::iterator fit(uint64_t bytes, bool large);
  Blocks::iterator add_piece(uint64_t bytes, bool large);
  void cut(Blocks::iterator block, uint64_t bytes);
  void join_next(Blocks::iterator block) noexcept;

  Source source_;
  Blocks blocks_;
  std::set<FreeKey> free_;
  uint64_t used_ = 0, held_ = 0, peak_ = 0;
};

}  // namespace rushes::cuda
