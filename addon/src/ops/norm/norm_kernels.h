// The tables of norm kernels: operations choose from them, checks and tests loop over them.
#pragma once
#include <vector>

#include "ops/norm/norm_rows.h"
#include "runtime/kernel.h"

namespace rushes {

const std::vector<Kernel<NormFunction>>& layer_norm_kernels();
const std::vector<Kernel<NormFunction>>& rms_norm_kernels();
const std::vector<Kernel<NormFunction>>& rms_norm_rotary_kernels();

}  // namespace rushes
