// Attention's block operations for AVX-512 in f32.
#if defined(__AVX512F__)
#include "ops/attention/block_math_avx512_lanes.h"

namespace rushes::attention {

const BlockMath kBlockMathAvx512 = make_block_math<FloatLanes16>();

}  // namespace rushes::attention
#endif
