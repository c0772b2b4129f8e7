// Kinds noise and time_steps. They know no backend: one implementation serves all.
#include <cmath>

#include "golden/golden_case.h"
#include "runtime/random.h"
#include "samplers/noise.h"
#include "samplers/rcm.h"

namespace rushes::golden {

void run_noise(const Case& golden, Report& report) {
  const Setup setup{Backend::cpu, DType::f32};
  for (int draw = 0; draw < golden.info().at("draws"); ++draw) {
    const Tensor expected = golden.tensor("draw" + std::to_string(draw));
    Tensor out = setup.context().allocate(DType::f32, expected.shape());
    philox_normal(golden.info().at("seed"), static_cast<uint32_t>(draw),
                  {out.data<float>(), static_cast<size_t>(out.count())});
    report.check(golden.name(), setup, "draw " + std::to_string(draw), check::relative_error(out, expected),
                 golden.tolerance());
  }
}

void run_time_steps(const Case& golden, Report& report) {
  double worst = 0;
  for (const auto& row : golden.info().at("rows")) {
    const std::vector<double> times = rcm_times(row.at(1), row.at(0));
    if (times.size() + 2 != row.size()) worst = INFINITY;
    for (size_t i = 0; i < times.size() && i + 2 < row.size(); ++i)
      worst = std::max(worst, std::abs(times[i] - row.at(i + 2).get<double>()));
  }
  report.check(golden.name(), {Backend::cpu, DType::f32}, "largest difference", worst, golden.tolerance());
}

}  // namespace rushes::golden
