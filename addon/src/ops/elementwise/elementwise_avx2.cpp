// The elementwise operations on AVX2 registers.
#if defined(__x86_64__)
#include "ops/simd/lanes_avx2.h"
// The kernels are written over these lanes.
#include "ops/elementwise/elementwise_lanes.h"

namespace rushes {

void convert_avx2(const ElementSpans& spans, int64_t begin, int64_t end) {
  for_elements<false>(spans, begin, end, [](Lanes a, Lanes) { return a; });
}
void add_avx2(const ElementSpans& spans, int64_t begin, int64_t end) {
  for_elements<true>(spans, begin, end, [](Lanes a, Lanes b) { return a + b; });
}
void silu_avx2(const ElementSpans& spans, int64_t begin, int64_t end) {
  for_elements<false>(spans, begin, end, [](Lanes a, Lanes) { return silu_of(a); });
}
void gated_gelu_avx2(const ElementSpans& spans, int64_t begin, int64_t end) {
  for_elements<true>(spans, begin, end, [](Lanes gate, Lanes up) { return gelu_of(gate) * up; });
}
bool all_finite_avx2(const ElementSpans& spans, int64_t begin, int64_t end) {
  return finite_elements(spans, begin, end);
}

}  // namespace rushes
#endif
