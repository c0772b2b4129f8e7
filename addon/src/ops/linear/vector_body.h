// Vectors of floats in any width, as GCC's vector extension, and the elementary functions of the epilogue. Included by
// files with an instruction set's suffix: everything is in an unnamed namespace so that no code compiled for one
// instruction set can be linked into another's path. Products and sums stay separate operations (no contraction), so
// every width computes the same bits.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#ifdef __AVX512BW__
#include <immintrin.h>
#endif

namespace rushes {
namespace {

#define RUSHES_INLINE inline __attribute__((always_inline))

// Spelled out, because GCC does not take a vector size that depends on a template parameter in every place.
template <int kLanes>
struct VectorTypes;
#define RUSHES_VECTOR_TYPES(lanes)                                 \
  template <>                                                      \
  struct VectorTypes<lanes> {                                      \
    typedef float Float __attribute__((vector_size(lanes * 4)));   \
    typedef int32_t Int __attribute__((vector_size(lanes * 4)));   \
    typedef uint16_t Half __attribute__((vector_size(lanes * 2))); \
    typedef int8_t Byte __attribute__((vector_size(lanes)));       \
  }
RUSHES_VECTOR_TYPES(8);
RUSHES_VECTOR_TYPES(16);
#undef RUSHES_VECTOR_TYPES

template <int kLanes>
struct Vector {
  using Float = typename VectorTypes<kLanes>::Float;
  using Int = typename VectorTypes<kLanes>::Int;
  using Half = typename VectorTypes<kLanes>::Half;
  using Byte = typename VectorTypes<kLanes>::Byte;

  static RUSHES_INLINE Float load(const float* from) {
    Float value;
    std::memcpy(&value, from, sizeof value);
    return value;
  }
  static RUSHES_INLINE void store(float* to, Float value) { std::memcpy(to, &value, sizeof value); }
  static RUSHES_INLINE Float all(float value) { return value - Float{}; }

  static RUSHES_INLINE Float from_bf16(const std::byte* from) {
    Half half;
    std::memcpy(&half, from, sizeof half);
    return reinterpret_cast<Float>(__builtin_convertvector(half, Int) << 16);
  }
  /// Round to nearest, ties to even; NaN stays NaN.
  static RUSHES_INLINE Int bf16_bits(Float value) {
    const Int word = reinterpret_cast<Int>(value);
    const Int rounded = ((word + 0x7fff + ((word >> 16) & 1)) >> 16) & 0xffff;
    return (word & 0x7fffffff) > 0x7f800000 ? ((word >> 16) & 0xffff) | 0x40 : rounded;
  }
  static RUSHES_INLINE void store_bf16(uint16_t* to, Float value) {
    const Half half = __builtin_convertvector(bf16_bits(value), Half);
    std::memcpy(to, &half, sizeof half);
  }
  /// The nearer bound where x is beyond one; NaN stays NaN.
  static RUSHES_INLINE Float clamped(Float x, float low, float high) {
    x = x < low ? all(low) : x;
    return x > high ? all(high) : x;
  }
  /// x as bytes: rounded to nearest, ties to even, and saturated; |x| < 2^22.
  static RUSHES_INLINE Byte rounded_bytes(Float x) {
    const Float round = all(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
    x = clamped((x + round) - round, -128.0f, 127.0f);
    return __builtin_convertvector(__builtin_convertvector(x, Int), Byte);
  }

  /// e^x for x clamped to [-87, 88]: 2^n times the Taylor polynomial of degree 6 on |r| <= ln2 / 2; relative error
  /// below 2.5e-7.
  static RUSHES_INLINE Float exponential(Float x) {
    x = clamped(x, -87.0f, 88.0f);
    const Float round = all(12582912.0f);  // as in rounded_bytes
    const Float n = (x * 1.44269504f + round) - round;
    const Float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;  // ln2 in two parts
    Float p = all(1.0f / 720);
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    return p * reinterpret_cast<Float>((__builtin_convertvector(n, Int) + 127) << 23);
  }
  /// x / (1 + e^-x)
  static RUSHES_INLINE Float silu(Float x) { return x / (exponential(-x) + 1.0f); }
  /// x/2 (1 + tanh(u)), u = sqrt(2/pi) (x + 0.044715 x^3), which is x / (1 + e^-2u): no cancellation for negative x.
  /// Error below 5e-7 max(1, |y|), and relative to y below 2e-5 down to |y| = 1e-30 (tested over [-20, 20]).
  static RUSHES_INLINE Float gelu_tanh(Float x) {
    const Float u = (x * x * 0.044715f + 1.0f) * x * 0.79788456f;
    return x / (exponential(u * -2.0f) + 1.0f);
  }
};

#ifdef __AVX512BW__
// The same bits in fewer instructions than GCC 12 makes of the above: it compares and blends where there are minima and
// maxima, and saturates by hand.
template <>
RUSHES_INLINE Vector<16>::Float Vector<16>::clamped(Float x, float low, float high) {
  // Of a NaN and a number both give their second operand.
  return _mm512_min_ps(_mm512_set1_ps(high), _mm512_max_ps(_mm512_set1_ps(low), x));
}
template <>
RUSHES_INLINE Vector<16>::Byte Vector<16>::rounded_bytes(Float x) {
  return reinterpret_cast<Byte>(_mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(x)));
}
template <>
RUSHES_INLINE Vector<16>::Int Vector<16>::bf16_bits(Float value) {
  const __m512i word = _mm512_castps_si512(value);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(word, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(word, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  const __mmask16 not_a_number = _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
  return reinterpret_cast<Int>(
      _mm512_srli_epi32(_mm512_mask_or_epi32(rounded, not_a_number, word, _mm512_set1_epi32(0x400000)), 16));
}
#endif

}  // namespace
}  // namespace rushes
