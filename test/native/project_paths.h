// Where the native tests find what the project holds: the demo model and the golden cases.
#pragma once
#include <cstdlib>
#include <string>

namespace rushes::check {

/// The source tree the tests were built from, or RUSHES_ROOT.
inline std::string project_root() {
  const char* given = std::getenv("RUSHES_ROOT");
  return given ? given : RUSHES_PROJECT_ROOT;
}
inline std::string demo_folder() { return project_root() + "/models/demo"; }
inline std::string golden_folder() { return project_root() + "/test/golden"; }

}  // namespace rushes::check
