// Collects every operation's self-test entries, and lets one kernel be made wrong on purpose: with the environment
// variable RUSHES_WRONG_KERNEL set to a kernel's name its outputs are spoiled before they are compared, so a test (or a
// person) can see that the self-test turns red.
#include <algorithm>
#include <cstdlib>

#include "ops/attention/attention.h"
#include "ops/convolution/convolution.h"
#include "ops/elementwise/elementwise.h"
#include "ops/frames/frames.h"
#include "ops/linear/linear.h"
#include "ops/noise/noise.h"
#include "ops/norm/norm.h"
#include "ops/patches/patches.h"
#include "ops/pixels/pixels.h"
#include "runtime/random.h"

namespace rushes {
namespace {

void spoil(KernelCheck& check) {
  check.relative_error = [measure = std::move(check.relative_error)](int threads) {
    check::spoil_output = true;
    const double error = measure(threads);
    // A check with a measure of its own never saw the switch: then the error itself is spoiled.
    return std::exchange(check::spoil_output, false) ? std::max(error, 1.0) : error;
  };
}

}  // namespace

std::vector<KernelCheck> kernel_checks(const CpuFeatures& features) {
  std::vector<KernelCheck> checks;
  append_linear_checks(features, checks);
  append_norm_checks(features, checks);
  append_attention_checks(features, checks);
  append_convolution_checks(features, checks);
  append_elementwise_checks(features, checks);
  append_noise_checks(features, checks);
  append_pixel_checks(features, checks);
  append_frames_checks(features, checks);
  append_patches_checks(features, checks);
  if (const char* wrong = std::getenv("RUSHES_WRONG_KERNEL"))
    for (KernelCheck& check : checks)
      if (check.info.name == wrong) spoil(check);
  return checks;
}

}  // namespace rushes
