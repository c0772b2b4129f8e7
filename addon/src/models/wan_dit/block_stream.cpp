#include "models/wan_dit/block_stream.h"

namespace rushes {

PinnedBytes::PinnedBytes(const Context& context, uint64_t bytes)
    : device_(context.device), counter_(context.memory), bytes_(bytes) {
  if (counter_) counter_->add(MemoryUse::weights, bytes_);
  if (context.dry_run) return;
  try {
    data_ = device_->allocate_pinned(bytes_);
  } catch (...) {
    if (counter_) counter_->remove(MemoryUse::weights, bytes_);
    throw;
  }
}

PinnedBytes::~PinnedBytes() {
  if (data_) device_->release_pinned(data_, bytes_);
  if (counter_) counter_->remove(MemoryUse::weights, bytes_);
}

BlockStream::BlockStream(const Context& context, uint64_t slot_bytes)
    : device_(context.device), dry_run_(context.dry_run) {
  for (WeightArena& slot : slots_)
    slot = WeightArena(std::make_shared<Storage>(context.device_memory, MemoryUse::weights, slot_bytes, context.dry_run,
                                                 context.device));
}

// A copy may be under way when a pass was cancelled; neither end of it may go before it is done.
BlockStream::~BlockStream() {
  if (dry_run_) return;
  try {
    device_->synchronize();
  } catch (const Error&) {  // the card is lost, and every copy with it
  }
}

Context BlockStream::packing_context(const Context& context) {
  Context packing = context;
  packing.weight_arena = &slots_[blocks_.size() % 2];
  packing.weight_arena->rewind();
  return packing;
}

void BlockStream::keep_packed(const Context& context) {
  const WeightArena& slot = slots_[blocks_.size() % 2];
  blocks_.push_back(std::make_unique<PinnedBytes>(context, slot.used_bytes()));
  if (!context.dry_run) device_->download(blocks_.back()->data(), slot.storage()->data(), slot.used_bytes());
}

void BlockStream::upload(const Context& context, size_t block) const {
  if (context.dry_run || block >= blocks_.size()) return;
  const PinnedBytes& kept = *blocks_[block];
  device_->begin_upload(static_cast<int>(block % 2), slots_[block % 2].storage()->data(), kept.data(), kept.bytes());
}

void BlockStream::begin_pass(const Context& context) const {
  upload(context, 0);
  upload(context, 1);
}

void BlockStream::enter(const Context& context, size_t block) const {
  if (!context.dry_run) device_->finish_upload(static_cast<int>(block % 2));
}

// The copy of the block after the next starts when this block's work is done, beside the work of the next.
void BlockStream::leave(const Context& context, size_t block) const { upload(context, block + 2); }

}  // namespace rushes
