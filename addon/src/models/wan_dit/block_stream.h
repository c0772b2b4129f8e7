// Blocks of a transformer that a card has no room for: packed once, kept in the computer's pinned memory, and copied
// into one of two slots on the card while the block before computes in the other.
#pragma once
#include <memory>
#include <vector>

#include "runtime/context.h"
#include "runtime/weight_arena.h"

namespace rushes {

/// Host memory that the card can read by itself, counted as weights of the host while it lives.
class PinnedBytes {
 public:
  PinnedBytes(const Context& context, uint64_t bytes);
  ~PinnedBytes();
  PinnedBytes(const PinnedBytes&) = delete;
  PinnedBytes& operator=(const PinnedBytes&) = delete;
  std::byte* data() const { return data_; }
  uint64_t bytes() const { return bytes_; }

 private:
  Device* device_;
  MemoryCounter* counter_;
  uint64_t bytes_;
  std::byte* data_ = nullptr;  // null while planning
};

/// Block i lives in slot i % 2. Its tensors are laid there when it is packed, and stay where they are: only the bytes
/// under them come and go, so kernels and results are those of resident blocks.
class BlockStream {
 public:
  /// `slot_bytes`: what the weights of the largest block take (WeightArena::used_bytes of one that measures).
  BlockStream(const Context& context, uint64_t slot_bytes);
  ~BlockStream();
  BlockStream(const BlockStream&) = delete;
  BlockStream& operator=(const BlockStream&) = delete;

  /// A context in which the next block is packed into its slot.
  Context packing_context(const Context& context);
  /// The block packed last moves to pinned memory.
  void keep_packed(const Context& context);

  /// A pass over all blocks in order: begin_pass, then for every block enter, its work, leave.
  void begin_pass(const Context& context) const;
  void enter(const Context& context, size_t block) const;
  void leave(const Context& context, size_t block) const;

 private:
  void upload(const Context& context, size_t block) const;

  Device* device_;
  bool dry_run_;
  WeightArena slots_[2];
  std::vector<std::unique_ptr<PinnedBytes>> blocks_;
};

}  // namespace rushes
