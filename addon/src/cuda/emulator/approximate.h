// What a GPU's arithmetic is allowed to be wrong by, made on purpose: a kernel whose result holds its tolerance here
// only because sums and functions are exact would not hold it on a card.
//   - Tensor cores cut products and sums off where the largest of them ends, and do not round: tensor_core_sum.h. Here
//     are the rounding of their results,
//   - and what sums of e4m3 products keep of theirs: 13 bits of the fraction.
//   - ex2.approx and div.approx are wrong by 2 units in the last place (CUDA C++ Programming Guide, exp2f and
//     __fdividef). Which way is decided by the argument's bits, so that errors neither cancel by design nor change
//     from one run
//     to the next.
#pragma once
#include <bit>
#include <cfenv>
#include <cmath>
#include <cstdint>

namespace rushes::cuda::emulator {

enum class Arithmetic {
  as_on_a_card,
  exact  // for results that hang on a comparison, and so on the last bit of something
};
/// Set between launches; as_on_a_card unless a test says otherwise.
inline Arithmetic arithmetic = Arithmetic::as_on_a_card;
inline bool is_exact() { return arithmetic == Arithmetic::exact; }

/// Rounds towards zero while it lives; for calls of functions that are not inlined, since the compiler knows no
/// rounding.
class TensorCoreRounding {
 public:
  TensorCoreRounding() {
    if (!is_exact()) std::fesetround(FE_TOWARDZERO);
  }
  ~TensorCoreRounding() { std::fesetround(FE_TONEAREST); }
  TensorCoreRounding(const TensorCoreRounding&) = delete;
  TensorCoreRounding& operator=(const TensorCoreRounding&) = delete;
};

/// A sum of e4m3 products as the card keeps it.
inline float cut_to_13_bits(float sum) {
  return std::isfinite(sum) && !is_exact() ? std::bit_cast<float>(std::bit_cast<uint32_t>(sum) & 0xfffffc00u) : sum;
}

/// True for half of all arguments.
inline bool errs_upwards(float argument) { return std::bit_cast<uint32_t>(argument) * 0x9e3779b9u >> 31; }

/// 2^x; subnormal arguments and results are zero, as ex2.approx.ftz makes them, and 2^0 is 1.
inline float exp2_approximate(float x) {
  const float exact = std::exp2(x);
  if (exact < 0x1p-126f) return 0.0f;
  if (is_exact() || !std::isfinite(exact) || std::fabs(x) < 0x1p-126f) return exact;
  constexpr int kUnits = 2;
  const int error = errs_upwards(x) ? kUnits : -kUnits;
  const float wrong = std::bit_cast<float>(std::bit_cast<uint32_t>(exact) + static_cast<uint32_t>(error));
  return std::isfinite(wrong) && wrong >= 0x1p-126f ? wrong : exact;
}

/// 1 / sqrt(x)
inline float inverse_root_approximate(float x) {
  const float exact = 1.0f / std::sqrt(x);
  return std::isfinite(exact) && !is_exact() ? exact * (errs_upwards(x) ? 1 + 0x1p-22f : 1 - 0x1p-22f) : exact;
}

/// a / b as a times an approximate 1 / b.
inline float divide_approximate(float a, float b) {
  if (std::fabs(b) > 0x1p126f) return a * 0.0f;
  const float exact = a / b;
  return std::isfinite(exact) && !is_exact() ? exact * (errs_upwards(b) ? 1 + 0x1p-22f : 1 - 0x1p-22f) : exact;
}

}  // namespace rushes::cuda::emulator
