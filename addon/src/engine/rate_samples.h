// Small pieces of real work, one for each effort: what its cost is measured with.
#pragma once
#include <functional>

#include "runtime/work.h"

namespace rushes {

/// A sample on one thread; `count`, when given, gets the work. With a base, the difference of the two is what is
/// measured: the base holds everything but the effort in question. Efforts that come earlier may remain; their cost is
/// taken off.
struct RateSample {
  std::function<void(WorkCount*count)> run, base{};
};

/// Operands are made here, once, and live as long as the sample.
RateSample rate_sample(Effort effort);

}  // namespace rushes
