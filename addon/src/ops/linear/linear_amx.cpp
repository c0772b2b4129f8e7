// The int8 and bf16 panel kernels for AMX.
#include "ops/linear/amx_body.h"
#include "ops/linear/panel_kernels.h"
#include "runtime/amx_tiles.h"

namespace rushes {

const PanelKernel kInt8Amx = int8_amx_kernel<HardwareTiles>();
const PanelKernel kBf16Amx = bf16_amx_kernel<HardwareTiles>();

}  // namespace rushes
