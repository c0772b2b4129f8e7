// Philox and Box-Muller from additions, multiplications, divisions and square roots alone. IEEE 754 defines every bit
// of those, while the last bit of a library's logarithm, sine and cosine differs between C libraries and GPUs: about
// one value in 10^8 would then round to another float. So each backend computes exactly these steps, in this order,
// without contracting a product and a sum into one rounding. Plain templates over the arithmetic: compiled for the CPU
// and by nvcc.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>

// nvcc lets a constexpr function run on the card, but not call the card's own arithmetic unless it is marked.
#ifdef __CUDACC__
#define RUSHES_NOISE __device__ constexpr
#else
#define RUSHES_NOISE constexpr
#endif

namespace rushes::noise_bits {

/// The CPU's arithmetic. Compiled with -ffp-contract=off: each operation rounds by itself.
struct ProcessorArithmetic {
  static double add(double a, double b) { return a + b; }
  static double multiply(double a, double b) { return a * b; }
  static double divide(double a, double b) { return a / b; }
  static double square_root(double value) { return std::sqrt(value); }
};

struct Words {
  uint32_t word[4];
};
struct Normals {
  float value[4];
};

/// Ten rounds of Philox 4x32.
RUSHES_NOISE Words philox(Words counter, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53} * counter.word[0], product1 = uint64_t{0xCD9E8D57} * counter.word[2];
    counter = {{static_cast<uint32_t>(product1 >> 32) ^ counter.word[1] ^ key0, static_cast<uint32_t>(product1),
                static_cast<uint32_t>(product0 >> 32) ^ counter.word[3] ^ key1, static_cast<uint32_t>(product0)}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

/// c0 + z (c1 + z (c2 + ...)), from the last coefficient on.
template <class Arithmetic, int kCount>
RUSHES_NOISE double polynomial(double z, const double (&coefficients)[kCount]) {
  double sum = coefficients[kCount - 1];
  for (int i = kCount - 2; i >= 0; --i) sum = Arithmetic::add(Arithmetic::multiply(sum, z), coefficients[i]);
  return sum;
}

/// ln((word + 1) / 2^32), at most 0 and finite; within two units in the last place. With (word + 1) / 2^32 = 2^e m,
/// 1/sqrt 2 <= m < sqrt 2: e ln 2 + 2 artanh((m - 1) / (m + 1)), the series in (m - 1)^2 / (m + 1)^2 <= 0.0295.
template <class Arithmetic>
RUSHES_NOISE double log_of_unit(uint32_t word) {
  constexpr double kSeries[] = {2.0 / 3,  2.0 / 5,  2.0 / 7,  2.0 / 9,  2.0 / 11,
                                2.0 / 13, 2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21};
  // ln 2 in two parts; the first has 33 bits, so that its products with e are exact.
  constexpr double kLog2High = 0x1.62e42fefp-1, kLog2Low = 0x1.473de6af278edp-34;
  constexpr uint64_t kSqrt2Mantissa = 0x6a09e667f3bcdu;
  const uint64_t bits = std::bit_cast<uint64_t>(static_cast<double>(uint64_t{word} + 1));
  const uint64_t mantissa = bits & 0xfffffffffffffu;
  const bool halved = mantissa > kSqrt2Mantissa;
  const double exponent = static_cast<double>(static_cast<int>(bits >> 52) - 1023 - 32 + halved);
  const double m = std::bit_cast<double>(mantissa | (halved ? uint64_t{1022} : uint64_t{1023}) << 52);
  const double s = Arithmetic::divide(Arithmetic::add(m, -1.0), Arithmetic::add(m, 1.0));
  const double z = Arithmetic::multiply(s, s);
  const double rest = Arithmetic::multiply(Arithmetic::multiply(s, z), polynomial<Arithmetic>(z, kSeries));
  const double small = Arithmetic::add(Arithmetic::multiply(exponent, kLog2Low), rest);
  return Arithmetic::add(Arithmetic::multiply(exponent, kLog2High), Arithmetic::add(Arithmetic::add(s, s), small));
}

struct Turn {
  double cosine, sine;
};

/// Cosine and sine of 2 pi word / 2^32. The nearest quarter turn is taken off in whole numbers, Taylor's series do the
/// rest, at most pi / 4 away: the first terms left out are below 2^-56 of the sums.
template <class Arithmetic>
RUSHES_NOISE Turn cosine_and_sine(uint32_t word) {
  constexpr double kSine[] = {-1.0 / 6,        1.0 / 120,        -1.0 / 5040,          1.0 / 362880,
                              -1.0 / 39916800, 1.0 / 6227020800, -1.0 / 1307674368000, 1.0 / 355687428096000};
  constexpr double kCosine[] = {-1.0 / 2,
                                1.0 / 24,
                                -1.0 / 720,
                                1.0 / 40320,
                                -1.0 / 3628800,
                                1.0 / 479001600.0,
                                -1.0 / 87178291200,
                                1.0 / 20922789888000,
                                -1.0 / 6402373705728000};
  constexpr double kRadians = 0x1.921fb54442d18p-30;  // 2 pi / 2^32
  const uint32_t quarter = (word + 0x20000000u) >> 30;
  const auto rest = static_cast<int32_t>(word - (quarter << 30));
  const double x = Arithmetic::multiply(static_cast<double>(rest), kRadians), z = Arithmetic::multiply(x, x);
  const double sine =
      Arithmetic::add(x, Arithmetic::multiply(Arithmetic::multiply(x, z), polynomial<Arithmetic>(z, kSine)));
  const double cosine = Arithmetic::add(1.0, Arithmetic::multiply(z, polynomial<Arithmetic>(z, kCosine)));
  switch (quarter & 3) {
    case 0:
      return {cosine, sine};
    case 1:
      return {-sine, cosine};
    case 2:
      return {-cosine, -sine};
    default:
      return {sine, -cosine};
  }
}

/// The four values of one counter.
template <class Arithmetic>
RUSHES_NOISE Normals normals(uint64_t group, uint32_t draw, uint64_t seed) {
  const Words words = philox({{static_cast<uint32_t>(group), static_cast<uint32_t>(group >> 32), draw, 0}},
                             static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32));
  Normals out{};
  for (int pair = 0; pair < 4; pair += 2) {
    const double radius =
        Arithmetic::square_root(Arithmetic::multiply(-2.0, log_of_unit<Arithmetic>(words.word[pair])));
    const Turn turn = cosine_and_sine<Arithmetic>(words.word[pair + 1]);
    out.value[pair] = static_cast<float>(Arithmetic::multiply(radius, turn.cosine));
    out.value[pair + 1] = static_cast<float>(Arithmetic::multiply(radius, turn.sine));
  }
  return out;
}

}  // namespace rushes::noise_bits
