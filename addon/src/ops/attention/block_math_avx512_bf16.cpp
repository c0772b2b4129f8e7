// Attention's block operations with bf16 products (AVX-512 BF16) and f32 sums.
#if defined(__AVX512BF16__)
#include "ops/attention/block_math_avx512_bf16_lanes.h"

namespace rushes::attention {

const BlockMath kBlockMathAvx512Bf16 = make_block_math<Bf16Lanes>();

}  // namespace rushes::attention
#endif
