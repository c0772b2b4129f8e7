#include "ops/attention/attention.h"
#include "ops/convolution/convolution.h"
#include "ops/elementwise/elementwise.h"
#include "ops/linear/linear.h"
#include "ops/norm/norm.h"

namespace rushes {

std::vector<KernelCheck> kernel_checks(const CpuFeatures& features) {
  std::vector<KernelCheck> checks;
  append_linear_checks(features, checks);
  append_norm_checks(features, checks);
  append_attention_checks(features, checks);
  append_convolution_checks(features, checks);
  append_elementwise_checks(features, checks);
  return checks;
}

}  // namespace rushes
