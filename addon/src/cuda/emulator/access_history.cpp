#include "cuda/emulator/access_history.h"

#include <algorithm>

namespace rushes::cuda::emulator {

void join(Clock& clock, const Clock& other) {
  clock.resize(std::max(clock.size(), other.size()));
  for (size_t i = 0; i < other.size(); ++i) clock[i] = std::max(clock[i], other[i]);
}

bool includes(const Clock& clock, size_t stream, uint64_t number) {
  return stream < clock.size() && clock[stream] >= number;
}

bool conflicts(AccessKind a, AccessKind b) { return a == AccessKind::write || a != b; }

const Operation* AccessHistory::conflict(const Access& access, const Clock& before) const {
  auto interval = intervals_.upper_bound(access.begin);
  if (interval != intervals_.begin() && std::prev(interval)->second.end > access.begin) --interval;
  for (; interval != intervals_.end() && interval->first < access.begin + access.bytes; ++interval)
    for (const Use& use : interval->second.uses)
      if (conflicts(use.kind, access.kind) && !includes(before, use.operation.stream, use.operation.number))
        return &use.operation;
  return nullptr;
}

// The first interval that begins at the address or after it; one that goes across is cut in two.
AccessHistory::Intervals::iterator AccessHistory::split(const std::byte* at) {
  const auto after = intervals_.lower_bound(at);
  if (after == intervals_.begin()) return after;
  Interval& before = std::prev(after)->second;
  if (before.end <= at) return after;
  const auto back = intervals_.emplace_hint(after, at, before);
  before.end = at;
  return back;
}

void AccessHistory::add(const Access& access, const Operation& operation, const Clock& host) {
  if (!access.bytes) return;
  if (intervals_.size() > many_) prune(host);
  const Use added = {operation, access.kind};
  const std::byte* const end = access.begin + access.bytes;
  split(end);
  auto interval = split(access.begin);
  for (const std::byte* at = access.begin; at < end;) {
    if (interval == intervals_.end() || interval->first > at) {
      const std::byte* const gap_end = interval == intervals_.end() ? end : std::min(end, interval->first);
      interval = intervals_.emplace_hint(interval, at, Interval{gap_end, {}});
    }
    // All that conflicts comes before this operation, so who is ordered after it is ordered after them; of its own
    // stream an earlier use of the same kind as well.
    std::erase_if(interval->second.uses, [&](const Use& use) {
      return conflicts(use.kind, access.kind) ? access.kind == AccessKind::write
                                              : use.operation.stream == operation.stream && use.kind == access.kind;
    });
    interval->second.uses.push_back(added);
    at = interval->second.end;
    if (interval != intervals_.begin()) {
      const auto before = std::prev(interval);
      if (before->second.end == interval->first && before->second.uses == interval->second.uses) {
        before->second.end = interval->second.end;
        interval = intervals_.erase(interval);
        continue;
      }
    }
    ++interval;
  }
}

void AccessHistory::forget(const std::byte* begin, uint64_t bytes) {
  const auto last = split(begin + bytes);
  intervals_.erase(split(begin), last);
}

void AccessHistory::prune(const Clock& host) {
  for (auto interval = intervals_.begin(); interval != intervals_.end();) {
    std::erase_if(interval->second.uses,
                  [&](const Use& use) { return includes(host, use.operation.stream, use.operation.number); });
    interval = interval->second.uses.empty() ? intervals_.erase(interval) : std::next(interval);
  }
  many_ = std::max(kMany, 2 * intervals_.size());
}

}  // namespace rushes::cuda::emulator
