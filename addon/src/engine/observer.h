// Who watches a job: progress, log lines, previews, frames and packets leave the engine here.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "rushes/engine.h"

namespace rushes {

enum class LogLevel { debug, info, warning };

/// What the caller may order while a job runs: written by any thread, read by the job's.
class Orders {
 public:
  void cancel() { cancelled_ = interrupted_ = true; }
  /// Sampling ends with the latest estimate.
  void keep() { kept_ = interrupted_ = true; }
  const std::atomic<bool>& cancelled() const { return cancelled_; }
  const std::atomic<bool>& kept() const { return kept_; }
  /// Either of them.
  const std::atomic<bool>& interrupted() const { return interrupted_; }

 private:
  std::atomic<bool> cancelled_ = false, kept_ = false, interrupted_ = false;
};

/// A picture of the clip's estimate after a step; `approximate` when it was not decoded.
struct Preview {
  int step = 0, width = 0, height = 0;
  bool approximate = false;
  std::span<const uint8_t> rgb;
};

/// All may be empty. They are called from the thread that runs the job; `frame` and `packet` from a second one.
struct Observer {
  std::function<void(const std::string& plan)> planned;
  std::function<void(rushes_stage, double fraction, int step, int steps)> progress;
  std::function<void(LogLevel, const std::string&)> log;
  std::function<void(const Preview&)> preview;
  std::function<void(rushes_stage, double seconds, uint64_t peak_bytes, bool finished)> stage_ended;
  std::function<void(std::span<const uint8_t> data, bool key_frame, int64_t frame)> packet;
  std::function<void(int64_t frame, std::span<const uint8_t> rgb, int width, int height)> frame;
  const Orders* orders = nullptr;

  void report(rushes_stage stage, double fraction, int step = 0, int steps = 0) const {
    if (progress) progress(stage, fraction, step, steps);
  }
  void line(LogLevel level, const std::string& text) const {
    if (log) log(level, text);
  }
};

}  // namespace rushes
