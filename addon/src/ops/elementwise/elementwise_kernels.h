// The tables of elementwise kernels: operations choose from them, checks and tests loop over them.
#pragma once
#include <vector>

#include "ops/elementwise/elementwise_spans.h"
#include "runtime/kernel.h"

namespace rushes {

const std::vector<Kernel<ElementFunction>>& convert_kernels();
const std::vector<Kernel<ElementFunction>>& add_kernels();
const std::vector<Kernel<ElementFunction>>& silu_kernels();
const std::vector<Kernel<ElementFunction>>& gated_gelu_kernels();
const std::vector<Kernel<FiniteFunction>>& all_finite_kernels();

}  // namespace rushes
