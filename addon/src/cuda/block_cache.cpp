#include "cuda/block_cache.h"

#include <algorithm>

namespace rushes::cuda {
namespace {

uint64_t rounded_up(uint64_t bytes, uint64_t multiple) { return (bytes + multiple - 1) / multiple * multiple; }

}  // namespace

BlockCache::~BlockCache() {
  for (const auto& [data, block] : blocks_)
    if (block.first_of_piece) source_.give(data);
}

std::byte* BlockCache::take(uint64_t bytes) {
  if (bytes > UINT64_MAX / 2) return nullptr;
  bytes = rounded_up(std::max<uint64_t>(bytes, 1), kGranule);
  const bool large = bytes >= kLeastLarge;
  auto block = fit(bytes, large);
  if (block == blocks_.end()) block = add_piece(bytes, large);
  if (block == blocks_.end()) return nullptr;
  cut(block, bytes);
  Block& taken = block->second;
  taken.node = free_.extract(FreeKey{taken.large, taken.bytes, block->first});
  taken.in_use = true;
  used_ += taken.bytes;
  return block->first;
}

BlockCache::Blocks::iterator BlockCache::fit(uint64_t bytes, bool large) {
  const auto found = free_.lower_bound(FreeKey{large, bytes, nullptr});
  return found == free_.end() || found->large != large ? blocks_.end() : blocks_.find(found->data);
}

// A piece for a block of that size: shared if there is room for such a one, else just large enough, at last with what
// lies unused elsewhere given back.
BlockCache::Blocks::iterator BlockCache::add_piece(uint64_t block_bytes, bool large) {
  const uint64_t least = large ? rounded_up(block_bytes, kSmallPiece) : kSmallPiece;
  uint64_t bytes = least;
  if (large && block_bytes <= kMostShared)
    bytes = held_ < kMuch ? std::max(least, kLeastSharedPiece) : kMostSharedPiece;
  std::byte* data = source_.take(bytes);
  if (!data && bytes != least) data = source_.take(bytes = least);
  if (!data) {
    trim();
    data = source_.take(bytes);
  }
  if (!data) return blocks_.end();
  held_ += bytes;
  peak_ = std::max(peak_, held_);
  const auto added = blocks_.emplace(data, Block{bytes, large, false, true, {}}).first;
  free_.insert({large, bytes, data});
  return added;
}

// Splits a free block so that its front has `bytes`.
void BlockCache::cut(Blocks::iterator block, uint64_t bytes) {
  auto& [data, front] = *block;
  const uint64_t rest = front.bytes - bytes;
  if (rest == 0) return;
  blocks_.emplace(data + bytes, Block{rest, front.large, false, false, {}});
  free_.insert({front.large, rest, data + bytes});
  free_.erase({front.large, front.bytes, data});
  front.bytes = bytes;
  free_.insert({front.large, bytes, data});
}

void BlockCache::give(std::byte* data) noexcept {
  const auto found = blocks_.find(data);
  if (found == blocks_.end() || !found->second.in_use) return;
  auto block = found;
  used_ -= block->second.bytes;
  block->second.in_use = false;
  free_.insert(std::move(block->second.node));
  const auto next = std::next(block);
  if (next != blocks_.end() && !next->second.first_of_piece && !next->second.in_use) join_next(block);
  if (block->second.first_of_piece) return;
  const auto before = std::prev(block);
  if (!before->second.in_use) join_next(before);
}

// Both are free and neighbours; the first one's entry is kept and changed, so that nothing is allocated.
void BlockCache::join_next(Blocks::iterator block) noexcept {
  const auto next = std::next(block);
  Block& front = block->second;
  auto node = free_.extract(FreeKey{front.large, front.bytes, block->first});
  free_.erase({next->second.large, next->second.bytes, next->first});
  front.bytes += next->second.bytes;
  blocks_.erase(next);
  node.value().bytes = front.bytes;
  free_.insert(std::move(node));
}

void BlockCache::trim() noexcept {
  for (auto block = blocks_.begin(); block != blocks_.end();) {
    const auto next = std::next(block);
    const Block& piece = block->second;
    const bool whole = piece.first_of_piece && (next == blocks_.end() || next->second.first_of_piece);
    if (whole && !piece.in_use) {
      held_ -= piece.bytes;
      free_.erase({piece.large, piece.bytes, block->first});
      source_.give(block->first);
      blocks_.erase(block);
    }
    block = next;
  }
}

void BlockCache::forget() noexcept {
  blocks_.clear();
  free_.clear();
  used_ = held_ = 0;
}

}  // namespace rushes::cuda
