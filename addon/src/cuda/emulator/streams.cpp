#include "cuda/emulator/streams.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <stdexcept>
#include <utility>

#include "cuda/emulator/block.h"
#include "cuda/emulator/device_memory.h"

namespace rushes::cuda::emulator {
namespace {

std::string in_stream(const std::string& what, size_t stream) {
  return what + " (stream " + std::to_string(stream) + ")";
}

[[noreturn]] void order_violation(std::string sentence) {
  sentence.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(sentence.front())));
  throw Violation(Fault::order, std::move(sentence));
}

// Work may touch the card's memory; once for many tasks, since it costs calls to the system.
class OpenMemory {
 public:
  OpenMemory() { DeviceMemory::instance().open(); }
  ~OpenMemory() { DeviceMemory::instance().close(); }
  OpenMemory(const OpenMemory&) = delete;
  OpenMemory& operator=(const OpenMemory&) = delete;
};

void end(Task& task) {
  if (!task.record) return;
  task.record->is_over = true;
  task.record->time = std::chrono::steady_clock::now();
}

// RUSHES_EMULATOR_STREAMS: "earliest", "latest", "others_first" or "shuffled:SEED".
std::pair<StreamOrder, uint32_t> order_of_environment() {
  const char* const given = std::getenv("RUSHES_EMULATOR_STREAMS");
  const std::string text = given ? given : "latest", name = text.substr(0, text.find(':'));
  const uint32_t seed = name == text ? 1 : static_cast<uint32_t>(std::stoul(text.substr(name.size() + 1)));
  if (name == "earliest") return {StreamOrder::earliest, seed};
  if (name == "others_first") return {StreamOrder::others_first, seed};
  if (name == "shuffled") return {StreamOrder::shuffled, seed};
  if (name != "latest") throw std::invalid_argument("RUSHES_EMULATOR_STREAMS does not know " + text);
  return {StreamOrder::latest, seed};
}

}  // namespace

Streams& Streams::instance() {
  static Streams& streams = *new Streams;  // like the memory, until the very end
  return streams;
}

Streams::Streams() {
  add();
  reset_order();
}

std::shared_ptr<Stream> Streams::add() {
  auto stream = std::make_shared<Stream>();
  stream->index = issued_.size();
  if (free_indices_.empty()) {
    issued_.push_back(0);
  } else {
    stream->index = free_indices_.back();
    free_indices_.pop_back();
  }
  stream->issued = stream->over = issued_[stream->index];
  streams_.push_back(stream);
  return stream;
}

StreamHandle Streams::create() {
  std::lock_guard lock(mutex_);
  drop_ended();
  return add().get();
}

std::shared_ptr<Stream> Streams::find(StreamHandle handle) {
  std::lock_guard lock(mutex_);
  if (!handle) return streams_.front();
  const auto found = std::find_if(streams_.begin(), streams_.end(), [&](const auto& s) { return s.get() == handle; });
  return found == streams_.end() || (*found)->is_destroyed ? nullptr : *found;
}

// What is under way goes on without it.
void Streams::destroy(const std::shared_ptr<Stream>& stream) {
  std::lock_guard lock(mutex_);
  stream->is_destroyed = true;
  drop_ended();
}

void Streams::drop_ended() {
  std::erase_if(streams_, [&](const std::shared_ptr<Stream>& stream) {
    if (!stream->is_destroyed || !stream->tasks.empty()) return false;
    free_indices_.push_back(stream->index);
    return true;
  });
}

uint64_t Streams::push(Stream& stream, Task task) {
  stream.tasks.push_back(std::move(task));
  return issued_[stream.index] = ++stream.issued;
}

void Streams::require_order(const Stream& stream, const std::string& what, const Access& access,
                            const Clock& before) const {
  if (const Operation* other = history_.conflict(access, before))
    order_violation(in_stream(what, stream.index) + " touches memory that " + in_stream(*other->what, other->stream) +
                    " uses, and neither waits for the other.");
}

Code Streams::submit(const std::shared_ptr<Stream>& stream, const std::string& what,
                     const std::vector<Access>& accesses, std::function<Code()> run) {
  std::lock_guard lock(mutex_);
  join(stream->clock, host_);
  Clock before = stream->clock;
  before.resize(std::max(before.size(), stream->index + 1));
  before[stream->index] = stream->issued;
  try {
    for (const Access& access : accesses) require_order(*stream, what, access, before);
  } catch (...) {
    ++violations_;
    end_all();
    throw;
  }
  const uint64_t number = push(*stream, {std::move(run), nullptr, nullptr});
  const Operation operation = {std::make_shared<const std::string>(what), stream->index, number};
  for (const Access& access : accesses) history_.add(access, operation, host_);
  return order_ == StreamOrder::earliest ? force(*stream, number) : 0;
}

Code Streams::record(const std::shared_ptr<Stream>& stream, std::shared_ptr<Record>& record) {
  std::lock_guard lock(mutex_);
  join(stream->clock, host_);
  record = std::make_shared<Record>();
  record->stream = stream;
  record->number = push(*stream, {{}, nullptr, record});
  record->clock = stream->clock;
  record->clock.resize(std::max(record->clock.size(), stream->index + 1));
  record->clock[stream->index] = record->number;
  return order_ == StreamOrder::earliest ? force(*stream, record->number) : 0;
}

Code Streams::wait(const std::shared_ptr<Stream>& stream, const std::shared_ptr<Record>& record) {
  std::lock_guard lock(mutex_);
  join(stream->clock, record->clock);
  const uint64_t number = push(*stream, {{}, record, nullptr});
  return order_ == StreamOrder::earliest ? force(*stream, number) : 0;
}

Code Streams::finish(const std::shared_ptr<Stream>& stream) {
  std::lock_guard lock(mutex_);
  const Code code = force(*stream, stream->issued);
  join(host_, stream->clock);
  host_.resize(std::max(host_.size(), issued_.size()));
  host_[stream->index] = stream->issued;
  return code;
}

Code Streams::finish(const std::shared_ptr<Record>& record) {
  std::lock_guard lock(mutex_);
  const Code code = force(*record->stream, record->number);
  join(host_, record->clock);
  return code;
}

Code Streams::finish_all() {
  std::lock_guard lock(mutex_);
  const auto all = streams_;
  for (const auto& stream : all)
    if (const Code code = finish(stream)) return code;
  return 0;
}

bool Streams::can_step(const Stream& stream) const {
  return !stream.tasks.empty() && (!stream.tasks.front().awaited || stream.tasks.front().awaited->is_over);
}

Code Streams::step(Stream& stream) {
  Task task = std::move(stream.tasks.front());
  stream.tasks.pop_front();
  ++stream.over;
  Code code = 0;
  try {
    if (task.run) code = task.run();
  } catch (...) {
    ++violations_;
    end(task);
    end_all();
    throw;
  }
  end(task);
  if (code) end_all();
  return code;
}

Code Streams::work_of_others(const Stream& stream) {
  for (bool goes_on = true; goes_on;) {
    goes_on = false;
    for (const auto& other : streams_)
      while (other.get() != &stream && can_step(*other)) {
        goes_on = true;
        if (const Code code = step(*other)) return code;
      }
  }
  return 0;
}

// One of the streams that can go on, by chance; there is one, since nothing waits for what was asked for after it.
Stream& Streams::chosen(Stream& stream) {
  std::vector<Stream*> able;
  for (const auto& one : streams_)
    if (can_step(*one)) able.push_back(one.get());
  if (able.empty()) return stream;
  random_ = random_ * 1664525u + 1013904223u;  // Numerical Recipes, section 7.1
  return *able[(random_ >> 16) % able.size()];
}

// Does the stream's work up to this number, and of others' what the order says.
Code Streams::force(Stream& stream, uint64_t number) {
  if (stream.over >= number) return 0;
  const OpenMemory open;
  while (stream.over < number) {
    Code code = 0;
    if (order_ == StreamOrder::others_first) code = work_of_others(stream);
    if (code || stream.over >= number) return code;
    Stream& next = order_ == StreamOrder::shuffled ? chosen(stream) : stream;
    if (can_step(next)) {
      code = step(next);
    } else {
      const std::shared_ptr<Record> awaited = next.tasks.front().awaited;
      code = force(*awaited->stream, awaited->number);
    }
    if (code) return code;
  }
  return 0;
}

bool Streams::is_quiet(const Access& access) const {
  std::lock_guard lock(mutex_);
  return !history_.conflict(access, host_);
}

void Streams::release(const std::byte* data, uint64_t bytes, const std::string& what) {
  std::lock_guard lock(mutex_);
  const Operation* const user = history_.conflict({data, bytes, AccessKind::write}, host_);
  const std::string name = user ? in_stream(*user->what, user->stream) : "";
  history_.forget(data, bytes);
  if (name.empty()) return;
  ++violations_;
  end_all();
  order_violation(what + " is given back while " + name + " may still use it: the host has not waited.");
}

void Streams::end_all() {
  for (const auto& stream : streams_) {
    for (Task& task : stream->tasks) end(task);
    stream->tasks.clear();
    stream->over = stream->issued;
  }
  history_.clear();
  host_ = issued_;
}

void Streams::drop() {
  std::lock_guard lock(mutex_);
  end_all();
}

void Streams::set_order(StreamOrder order, uint32_t seed) {
  std::lock_guard lock(mutex_);
  order_ = order;
  random_ = seed;
}

void Streams::reset_order() {
  const auto [order, seed] = order_of_environment();
  set_order(order, seed);
}

uint64_t Streams::violations() const {
  std::lock_guard lock(mutex_);
  return violations_;
}

}  // namespace rushes::cuda::emulator
