// Who used which bytes last, and what comes before what: the emulator's proof that work of different streams, and the
// host, wait for each other. Every stream counts its operations; a Clock says how many of each stream's come before
// something (vector clocks: Mattern, Virtual Time and Global States of Distributed Systems, 1988).
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace rushes::cuda::emulator {

/// For every stream, by its index, the number of its latest operation that is over.
using Clock = std::vector<uint64_t>;
void join(Clock& clock, const Clock& other);
bool includes(const Clock& clock, size_t stream, uint64_t number);

/// What an operation does with bytes. A kernel's pointer that may be written through is a use: kernels in different
/// streams may share what none of them writes, so two uses are no conflict; all else but two reads is one.
enum class AccessKind { read, use, write };
bool conflicts(AccessKind a, AccessKind b);

struct Access {
  const std::byte* begin = nullptr;
  uint64_t bytes = 0;
  AccessKind kind = AccessKind::use;
};

/// An operation as messages name it.
struct Operation {
  std::shared_ptr<const std::string> what;  // "kernel linear", "a copy of 16 bytes to the card"
  size_t stream = 0;
  uint64_t number = 0;  // in its stream, from 1
};

class AccessHistory {
 public:
  /// An earlier operation that conflicts with this access and that `before` does not include; null where there is none.
  const Operation* conflict(const Access& access, const Clock& before) const;
  /// What the operation does, after it was found to conflict with nothing. What the host has waited for is forgotten on
  /// the way.
  void add(const Access& access, const Operation& operation, const Clock& host);
  void forget(const std::byte* begin, uint64_t bytes);
  void clear() { intervals_.clear(); }

 private:
  struct Use {
    Operation operation;
    AccessKind kind;
    bool operator==(const Use& other) const {
      return operation.stream == other.operation.stream && operation.number == other.operation.number &&
             kind == other.kind;
    }
  };
  struct Interval {
    const std::byte* end = nullptr;
    std::vector<Use> uses;
  };
  using Intervals = std::map<const std::byte*, Interval>;
  Intervals::iterator split(const std::byte* at);
  void prune(const Clock& host);

  static constexpr size_t kMany = 512;
  Intervals intervals_;
  size_t many_ = kMany;  // intervals, before all of them are looked through
};

}  // namespace rushes::cuda::emulator
