// Every micro-kernel, one per file with its instruction set's suffix. linear.cpp lists them in the kernel tables.
#pragma once
#include "ops/linear/panel_kernel.h"

namespace rushes {

extern const PanelKernel kInt8Portable, kInt8Avx2, kInt8AvxVnni, kInt8Avx512Vnni, kInt8Amx;
extern const PanelKernel kF32Portable, kF32Avx2, kF32Avx512;
// bf16 weights, widened a block at a time and multiplied in f32.
extern const PanelKernel kBf16WidenedPortable, kBf16WidenedAvx2, kBf16WidenedAvx512;
// bf16 products.
extern const PanelKernel kBf16Avx512Bf16, kBf16Amx;

}  // namespace rushes
