// The elementwise operations as plain loops in float64: what every other kernel is compared with.
#include <cmath>

#include "ops/elementwise/elementwise_spans.h"
#include "runtime/dtype.h"

namespace rushes {
namespace {

float element(const void* data, bool is_bf16, int64_t i) {
  return is_bf16 ? float(static_cast<const bf16*>(data)[i]) : static_cast<const float*>(data)[i];
}

void put(const ElementSpans& spans, int64_t i, double value) {
  if (spans.out_bf16)
    static_cast<bf16*>(spans.out)[i] = bf16(static_cast<float>(value));
  else
    static_cast<float*>(spans.out)[i] = static_cast<float>(value);
}

// Hendrycks and Gimpel 2016, the tanh form.
double gelu_tanh(double x) { return 0.5 * x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))); }

}  // namespace

void convert_reference(const ElementSpans& spans, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) put(spans, i, element(spans.a, spans.in_bf16, i));
}

void add_reference(const ElementSpans& spans, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i)
    put(spans, i, static_cast<double>(element(spans.a, spans.in_bf16, i)) + element(spans.b, spans.in_bf16, i));
}

void silu_reference(const ElementSpans& spans, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    const double x = element(spans.a, spans.in_bf16, i);
    put(spans, i, x / (1 + std::exp(-x)));
  }
}

void gated_gelu_reference(const ElementSpans& spans, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i)
    put(spans, i, gelu_tanh(element(spans.a, spans.in_bf16, i)) * element(spans.b, spans.in_bf16, i));
}

bool all_finite_reference(const ElementSpans& spans, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i)
    if (!std::isfinite(element(spans.a, spans.in_bf16, i))) return false;
  return true;
}

}  // namespace rushes
