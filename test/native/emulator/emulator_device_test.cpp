// What the functions of device.h compute on the emulator, against definitions written down another way.
#include <doctest/doctest.h>
#include <omp.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "cuda/emulator/number_formats.h"
#include "cuda/launch.h"
#include "emulator/device_array.h"

namespace rushes::cuda {
namespace {

// A matrix [rows][depth] of small integers, so that every sum is exact whatever its order.
std::vector<int> integers(int rows, int depth, unsigned seed) {
  std::mt19937 engine(seed);
  std::vector<int> out(static_cast<size_t>(rows * depth));
  for (int& value : out) value = static_cast<int>(engine() % 15) - 7;
  return out;
}

// out[row][column] = sum over k of a[row][k] * b[column][k], 16 x 8.
std::vector<int> product(const std::vector<int>& a, const std::vector<int>& b, int rows, int columns, int depth) {
  std::vector<int> out(static_cast<size_t>(rows * columns), 0);
  for (int row = 0; row < rows; ++row)
    for (int column = 0; column < columns; ++column)
      for (int k = 0; k < depth; ++k)
        out[static_cast<size_t>(row * columns + column)] +=
            a[static_cast<size_t>(row * depth + k)] * b[static_cast<size_t>(column * depth + k)];
  return out;
}

enum class Format { bf16, f16, e4m3, int8 };
int bits_of(Format format) { return format == Format::bf16 || format == Format::f16 ? 16 : 8; }

std::vector<uint8_t> encode(const std::vector<int>& values, Format format) {
  std::vector<uint8_t> out;
  for (const int value : values) {
    const auto number = static_cast<float>(value);
    const uint32_t bits = format == Format::bf16   ? emulator::bf16_bits(number)
                          : format == Format::f16  ? emulator::f16_bits(number)
                          : format == Format::e4m3 ? emulator::e4m3_bits(number)
                                                   : static_cast<uint32_t>(value & 255);
    out.push_back(static_cast<uint8_t>(bits));
    if (bits_of(format) == 16) out.push_back(static_cast<uint8_t>(bits >> 8));
  }
  return out;
}

// a [16][32 bytes] and b [8][32 bytes] from global memory, fragments by load_matrix, d twice the product plus 3.
RUSHES_KERNEL(32, 1) multiply_tile(const uint8_t* a, const uint8_t* b, float* out, int format) {
  const Shared<uint8_t> rows = shared_memory<uint8_t>(0, 16 * 32), columns = shared_memory<uint8_t>(512, 8 * 32);
  const int lane = lane_index();
  for (int i = lane; i < 32; i += 32) copy_async(rows, i * 16, a + i * 16);
  if (lane < 16) copy_async(columns, lane * 16, b + lane * 16);
  copy_async_commit();
  copy_async_wait<0>();
  sync_warp();
  uint32_t fragment_a[4], fragment_b[2];
  load_matrix<4>(fragment_a, rows, lane % 16 * 32 + lane / 16 * 16);
  load_matrix<2>(fragment_b, columns, lane % 8 * 32 + lane / 8 % 2 * 16);
  float d[4] = {3, 3, 3, 3};
  int32_t sums[4] = {3, 3, 3, 3};
  for (int round = 0; round < 2; ++round) {
    if (format == 0) mma_bf16(d, fragment_a, fragment_b);
    if (format == 1) mma_f16(d, fragment_a, fragment_b);
    if (format == 2) mma_e4m3(d, fragment_a, fragment_b);
    if (format == 3) mma_int8(sums, fragment_a, fragment_b);
  }
  for (int i = 0; i < 4; ++i) {
    const int row = lane / 4 + 8 * (i / 2), column = 2 * (lane % 4) + i % 2;
    out[row * 8 + column] = format == 3 ? static_cast<float>(sums[i]) : d[i];
  }
}

TEST_CASE("emulator: mma on fragments of load_matrix is the matrix product") {
  for (const Format format : {Format::bf16, Format::f16, Format::e4m3, Format::int8}) {
    const int depth = 256 / bits_of(format);
    const auto a = integers(16, depth, 1), b = integers(8, depth, 2), expected = product(a, b, 16, 8, depth);
    DeviceArray<uint8_t> device_a(encode(a, format)), device_b(encode(b, format));
    DeviceArray<float> out(128);
    launch(nullptr, "multiply_tile", multiply_tile, {1, 1, 1}, 32, 768, device_a.data(), device_b.data(), out.data(),
           static_cast<int>(format));
    const auto values = out.values();
    for (size_t i = 0; i < values.size(); ++i) CHECK(values[i] == static_cast<float>(2 * expected[i] + 3));
  }
}

RUSHES_KERNEL(32, 1) transposed(uint32_t* out) {
  const Shared<uint16_t> rows = shared_memory<uint16_t>(0, 32 * 8);
  for (int i = lane_index(); i < 256; i += 32) rows[i] = static_cast<uint16_t>(i);
  sync_warp();
  uint32_t fragment[4];
  load_matrix_transposed<4>(fragment, rows, lane_index() * 8);
  for (int i = 0; i < 4; ++i) out[lane_index() * 4 + i] = fragment[i];
}

TEST_CASE("emulator: load_matrix_transposed gives columns") {
  DeviceArray<uint32_t> out(128);
  launch(nullptr, "transposed", transposed, {1, 1, 1}, 32, 512, out.data());
  const auto values = out.values();
  for (uint32_t lane = 0; lane < 32; ++lane)
    for (uint32_t matrix = 0; matrix < 4; ++matrix) {
      const uint32_t row = 2 * (lane % 4), column = lane / 4, first = matrix * 64 + row * 8 + column;
      CHECK(values[lane * 4 + matrix] == (first | (first + 8) << 16));
    }
}

// One product of a group of four warps, depth 128 bytes, its operands swizzled. `mistake` leaves something out.
template <int kColumns, class Sum>
void multiply_in_group(const uint8_t* a, const uint8_t* b, Sum* out, int mistake) {
  const Shared<uint8_t> rows = shared_memory<uint8_t>(0, 64 * 128);
  const Shared<uint8_t> columns = shared_memory<uint8_t>(64 * 128, kColumns * 128);
  for (int i = thread_index(); i < 64 * 8; i += 128) copy_async(rows, swizzled_128(i / 8, i % 8), a + i * 16);
  for (int i = thread_index(); i < kColumns * 8; i += 128) copy_async(columns, swizzled_128(i / 8, i % 8), b + i * 16);
  copy_async_commit();
  copy_async_wait<0>();
  if (mistake != 1) fence_shared_for_wgmma();
  sync_block();
  Sum sums[kColumns / 2];
  for (Sum& sum : sums) sum = 5;
  if (mistake != 9) wgmma_ready(sums);
  if (mistake != 2) wgmma_begin();
  for (int depth_byte = 0; depth_byte < 128; depth_byte += 32)
    if (mistake != 3 || warp_index() > 0) {
      if constexpr (sizeof(Sum) == 4 && static_cast<Sum>(0.5f) != static_cast<Sum>(0))
        wgmma_bf16<kColumns>(sums, rows, columns, depth_byte);
      else
        wgmma_int8<kColumns>(sums, rows, columns, depth_byte);
    }
  wgmma_commit();
  if (mistake == 4) sums[3] += 1;
  if (mistake == 5) rows[thread_index()] = 0;
  if (mistake != 6) wgmma_wait<0>();
  if (mistake != 6 && mistake != 8) wgmma_ready(sums);
  const int row = warp_index() * 16 + lane_index() / 4, column = 2 * (lane_index() % 4);
  for (int i = 0; i < kColumns / 2; ++i) out[(row + i / 2 % 2 * 8) * kColumns + column + i / 4 * 8 + i % 2] = sums[i];
  if (mistake == 7) rows[thread_index()] = 0;
}
template <int kColumns, class Sum>
RUSHES_KERNEL(128, 1)
group_kernel(const uint8_t* a, const uint8_t* b, Sum* out, int mistake) {
  multiply_in_group<kColumns, Sum>(a, b, out, mistake);
}

template <int kColumns, class Sum>
std::vector<Sum> run_group(const std::vector<int>& a, const std::vector<int>& b, Format format, int mistake) {
  DeviceArray<uint8_t> device_a(encode(a, format)), device_b(encode(b, format));
  DeviceArray<Sum> out(64 * kColumns);
  launch(nullptr, "group", group_kernel<kColumns, Sum>, {1, 1, 1}, 128, (64 + kColumns) * 128, device_a.data(),
         device_b.data(), out.data(), mistake);
  stream_synchronize(nullptr);
  return out.values();
}

template <int kColumns, class Sum>
void check_group(Format format) {
  const int depth = 1024 / bits_of(format);
  const auto a = integers(64, depth, 3), b = integers(kColumns, depth, 4);
  const auto expected = product(a, b, 64, kColumns, depth);
  const auto values = run_group<kColumns, Sum>(a, b, format, 0);
  size_t wrong = 0;
  for (size_t i = 0; i < values.size(); ++i) wrong += values[i] != static_cast<Sum>(expected[i] + 5);
  CHECK(wrong == 0);
}

TEST_CASE("emulator: wgmma is the matrix product of swizzled operands") {
  check_group<64, float>(Format::bf16);
  check_group<128, float>(Format::bf16);
  check_group<192, float>(Format::bf16);
  check_group<256, float>(Format::bf16);
  check_group<64, int32_t>(Format::int8);
  check_group<256, int32_t>(Format::int8);
}

TEST_CASE("emulator: wgmma without its fences and waits is found") {
  using emulator::Fault;
  const auto a = integers(64, 64, 3), b = integers(64, 64, 4);
  const auto fault_of = [&](int mistake) {
    try {
      run_group<64, float>(a, b, Format::bf16, mistake);
    } catch (const emulator::Violation& violation) {
      return std::pair(violation.fault, violation.sentence());
    }
    return std::pair(Fault::bounds, std::string("nothing was found"));
  };
  const Fault expected[] = {Fault::fence, Fault::fence, Fault::divergence, Fault::in_flight, Fault::in_flight};
  for (int mistake = 1; mistake <= 5; ++mistake) {
    const auto [fault, sentence] = fault_of(mistake);
    CHECK_MESSAGE(fault == expected[mistake - 1], mistake, ": ", sentence);
    CHECK(sentence.find("Kernel group, block (0, 0, 0), thread ") == 0);
  }
  // Sums that were not waited for are noise, and what others still read may not be overwritten without a barrier.
  for (const int mistake : {6, 8}) {
    const auto unwaited = run_group<64, float>(a, b, Format::bf16, mistake);
    CHECK(std::all_of(unwaited.begin(), unwaited.end(), [](float value) { return std::isnan(value); }));
  }
  CHECK(fault_of(9).first == Fault::fence);
  const auto [fault, sentence] = fault_of(7);
  CHECK_MESSAGE((fault == Fault::in_flight || fault == Fault::race), sentence);
  emulator::Card card;
  card.info.architecture = 100;
  emulator::set_card(card);
  CHECK(fault_of(0).first == Fault::architecture);
  emulator::reset();
}

RUSHES_KERNEL(64, 1) exchanges(int* out) {
  const int i = thread_index(), lane = lane_index();
  out[i] = shuffle(i, lane + 5) + 1000 * shuffle_xor(i, 16);
  out[64 + i] = shuffle_down(i, 3);
  out[128 + i] = static_cast<int>(warp_ballot(lane % 3 == 0));
  out[192 + i] = block_x() + 10 * block_y() + 100 * block_z() + 1000 * grid_x() + 10000 * grid_y() + 100000 * grid_z() +
                 1000000 * warp_index();
}

TEST_CASE("emulator: lanes exchange what they hold") {
  DeviceArray<int> out(256);
  launch(nullptr, "exchanges", exchanges, {1, 1, 1}, 64, 0, out.data());
  const auto values = out.values();
  for (int i = 0; i < 64; ++i) {
    const int lane = i % 32, base = i - lane;
    CHECK(values[static_cast<size_t>(i)] == base + (lane + 5) % 32 + 1000 * (base + (lane ^ 16)));
    CHECK(values[static_cast<size_t>(64 + i)] == (lane + 3 < 32 ? i + 3 : i));
    CHECK(values[static_cast<size_t>(128 + i)] == 0x49249249);
    CHECK(values[static_cast<size_t>(192 + i)] == 111000 + 1000000 * (i / 32));
  }
}

RUSHES_KERNEL(32, 1) last_block(int* out, uint32_t* sum) {
  if (thread_index() == 0) {
    out[0] = block_x() + grid_x() * (block_y() + grid_y() * block_z());
    atomic_max(sum, static_cast<uint32_t>(out[0]));
    atomic_or(sum + 1, 1u << out[0]);
  }
}

TEST_CASE("emulator: an order of blocks can be chosen, and every block runs once in each") {
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  int last[3];
  for (const auto order :
       {emulator::BlockOrder::forward, emulator::BlockOrder::reverse, emulator::BlockOrder::shuffled}) {
    emulator::set_block_order(order);
    DeviceArray<int> out(1);
    DeviceArray<uint32_t> sums(std::vector<uint32_t>{0, 0});
    launch(nullptr, "last_block", last_block, {5, 3, 2}, 32, 0, out.data(), sums.data());
    last[static_cast<int>(order)] = out.values()[0];
    CHECK(sums.values() == std::vector<uint32_t>{29, 0x3fffffffu});
  }
  CHECK(last[0] == 29);
  CHECK(last[1] == 0);
  CHECK(last[2] != 29);
  CHECK(last[2] != 0);
  emulator::reset();
  omp_set_num_threads(threads);
}

// The nearest of all values of a format, the even one of two.
template <class Decode>
uint32_t nearest(float value, uint32_t count, Decode decode) {
  uint32_t best = 0;
  double distance = std::numeric_limits<double>::infinity();
  for (uint32_t bits = 0; bits < count; ++bits) {
    const double candidate = decode(bits);
    if (!std::isfinite(candidate) || std::signbit(decode(bits)) != std::signbit(value)) continue;
    const double d = std::fabs(candidate - value);
    if (d < distance || (d == distance && bits % 2 == 0)) {
      distance = d;
      best = bits;
    }
  }
  return best;
}

TEST_CASE("emulator: short formats round to the nearest value, ties to even") {
  const auto e4m3 = [](uint32_t bits) { return emulator::e4m3_value(static_cast<uint8_t>(bits)); };
  std::vector<float> samples = {0.0f,     -0.0f,     448.0f,  449.0f,    -1e9f, 464.0f,
                                0x1p-10f, 0x1.8p-9f, 0x1p-6f, 0x1.fp-7f, 17.0f, 19.0f};
  std::mt19937 engine(9);
  std::normal_distribution<float> normal;
  for (int i = 0; i < 2000; ++i) samples.push_back(normal(engine) * std::exp2(static_cast<float>(i % 24) - 14));
  for (uint32_t bits = 0; bits < 256; ++bits)  // between each two values
    if (std::isfinite(e4m3(bits)) && std::isfinite(e4m3(bits + 1)))
      samples.push_back((e4m3(bits) + e4m3(bits + 1)) / 2);
  for (const float sample : samples) CHECK_MESSAGE(emulator::e4m3_bits(sample) == nearest(sample, 256, e4m3), sample);
  CHECK(std::isnan(e4m3(emulator::e4m3_bits(NAN))));

  const auto f16 = [](uint32_t bits) { return f16_to_float(static_cast<uint16_t>(bits)); };
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const float value = f16(bits);
    if (std::isnan(value))
      CHECK(std::isnan(f16(emulator::f16_bits(value))));
    else
      REQUIRE(emulator::f16_bits(value) == bits);
    const float next = f16(bits + 1);
    if (!std::isfinite(value) || !std::isfinite(next) || bits == 0x7fff) continue;
    REQUIRE(emulator::f16_bits((value + next) / 2) == (bits % 2 ? bits + 1 : bits));
    REQUIRE(emulator::f16_bits(std::nextafter((value + next) / 2, next)) == bits + 1);
  }
  CHECK(emulator::f16_bits(65519.0f) == 0x7bff);
  CHECK(emulator::f16_bits(65520.0f) == 0x7c00);
  CHECK(emulator::f16_bits(INFINITY) == 0x7c00);
}

TEST_CASE("emulator: conversions and arithmetic of one thread") {
  CHECK(pack_bf16(1.0f, -2.0f) == 0xc0003f80u);
  CHECK(bf16_low(0xc0003f80u) == 1.0f);
  CHECK(bf16_high(0xc0003f80u) == -2.0f);
  CHECK(f16_high(pack_f16(0.5f, -3.0f)) == -3.0f);
  CHECK(f16_low(pack_f16(0.5f, -3.0f)) == 0.5f);
  CHECK(round_to_int(2.5f) == 2);
  CHECK(round_to_int(-3.5f) == -4);
  CHECK(round_to_int(1e20f) == std::numeric_limits<int32_t>::max());
  CHECK(round_to_int(NAN) == 0);
  CHECK(fused(1 + 0x1p-23f, 1 - 0x1p-23f, -1.0f) == -0x1p-46f);
  CHECK(add(multiply(1 + 0x1p-23f, 1 - 0x1p-23f), -1.0f) == 0.0f);
}

TEST_CASE("emulator: quick functions are as wrong as a card's may be, both ways, and exact where a card is") {
  int upwards = 0;
  for (int i = 1; i <= 1000; ++i) {
    const float x = static_cast<float>(i) * 0.013f, exact = std::exp2(-x), wrong = exp2_quick(-x);
    CHECK(std::fabs(wrong / exact - 1) > 0x1p-24f);
    CHECK(std::fabs(wrong / exact - 1) < 0x1.01p-22f);
    upwards += wrong > exact;
    CHECK(std::fabs(divide_quick(3.0f, x) / (3.0f / x) - 1) < 0x1.8p-22f);
    CHECK(std::fabs(inverse_root(x) * std::sqrt(x) - 1) < 0x1.01p-21f);
  }
  CHECK(upwards > 400);
  CHECK(upwards < 600);
  CHECK(exp2_quick(0.0f) == 1.0f);
  CHECK(exp2_quick(-200.0f) == 0.0f);
  CHECK(exp2_quick(-INFINITY) == 0.0f);
  CHECK(exp2_quick(200.0f) == INFINITY);
  CHECK(divide_quick(3.0f, INFINITY) == 0.0f);
  emulator::arithmetic = emulator::Arithmetic::exact;
  CHECK(exp2_quick(3.0f) == 8.0f);
  CHECK(divide_quick(3.0f, 7.0f) == 3.0f / 7.0f);
  emulator::reset();
}

// 1 * 1 and then, for the rest of the depth, small products: 15 of 1.5 * 2^-24 for bf16, and 31 of 2^-18 for e4m3.
template <class Number>
RUSHES_KERNEL(32, 1)
small_beside_large(float* out) {
  uint32_t a[4] = {}, b[2] = {};
  if (lane_index() / 4 == 0) {
    const bool first = lane_index() == 0;
    a[0] = Number::pair(first ? 1.0f : Number::kA, Number::kA);
    a[2] = Number::pair(Number::kA, Number::kA);
    b[0] = Number::pair(first ? 1.0f : Number::kB, Number::kB);
    b[1] = Number::pair(Number::kB, Number::kB);
  }
  float sums[4] = {};
  Number::multiply(sums, a, b);
  if (lane_index() == 0) out[0] = sums[0];
}
struct Bf16Numbers {
  static constexpr float kA = 0x1p-12f, kB = 0x1.8p-12f;
  static uint32_t pair(float low, float high) { return pack_bf16(low, high); }
  static void multiply(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) { mma_bf16(d, a, b); }
};
struct E4m3Numbers {
  static constexpr float kA = 0x1p-9f, kB = 0x1p-9f;
  static uint32_t pair(float low, float high) {
    return static_cast<uint32_t>(pack_e4m3(low, high)) | static_cast<uint32_t>(pack_e4m3(high, high)) << 16;
  }
  static void multiply(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) { mma_e4m3(d, a, b); }
};

TEST_CASE("emulator: tensor cores cut sums off, those of e4m3 at 13 bits, and exact ones round") {
  DeviceArray<float> out(1);
  emulator::Card card;
  card.info.architecture = 89;
  emulator::set_card(card);
  const auto sum = [&](auto kernel) {
    launch(nullptr, "small", kernel, {1, 1, 1}, 32, 0, out.data());
    return out.values()[0];
  };
  // 7 and then 8 products, each cut off to 2^-24, and both sums to 2^-23.
  CHECK(sum(small_beside_large<Bf16Numbers>) == 1 + 7 * 0x1p-23f);
  CHECK(sum(small_beside_large<E4m3Numbers>) == 1.0f);
  emulator::arithmetic = emulator::Arithmetic::exact;
  CHECK(sum(small_beside_large<Bf16Numbers>) == 1 + 15 * 0x1p-23f);
  CHECK(sum(small_beside_large<E4m3Numbers>) == 1 + 31 * 0x1p-18f);
  emulator::reset();
}

}  // namespace
}  // namespace rushes::cuda
