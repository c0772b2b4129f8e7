#include "runtime/sleeping_team.h"

#include <cstdlib>

#include <unistd.h>

namespace rushes {

void prefer_sleeping_team(char** arguments) {
  if (std::getenv("OMP_WAIT_POLICY")) return;
  setenv("OMP_WAIT_POLICY", "passive", 0);
  execv("/proc/self/exe", arguments);  // returns only where /proc is missing: then the team spins
}

}  // namespace rushes
