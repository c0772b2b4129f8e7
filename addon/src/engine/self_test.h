// The self-test behind doctor: every kernel this machine can run, compared with the reference.
#pragma once
#include <string>

namespace rushes {

/// The JSON of rushes_self_test. 0 threads: as many as the machine has cores.
std::string self_test_report(int threads);

}  // namespace rushes
