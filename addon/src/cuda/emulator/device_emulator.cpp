// The longer functions of device_emulator.h. Does not include device.h: nothing here depends on a kernel's types.
#include <algorithm>
#include <cstdint>
#include <string>

#include "cuda/emulator/block.h"

namespace rushes::cuda::emulator {

int place_in_window(int offset, int count, int size, int first, int bytes, int alignment) {
  const int begin = offset + first * size;
  const Thread& thread = *current;
  if (first < 0 || static_cast<int64_t>(first) * size + bytes > static_cast<int64_t>(count) * size || begin < 0 ||
      begin + bytes > thread.block->shape->shared_bytes)
    violation(thread, Fault::bounds,
              "element " + std::to_string(first) + " of a window of " + std::to_string(count) + " elements of " +
                  std::to_string(size) + " bytes at byte " + std::to_string(offset) + " of shared memory, which has " +
                  std::to_string(thread.block->shape->shared_bytes));
  if (begin % alignment)
    violation(thread, Fault::alignment,
              "byte " + std::to_string(begin) + " of shared memory does not lie on " + std::to_string(alignment));
  return begin;
}

void window_violation(int offset, int bytes) {
  const Thread& thread = *current;
  if (offset % 16)
    violation(thread, Fault::alignment,
              "a window of shared memory at byte " + std::to_string(offset) + ", not a multiple of 16");
  violation(thread, Fault::bounds,
            "a window of " + std::to_string(bytes) + " bytes at byte " + std::to_string(offset) +
                " of shared memory, of which the launch has " + std::to_string(thread.block->shape->shared_bytes));
}

void begin_copy(int offset, const void* from) {
  Thread& thread = *current;
  if (reinterpret_cast<uintptr_t>(from) % 16)
    violation(thread, Fault::alignment, "copy_async from an address that does not lie on 16 bytes");
  thread.block->shared.expect(thread, offset);
  Thread::PendingCopy copy = {offset, thread.copy_group, {}};
  if (from) std::memcpy(copy.data, from, 16);
  thread.copies.push_back(copy);
}

void wait_for_copies(int groups_left) {
  Thread& thread = *current;
  while (thread.copies_arrived < thread.copies.size()) {
    const Thread::PendingCopy& copy = thread.copies[thread.copies_arrived];
    // Groups are numbered from 0; the open one, copy_group, has not been committed.
    if (copy.group + static_cast<uint32_t>(groups_left) >= thread.copy_group) break;
    thread.block->shared.arrive(thread, copy.offset, copy.data);
    ++thread.copies_arrived;
  }
  thread.copies.erase(thread.copies.begin(),
                      thread.copies.begin() + static_cast<std::ptrdiff_t>(thread.copies_arrived));
  thread.copies_arrived = 0;
}

void require_architecture(int least, const char* function) {
  const Thread& thread = *current;
  if (thread.block->shape->architecture < least)
    violation(thread, Fault::architecture,
              std::string("calls ") + function + ", which architecture " +
                  std::to_string(thread.block->shape->architecture) + " does not have");
}

const WarpFunction kSyncWarp = {"sync_warp", [](Warp& warp, void* const (&)[kLanes]) { order_warp(warp); }};
const WarpFunction kBallot = {"warp_ballot", [](Warp&, void* const (&arguments)[kLanes]) {
                                uint32_t bits = 0;
                                for (int lane = 0; lane < kLanes; ++lane)
                                  if (static_cast<const Ballot*>(arguments[lane])->predicate) bits |= 1u << lane;
                                for (void* own : arguments) static_cast<Ballot*>(own)->result = bits;
                              }};

}  // namespace rushes::cuda::emulator
