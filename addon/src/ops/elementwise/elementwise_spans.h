// The stretches an elementwise kernel works on, and the kernels by instruction set. Plain data only: files compiled for
// special instructions include it.
#pragma once
#include <cstdint>

namespace rushes {

class Device;

/// One call. `b` is the second operand of add and the `up` half of gated_gelu; f32 or bf16 bits as flagged.
struct ElementSpans {
  const void *a = nullptr, *b = nullptr;
  void* out = nullptr;
  bool in_bf16 = false, out_bf16 = false;
  Device* device = nullptr;  // of a cuda kernel, which is given all elements at once
};

/// Computes elements [begin, end).
using ElementFunction = void (*)(const ElementSpans& spans, int64_t begin, int64_t end);
/// True when elements [begin, end) of `a` are finite.
using FiniteFunction = bool (*)(const ElementSpans& spans, int64_t begin, int64_t end);

void convert_reference(const ElementSpans& spans, int64_t begin, int64_t end);
void add_reference(const ElementSpans& spans, int64_t begin, int64_t end);
void silu_reference(const ElementSpans& spans, int64_t begin, int64_t end);
void gated_gelu_reference(const ElementSpans& spans, int64_t begin, int64_t end);
bool all_finite_reference(const ElementSpans& spans, int64_t begin, int64_t end);

#if defined(__x86_64__)
void convert_avx2(const ElementSpans& spans, int64_t begin, int64_t end);
void add_avx2(const ElementSpans& spans, int64_t begin, int64_t end);
void silu_avx2(const ElementSpans& spans, int64_t begin, int64_t end);
void gated_gelu_avx2(const ElementSpans& spans, int64_t begin, int64_t end);
bool all_finite_avx2(const ElementSpans& spans, int64_t begin, int64_t end);

void convert_avx512(const ElementSpans& spans, int64_t begin, int64_t end);
void add_avx512(const ElementSpans& spans, int64_t begin, int64_t end);
void silu_avx512(const ElementSpans& spans, int64_t begin, int64_t end);
void gated_gelu_avx512(const ElementSpans& spans, int64_t begin, int64_t end);
bool all_finite_avx512(const ElementSpans& spans, int64_t begin, int64_t end);
#endif

}  // namespace rushes
