// One thread that runs everything long, in order: the OpenMP team belongs to it.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace rushes::binding {

class EngineThread {
 public:
  EngineThread() : thread_([this](std::stop_token stop) { run(stop); }) {}
  ~EngineThread() {
    thread_.request_stop();
    changed_.notify_all();
  }
  void post(std::function<void()> work) {
    {
      std::lock_guard lock(mutex_);
      queue_.push_back(std::move(work));
    }
    changed_.notify_one();
  }

 private:
  void run(std::stop_token stop) {
    while (!stop.stop_requested()) {
      std::function<void()> work;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return stop.stop_requested() || !queue_.empty(); });
        if (stop.stop_requested()) return;
        work = std::move(queue_.front());
        queue_.pop_front();
      }
      work();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  std::jthread thread_;  // last member: starts after, and ends before, the queue
};

}  // namespace rushes::binding
