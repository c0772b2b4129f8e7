#include "engine/self_test.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "runtime/kernel.h"

namespace rushes {

std::string self_test_report(int threads) {
  if (threads <= 0) threads = CpuFeatures::host().cores;
  nlohmann::json checks = nlohmann::json::array();
  int passed = 0, failed = 0;
  for (const KernelCheck& check : kernel_checks(CpuFeatures::host())) {
    double error = INFINITY;
    std::string problem;
    try {
      error = check.relative_error(threads);
    } catch (const Error& caught) {
      problem = caught.sentence();
    }
    const bool good = error <= check.tolerance;  // false for NaN
    ++(good ? passed : failed);
    checks.push_back({{"operation", check.info.operation},
                      {"name", check.info.name},
                      {"isa", isa_name(check.info.isa)},
                      {"case", check.case_text},
                      {"error", std::isfinite(error) ? nlohmann::json(error) : nlohmann::json()},
                      {"tolerance", check.tolerance},
                      {"passed", good},
                      {"problem", problem}});
  }
  return nlohmann::json{{"checks", checks}, {"passed", passed}, {"failed", failed}}.dump();
}

}  // namespace rushes
