// Layer norm, RMS norm, and RMS norm with rotary position embedding.
#pragma once
#include "runtime/context.h"
#include "runtime/kernel.h"

namespace rushes {

/// out = (x - mean) / sqrt(var + eps) * scale + shift over the last axis, in f32.
/// x [L, d] f32; scale, shift f32 [d]; out [L, d] f32 or bf16. Modulation is scale = 1 + c, shift = s.
void layer_norm(const Context& context, const Tensor& x, const Tensor& scale, const Tensor& shift, float eps,
                Tensor& out);

/// Where an rms norm to bf16 rounds: at its end, as TurboDiffusion's, or before the weight and after it (and so before
/// a rotation), as the original (Wan-Video/Wan2.1:wan/modules/model.py). An f32 output is rounded nowhere.
enum class NormRounding { once, each };

/// out = x / sqrt(mean(x^2) + eps) * weight over the last axis, in f32. x [L, d] f32 or bf16; weight f32 [d];
/// out [L, d] f32 or bf16; out may be x.
void rms_norm(const Context& context, const Tensor& x, const Tensor& weight, float eps, Tensor& out,
              NormRounding rounding = NormRounding::once);

/// Angles of Wan's 3-D rotary embedding for a token grid: cosines and sines f32 [frames*height*width, head_size/2]
/// each. Pair i of a head: the first head_size/2 - 2*(head_size/6) pairs turn with the frame, the next head_size/6 with
/// the row, the rest with the column; theta 10000, exponent 2i/axis_channels (Wan-Video/Wan2.1:wan/modules/model.py).
struct RotaryTable {
  Tensor cosine, sine;
};
RotaryTable make_rotary_table(const Context& context, int64_t frames, int64_t height, int64_t width, int64_t head_size);

/// rms_norm over all d channels, then every interleaved pair (x[2i], x[2i+1]) of each head is rotated by the table's
/// angle of its row. x [L, heads * head_size]; out may be x.
void rms_norm_rotary(const Context& context, const Tensor& x, const Tensor& weight, float eps, int64_t heads,
                     const RotaryTable& table, Tensor& out, NormRounding rounding = NormRounding::once);

void append_norm_checks(const CpuFeatures& features, std::vector<KernelCheck>& checks);

}  // namespace rushes
