// Rows of 16-bit IEEE floats (f16) widened to f32, with the same bits on every CPU: a signaling NaN becomes quiet.
#pragma once
#include <cstddef>
#include <span>

namespace rushes {

/// `data` holds out.size() halves and need not be aligned.
void widen_f16(const std::byte* data, std::span<float> out);
/// The same with the conversion instruction that every CPU with AVX2 has.
void widen_f16_avx2(const std::byte* data, std::span<float> out);

}  // namespace rushes
