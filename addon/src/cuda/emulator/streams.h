// Streams of the pretended card: work is kept in the order of its stream, and is done when something waits for it. Who
// forgot to wait meets bytes that are not there yet, or an error that names the two operations.
#pragma once
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cuda/emulator/access_history.h"
#include "cuda/emulator/host_emulator.h"

namespace rushes::cuda::emulator {

struct Stream;

/// A point in a stream's work.
struct Record {
  std::shared_ptr<Stream> stream;
  uint64_t number = 0;
  Clock clock;  // what comes before it
  bool is_over = false;
  std::chrono::steady_clock::time_point time;  // when it was over
};

struct Task {
  std::function<Code()> run;        // may be empty
  std::shared_ptr<Record> awaited;  // of another stream, which must be over first
  std::shared_ptr<Record> record;   // over with this task
};

struct Stream {
  size_t index = 0;
  Clock clock;  // what comes before its next task
  uint64_t issued = 0, over = 0;
  std::deque<Task> tasks;
  bool is_destroyed = false;
};

/// All streams of the process. The first error of a task ends all work that is under way; a Violation is thrown by the
/// call that waits.
class Streams {
 public:
  static Streams& instance();

  StreamHandle create();
  /// Null where there is no such stream; the null handle is a stream of its own (the project's streams do not wait for
  /// it).
  std::shared_ptr<Stream> find(StreamHandle handle);
  void destroy(const std::shared_ptr<Stream>& stream);

  /// Work at the end of the stream. Throws Violation when work of another stream that nobody waited for conflicts.
  Code submit(const std::shared_ptr<Stream>& stream, const std::string& what, const std::vector<Access>& accesses,
              std::function<Code()> run);
  Code record(const std::shared_ptr<Stream>& stream, std::shared_ptr<Record>& record);
  Code wait(const std::shared_ptr<Stream>& stream, const std::shared_ptr<Record>& record);

  /// The host waits.
  Code finish(const std::shared_ptr<Stream>& stream);
  Code finish(const std::shared_ptr<Record>& record);
  Code finish_all();

  /// True when the host knows that no task that may touch these bytes in a conflicting way is left.
  bool is_quiet(const Access& access) const;
  /// Throws Violation when a task that the host has not waited for may touch the bytes; they are forgotten.
  void release(const std::byte* data, uint64_t bytes, const std::string& what);
  /// Drops all work, as a lost card does.
  void drop();
  void set_order(StreamOrder order, uint32_t seed);
  /// The order that RUSHES_EMULATOR_STREAMS names ("earliest", "others_first", "shuffled:SEED"), else the latest.
  void reset_order();
  /// How many were thrown, also where whoever waited took no notice.
  uint64_t violations() const;

 private:
  Streams();
  std::shared_ptr<Stream> add();
  void require_order(const Stream& stream, const std::string& what, const Access& access, const Clock& before) const;
  uint64_t push(Stream& stream, Task task);
  Code force(Stream& stream, uint64_t number);
  Code step(Stream& stream);
  bool can_step(const Stream& stream) const;
  Code work_of_others(const Stream& stream);
  Stream& chosen(Stream& stream);
  void end_all();
  void drop_ended();

  mutable std::recursive_mutex mutex_;
  std::vector<std::shared_ptr<Stream>> streams_;  // the first is that of the null handle
  std::vector<size_t> free_indices_;
  std::vector<uint64_t> issued_;  // by index, by streams that are gone as well
  Clock host_;
  AccessHistory history_;
  StreamOrder order_ = StreamOrder::latest;
  uint32_t random_ = 1;
  uint64_t violations_ = 0;
};

}  // namespace rushes::cuda::emulator
