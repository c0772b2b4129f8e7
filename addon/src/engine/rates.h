// How fast this machine works, for a plan's seconds.
#pragma once
#include "runtime/context.h"

namespace rushes {

/// Seconds that `work` takes here: products at a typical share of the measured peak of their type, passes at memory
/// speed. The ceilings are measured once per process (a tenth of a second). An estimate: the record of earlier jobs
/// knows better.
double predicted_seconds(const WorkCount& work, const Context& context);

}  // namespace rushes
