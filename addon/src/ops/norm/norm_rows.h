// The rows a norm kernel works on, and the kernels by instruction set. Plain data only: files compiled for special
// instructions include it.
#pragma once
#include <cstdint>

namespace rushes {

class Device;

/// One call of layer_norm, rms_norm or rms_norm_rotary. x and out [rows, width], f32 or bf16 bits as flagged.
struct NormRows {
  const void* x = nullptr;
  void* out = nullptr;  // may be x when the types agree
  bool x_bf16 = false, out_bf16 = false;
  const float* scale = nullptr;  // [width]
  const float* shift = nullptr;  // [width], layer_norm only
  float epsilon = 0;
  bool round_each = false;  // the rms norms: to bf16 before the weight and after it
  int64_t width = 0;
  const float *cosine = nullptr, *sine = nullptr;  // [rows, head_size / 2], rms_norm_rotary only
  int64_t head_size = 0;
  Device* device = nullptr;  // of a cuda kernel, which is given all rows at once
};

/// Computes rows [begin, end).
using NormFunction = void (*)(const NormRows& rows, int64_t begin, int64_t end);

void layer_norm_reference(const NormRows& rows, int64_t begin, int64_t end);
void rms_norm_reference(const NormRows& rows, int64_t begin, int64_t end);
void rms_norm_rotary_reference(const NormRows& rows, int64_t begin, int64_t end);

#if defined(__x86_64__)
void layer_norm_avx2(const NormRows& rows, int64_t begin, int64_t end);
void rms_norm_avx2(const NormRows& rows, int64_t begin, int64_t end);
void rms_norm_rotary_avx2(const NormRows& rows, int64_t begin, int64_t end);

void layer_norm_avx512(const NormRows& rows, int64_t begin, int64_t end);
void rms_norm_avx512(const NormRows& rows, int64_t begin, int64_t end);
void rms_norm_rotary_avx512(const NormRows& rows, int64_t begin, int64_t end);
#endif

}  // namespace rushes
