// OpenMP's idle threads spin by default, which starves everything else on a busy machine: two busy programs on two cores
// ran twenty times slower each (docs/SPEED.md). They should sleep.
#pragma once

namespace rushes {

/// Starts the program again with OMP_WAIT_POLICY=passive unless the policy is already chosen: OpenMP reads it once, before
/// main. Call first in main. Programs that only load the engine set the variable for the process they start instead.
void prefer_sleeping_team(char** arguments);

}  // namespace rushes
