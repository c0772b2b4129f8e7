// What the files that answer host.h share: the pretended card, and what is wrong with it. Its mutex is never held while
// a stream works.
#pragma once
#include <mutex>

#include "cuda/emulator/host_emulator.h"

namespace rushes::cuda::emulator {

constexpr Code kInvalidValue = 1, kInvalidConfiguration = 9, kInvalidDevice = 101, kInvalidHandle = 400,
               kNotReady = 600;

struct State {
  std::mutex mutex;
  Card card;
  int current = 0;  // of the devices
  Faults faults;
  BlockOrder order = BlockOrder::forward;
  Code lost = 0, last = 0;
  uint64_t allocations = 0, launches = 0;
  uint64_t elsewhere = 0;  // bytes taken before the card was set
};
State& state();

int architecture_of(const Card& card, int ordinal);
/// Counts the event down; true when it is the one that fails.
bool comes_due(int& left);
/// Of a call that fails: the card is lost when the faults say so, and all work with it. Without the state's mutex.
Code fail(Code code);
/// What every call answers: 0 unless the card is lost.
Code lost();

}  // namespace rushes::cuda::emulator
