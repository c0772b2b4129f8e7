// Which thread of a block runs when, on the stack of the scheduler and in the functions that wait. A warp runs until
// all its lanes wait for the block or are done; lanes take turns in order, so that a run of the same launch is the same
// run.
#include "cuda/emulator/block.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <memory>
#include <numeric>
#include <utility>

#include "cuda/emulator/memory_faults.h"
#include "cuda/emulator/wgmma.h"

namespace rushes::cuda::emulator {
namespace {

uint32_t stamp_of(const Thread& thread) {
  return (thread.block->epoch << record::kEpochShift) | (thread.warp->warp_epoch << record::kWarpEpochShift) |
         (static_cast<uint32_t>(thread.index) << record::kThreadShift);
}

// Goes from a thread that cannot go on to the next lane that can, else to the scheduler.
void leave(Thread& thread) {
  Warp& warp = *thread.warp;
  if (!warp.ready) {
    current = nullptr;
    switch_fiber(thread.fiber, thread.block->scheduler);
    return;
  }
  const int distance = std::countr_zero(std::rotr(warp.ready, thread.lane));
  Thread& next = warp.threads[(thread.lane + distance) % kLanes];
  current = &next;
  switch_fiber(thread.fiber, next.fiber);
}

void thread_entry() {
  arrive_on_fiber();
  Thread& self = *current;
  Block& block = *self.block;
  try {
    block.body(block.body_data);
  } catch (...) {
    block.error = std::current_exception();
  }
  if (block.error) {  // the other threads never run again
    current = nullptr;
    switch_fiber(self.fiber, block.scheduler);
  }
  const uint32_t bit = 1u << self.lane;
  self.warp->ready &= ~bit;
  self.warp->finished |= bit;
  leave(self);
}

// The block that runs in the i-th place.
int64_t block_number(const LaunchShape& shape, int64_t i, int64_t blocks) {
  if (shape.order == BlockOrder::reverse) return blocks - 1 - i;
  if (shape.order == BlockOrder::forward) return i;
  // i -> i * step + 7 modulo blocks meets every block once, since the step has no divisor in common with their number.
  int64_t step = std::max<int64_t>(blocks * 5 / 8, 1);
  while (std::gcd(step, blocks) != 1) ++step;
  return (i * step + 7) % blocks;
}

// Blocks of one thread of the computer, one after the other.
class BlockRunner {
 public:
  BlockRunner(const LaunchShape& shape, void (*body)(void*), void* data) {
    use_own_stack(block_.scheduler);
    block_.shape = &shape;
    block_.body = body;
    block_.body_data = data;
    block_.threads.resize(static_cast<size_t>(shape.threads));
    block_.warps.resize(static_cast<size_t>(shape.threads / kLanes));
    for (int i = 0; i < shape.threads; ++i) {
      Thread& thread = block_.threads[static_cast<size_t>(i)];
      thread.index = i;
      thread.lane = i % kLanes;
      thread.block = &block_;
      thread.warp = &block_.warps[static_cast<size_t>(i / kLanes)];
      stacks().assign(thread.fiber, static_cast<size_t>(i));
    }
    for (size_t i = 0; i < block_.warps.size(); ++i) {
      block_.warps[i].block = &block_;
      block_.warps[i].index = static_cast<int>(i);
      block_.warps[i].threads = &block_.threads[i * kLanes];
      block_.warps[i].products = std::make_shared<PendingProducts>();
    }
  }

  /// Runs the block of this number. Throws what one of its threads threw.
  void run(int64_t number) {
    const LaunchShape& shape = *block_.shape;
    block_.x = static_cast<int>(number % shape.grid_x);
    block_.y = static_cast<int>(number / shape.grid_x % shape.grid_y);
    block_.z = static_cast<int>(number / shape.grid_x / shape.grid_y);
    begin();
    for (;;) {
      for (Warp& warp : block_.warps) resume(warp);
      if (!release()) break;
    }
  }

 private:
  static FiberStacks& stacks() {
    static thread_local FiberStacks stacks;
    return stacks;
  }

  void begin() {
    block_.epoch = 1;
    block_.error = nullptr;
    block_.refusal = {};
    block_.shared.begin(block_.shape->shared_bytes, block_.threads.data(), block_.shape->architecture == 90);
    for (Warp& warp : block_.warps) {
      warp.ready = kAllLanes;
      warp.at_barrier = warp.finished = warp.at_function = warp.warp_epoch = 0;
      warp.products->clear();
    }
    for (Thread& thread : block_.threads) {
      thread.stamp = stamp_of(thread);
      thread.copies.clear();
      thread.copies_arrived = 0;
      thread.copy_group = 0;
      thread.fences = thread.fenced = 0;
      thread.line = 0;
      start_fiber(thread.fiber, thread_entry);
    }
  }

  void resume(Warp& warp) {
    if (!warp.ready) return;
    Thread& first = warp.threads[std::countr_zero(warp.ready)];
    current = &first;
    switch_fiber(block_.scheduler, first.fiber);
    if (block_.error) std::rethrow_exception(std::exchange(block_.error, nullptr));
    if (block_.refusal.signal) throw_refusal(*block_.refusal.thread, block_.refusal);
    if (warp.at_function) part_of_warp(warp);
  }

  [[noreturn]] void part_of_warp(const Warp& warp) const {
    const Thread& waiting = warp.threads[std::countr_zero(warp.at_function)];
    const Thread& missing = warp.threads[std::countr_zero(~warp.at_function)];
    const bool left = warp.finished >> missing.lane & 1;
    violation(waiting, Fault::divergence,
              std::string("calls ") + warp.function->name + ", which the whole warp must call, but thread " +
                  std::to_string(missing.index) + (left ? " has left the kernel" : " waits in sync_block"));
  }

  // After every warp has stopped: true when all waited at the barrier and go on, false when all have left.
  bool release() {
    bool waits = false, left = false;
    for (const Warp& warp : block_.warps) {
      waits |= warp.at_barrier != 0;
      left |= warp.finished != 0;
    }
    check_warp_groups();
    if (!waits) return false;
    if (left) some_left();
    check_sites();
    if (++block_.epoch > record::kLastEpoch) {
      block_.shared.forget_order();
      block_.epoch = 1;
    }
    for (Warp& warp : block_.warps) {
      warp.at_barrier = 0;
      warp.ready = kAllLanes;
      warp.warp_epoch = 0;
    }
    for (Thread& thread : block_.threads) {
      thread.stamp = stamp_of(thread);
      thread.fenced = thread.fences;
    }
    return true;
  }

  // Four warps that multiply together have made the same products up to here.
  void check_warp_groups() const {
    for (size_t i = 1; i < block_.warps.size(); ++i)
      if (i % 4 && block_.warps[i].products->history != block_.warps[i - 1].products->history)
        violation(block_.warps[i].threads[0], Fault::divergence,
                  "its warp has called wgmma otherwise than the warp before it, of the same four");
  }

  void check_sites() const {
    const Thread& first = block_.threads.front();
    for (const Thread& thread : block_.threads)
      if (thread.line != first.line || thread.file != first.file)
        violation(thread, Fault::barrier,
                  "waits in this sync_block, but thread 0 in that of line " + std::to_string(first.line));
  }

  [[noreturn]] void some_left() const {
    const Thread *waiting = nullptr, *left = nullptr;
    for (const Warp& warp : block_.warps) {
      if (warp.at_barrier && !waiting) waiting = &warp.threads[std::countr_zero(warp.at_barrier)];
      if (warp.finished && !left) left = &warp.threads[std::countr_zero(warp.finished)];
    }
    violation(*waiting, Fault::barrier,
              "waits in sync_block, but thread " + std::to_string(left->index) + " has left the kernel");
  }

  Block block_;
};

}  // namespace

void violation(const Thread& thread, Fault fault, const std::string& what) {
  const Block& block = *thread.block;
  std::string text = std::string("Kernel ") + block.shape->name + ", block (" + std::to_string(block.x) + ", " +
                     std::to_string(block.y) + ", " + std::to_string(block.z) + "), thread " +
                     std::to_string(thread.index);
  if (thread.line) {
    const std::string file = thread.file;
    text += ", after " + file.substr(file.rfind('/') + 1) + ":" + std::to_string(thread.line);
  }
  throw Violation(fault, text + ": " + what + ".");
}

void warp_together(const WarpFunction& function, void* arguments) {
  Thread& self = *current;
  Warp& warp = *self.warp;
  if (!warp.at_function)
    warp.function = &function;
  else if (warp.function != &function)
    violation(self, Fault::divergence,
              std::string("calls ") + function.name + ", but thread " +
                  std::to_string(warp.threads[std::countr_zero(warp.at_function)].index) + " of the warp calls " +
                  warp.function->name);
  warp.arguments[self.lane] = arguments;
  const uint32_t bit = 1u << self.lane;
  warp.at_function |= bit;
  if (warp.at_function == kAllLanes) {
    warp.at_function = 0;
    warp.ready = kAllLanes;
    return function.action(warp, warp.arguments);
  }
  warp.ready &= ~bit;
  leave(self);
}

void block_together() {
  Thread& self = *current;
  const uint32_t bit = 1u << self.lane;
  self.warp->ready &= ~bit;
  self.warp->at_barrier |= bit;
  leave(self);
}

void order_warp(Warp& warp) {
  for (int lane = 1; lane < kLanes; ++lane)
    if (warp.threads[lane].line != warp.threads[0].line)
      violation(
          warp.threads[lane], Fault::divergence,
          "waits in this sync_warp, but lane 0 of its warp in that of line " + std::to_string(warp.threads[0].line));
  if (++warp.warp_epoch > record::kLastWarpEpoch) {
    warp.block->shared.forget_order(warp.threads[0]);
    warp.warp_epoch = 0;
  }
  for (int lane = 0; lane < kLanes; ++lane) warp.threads[lane].stamp = stamp_of(warp.threads[lane]);
}

void run_grid(const LaunchShape& shape, void (*body)(void*), void* data) {
  const int64_t blocks = int64_t{shape.grid_x} * shape.grid_y * shape.grid_z;
  std::atomic<bool> failed = false;
  std::exception_ptr error;
  int64_t error_block = blocks;
  const FaultHandlers handlers;
#pragma omp parallel num_threads(static_cast <int>(std::min <int64_t>(omp_get_max_threads(), blocks)))
  {
    const SignalStack signal_stack;
    std::unique_ptr<BlockRunner> runner;
    try {
      runner = std::make_unique<BlockRunner>(shape, body, data);
    } catch (...) {
#pragma omp critical(rushes_emulator_error)
      error = std::current_exception();
      failed = true;
    }
#pragma omp for schedule(dynamic)
    for (int64_t i = 0; i < blocks; ++i) {
      if (failed.load(std::memory_order_relaxed)) continue;
      try {
        runner->run(block_number(shape, i, blocks));
      } catch (...) {
#pragma omp critical(rushes_emulator_error)
        if (i < error_block) {
          error = std::current_exception();
          error_block = i;
        }
        failed = true;
      }
    }
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace rushes::cuda::emulator
