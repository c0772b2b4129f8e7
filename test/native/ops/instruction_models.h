// Plain C++ models of the few instructions that not every machine has, so that the kernels written for them are tested
// everywhere. Semantics from Intel's instruction set reference.
#pragma once
#include <bit>
#include <cstdint>
#include <cstring>

#include "runtime/dtype.h"

namespace rushes::check {

/// vpdpbusd on 256 bits: eight 32-bit sums of four unsigned x signed byte products each.
struct VnniModel {
  struct Register {
    int32_t lane[8];
  };
  static Register all(int32_t value) {
    Register out;
    for (int32_t& lane : out.lane) lane = value;
    return out;
  }
  static Register load(const std::byte* from) {
    Register out;
    std::memcpy(&out, from, sizeof out);
    return out;
  }
  static void dot(Register& sum, const Register& w, const Register& a) {
    const auto* u = reinterpret_cast<const uint8_t*>(&w);
    const auto* s = reinterpret_cast<const int8_t*>(&a);
    for (int lane = 0; lane < 8; ++lane)
      for (int i = 0; i < 4; ++i) sum.lane[lane] += int32_t{u[4 * lane + i]} * s[4 * lane + i];
  }
};

/// The AMX tile unit with eight tiles of 16 rows x 64 bytes.
struct TilesModel {
  inline static thread_local std::byte tile[8][16][64];
  inline static thread_local bool entered = false;

  static void enter() { entered = true; }
  static void leave() { entered = false; }
  template <int kTileNumber>
  static void zero() {
    std::memset(tile[kTileNumber], 0, sizeof tile[kTileNumber]);
  }
  template <int kTileNumber>
  static void load(const std::byte* from, int64_t stride) {
    for (int row = 0; row < 16; ++row) std::memcpy(tile[kTileNumber][row], from + row * stride, 64);
  }
  template <int kTileNumber>
  static void store(std::byte* to, int64_t stride) {
    for (int row = 0; row < 16; ++row) std::memcpy(to + row * stride, tile[kTileNumber][row], 64);
  }
  // tdpbssd: sum[m][n] += over k < 16, i < 4 of row[m][4k + i] * column[k][4n + i].
  template <int kSum, int kRow, int kColumn>
  static void dot_int8() {
    if (!entered) return;  // without its configuration the unit faults; here the result is wrong and the test fails
    for (int m = 0; m < 16; ++m)
      for (int n = 0; n < 16; ++n) {
        int32_t sum;
        std::memcpy(&sum, &tile[kSum][m][4 * n], 4);
        for (int k = 0; k < 16; ++k)
          for (int i = 0; i < 4; ++i)
            sum += int32_t{static_cast<int8_t>(tile[kRow][m][4 * k + i])} *
                   static_cast<int8_t>(tile[kColumn][k][4 * n + i]);
        std::memcpy(&tile[kSum][m][4 * n], &sum, 4);
      }
  }
  // tdpbf16ps: the even and odd products of a pair are added to the sum, in f32.
  template <int kSum, int kRow, int kColumn>
  static void dot_bf16() {
    if (!entered) return;
    const auto value = [](const std::byte* from) {
      uint16_t bits;
      std::memcpy(&bits, from, 2);
      return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
    };
    for (int m = 0; m < 16; ++m)
      for (int n = 0; n < 16; ++n) {
        float sum;
        std::memcpy(&sum, &tile[kSum][m][4 * n], 4);
        for (int k = 0; k < 16; ++k)
          for (int i = 0; i < 2; ++i)
            sum += value(&tile[kRow][m][4 * k + 2 * i]) * value(&tile[kColumn][k][4 * n + 2 * i]);
        std::memcpy(&tile[kSum][m][4 * n], &sum, 4);
      }
  }
};

}  // namespace rushes::check
