// Finished frames on their way out of the engine: looked at and encoded by a thread of their own, while the next ones
// are decoded. Does not live here: what is done with a frame.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

namespace rushes {

/// Frames in the order they are pushed, one at a time. At most two wait, so that memory does not grow with the clip.
class FrameLine {
 public:
  /// RGB [height, width, 3], called on the line's thread.
  using Work = std::function<void(int64_t frame, std::span<const uint8_t> rgb)>;
  explicit FrameLine(Work work);
  /// Drops the frames that wait; the one at work is finished.
  ~FrameLine();
  FrameLine(const FrameLine&) = delete;
  FrameLine& operator=(const FrameLine&) = delete;
  /// Takes a copy; waits while two frames wait. Rethrows what the work threw at an earlier frame: it sees no other
  /// then.
  void push(int64_t frame, std::span<const uint8_t> rgb);
  /// Returns when every frame has been worked on; rethrows likewise.
  void finish();

 private:
  struct Frame {
    int64_t number;
    std::vector<uint8_t> rgb;
  };

  void work_on_frames();

  const Work work_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Frame> waiting_;
  std::vector<uint8_t> spare_;  // of a frame that is done
  std::exception_ptr failure_;
  bool working_ = false, closed_ = false;
  std::thread thread_;
};

}  // namespace rushes
