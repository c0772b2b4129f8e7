// The elementwise kernels over Lanes, written once: elementwise_avx2.cpp and elementwise_avx512.cpp include it after
// their Lanes. The last, partial register goes through a padded copy. Internal linkage throughout.
#pragma once
#include "ops/elementwise/elementwise_spans.h"

namespace {

using rushes::ElementSpans;

inline Lanes load(const void* data, bool bf16, int64_t i) {
  return bf16 ? Lanes::load_bf16(static_cast<const uint16_t*>(data) + i)
              : Lanes::load(static_cast<const float*>(data) + i);
}

inline void store(void* data, bool bf16, int64_t i, Lanes x) {
  if (bf16)
    x.store_bf16(static_cast<uint16_t*>(data) + i);
  else
    x.store(static_cast<float*>(data) + i);
}

// The elements [i, end), fewer than a register, then zeros.
inline Lanes load_tail(const void* data, bool bf16, int64_t i, int64_t end) {
  alignas(64) float padded[Lanes::kCount] = {};
  const int64_t size = bf16 ? 2 : 4;
  __builtin_memcpy(padded, static_cast<const char*>(data) + i * size, static_cast<size_t>((end - i) * size));
  return load(padded, bf16, 0);
}

inline void store_tail(void* data, bool bf16, int64_t i, int64_t end, Lanes x) {
  alignas(64) float padded[Lanes::kCount];
  store(padded, bf16, 0, x);
  const int64_t size = bf16 ? 2 : 4;
  __builtin_memcpy(static_cast<char*>(data) + i * size, padded, static_cast<size_t>((end - i) * size));
}

// e^x for x in -87..88, others clamped: 2^n times a polynomial in the rest, error below 2 units in the last place
// (the coefficients of Cephes' expf).
inline Lanes exponential(Lanes x) {
  x = clamped(x, Lanes::all(-87.0f), Lanes::all(88.0f));
  const Lanes n = (x * Lanes::all(1.44269504088896341f)).rounded();
  const Lanes r = fused(n, Lanes::all(2.12194440e-4f), fused(n, Lanes::all(-0.693359375f), x));
  Lanes p = Lanes::all(1.9875691500e-4f);
  p = fused(p, r, Lanes::all(1.3981999507e-3f));
  p = fused(p, r, Lanes::all(8.3334519073e-3f));
  p = fused(p, r, Lanes::all(4.1665795894e-2f));
  p = fused(p, r, Lanes::all(1.6666665459e-1f));
  p = fused(p, r, Lanes::all(5.0000001201e-1f));
  p = fused(p, r * r, r + Lanes::all(1.0f));
  return p * n.power_of_two();
}

inline Lanes silu_of(Lanes x) { return x / (Lanes::all(1.0f) + exponential(Lanes::all(0.0f) - x)); }

// 0.5 x (1 + tanh u) = x / (1 + e^(-2u)), u = sqrt(2/pi) (x + 0.044715 x^3)
inline Lanes gelu_of(Lanes x) {
  const Lanes inner = fused(x * x, Lanes::all(0.044715f), Lanes::all(1.0f)) * x;
  return x / (Lanes::all(1.0f) + exponential(inner * Lanes::all(-1.5957691216057308f)));
}

// out = operation(a, b) over [begin, end); `binary` says whether b is read.
template <bool binary, class Operation>
void for_elements(const ElementSpans& s, int64_t begin, int64_t end, Operation operation) {
  int64_t i = begin;
  for (; i + Lanes::kCount <= end; i += Lanes::kCount) {
    const Lanes a = load(s.a, s.in_bf16, i);
    store(s.out, s.out_bf16, i, operation(a, binary ? load(s.b, s.in_bf16, i) : a));
  }
  if (i == end) return;
  const Lanes a = load_tail(s.a, s.in_bf16, i, end);
  store_tail(s.out, s.out_bf16, i, end, operation(a, binary ? load_tail(s.b, s.in_bf16, i, end) : a));
}

bool finite_elements(const ElementSpans& s, int64_t begin, int64_t end) {
  int64_t i = begin;
  for (; i + Lanes::kCount <= end; i += Lanes::kCount)
    if (load(s.a, s.in_bf16, i).any_not_finite()) return false;
  return i == end || !load_tail(s.a, s.in_bf16, i, end).any_not_finite();
}

}  // namespace
