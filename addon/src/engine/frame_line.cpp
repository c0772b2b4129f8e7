#include "engine/frame_line.h"

#include <utility>

namespace rushes {

namespace {
constexpr size_t kWaiting = 2;
}

FrameLine::FrameLine(Work work) : work_(std::move(work)), thread_([this] { work_on_frames(); }) {}

FrameLine::~FrameLine() {
  {
    const std::lock_guard lock(mutex_);
    waiting_.clear();
    closed_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void FrameLine::push(int64_t frame, std::span<const uint8_t> rgb) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return failure_ || waiting_.size() < kWaiting; });
  if (failure_) std::rethrow_exception(failure_);
  std::vector<uint8_t> copy = std::exchange(spare_, {});
  lock.unlock();
  copy.assign(rgb.begin(), rgb.end());
  lock.lock();
  waiting_.push_back({frame, std::move(copy)});
  lock.unlock();
  changed_.notify_all();
}

void FrameLine::finish() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return failure_ || (waiting_.empty() && !working_); });
  if (failure_) std::rethrow_exception(failure_);
}

void FrameLine::work_on_frames() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return closed_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    Frame frame = std::move(waiting_.front());
    waiting_.pop_front();
    working_ = true;
    lock.unlock();
    changed_.notify_all();
    std::exception_ptr failure;
    try {
      work_(frame.number, frame.rgb);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    working_ = false;
    spare_ = std::move(frame.rgb);
    if (failure) {
      failure_ = failure;
      waiting_.clear();
    }
    changed_.notify_all();
    if (failure) return;
  }
}

}  // namespace rushes
