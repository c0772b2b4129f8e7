// Eight halves at a time.
#include <immintrin.h>

#include <cstring>

#include "runtime/half_floats.h"

namespace rushes {

void widen_f16_avx2(const std::byte* data, std::span<float> out) {
  constexpr size_t kLanes = 8, kBytes = 2;
  const size_t whole = out.size() / kLanes * kLanes;
  for (size_t i = 0; i < whole; i += kLanes) {
    const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(data + i * kBytes));
    _mm256_storeu_ps(out.data() + i, _mm256_cvtph_ps(halves));
  }
  if (whole == out.size()) return;
  alignas(16) std::byte halves[kLanes * kBytes] = {};
  alignas(32) float floats[kLanes];
  std::memcpy(halves, data + whole * kBytes, (out.size() - whole) * kBytes);
  _mm256_store_ps(floats, _mm256_cvtph_ps(_mm_load_si128(reinterpret_cast<const __m128i*>(halves))));
  std::memcpy(out.data() + whole, floats, (out.size() - whole) * sizeof(float));
}

}  // namespace rushes
