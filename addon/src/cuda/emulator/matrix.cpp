#include "cuda/emulator/matrix.h"

#include <algorithm>
#include <array>

#include "cuda/emulator/approximate.h"
#include "cuda/emulator/number_formats.h"
#include "cuda/emulator/tensor_core_sum.h"

namespace rushes::cuda::emulator {
namespace {

template <class Sum>
const Product<Sum>& product_of(void* const (&arguments)[kLanes], int lane) {
  return *static_cast<const Product<Sum>*>(arguments[lane]);
}

float value_bf16(uint32_t bits) { return bf16_value(static_cast<uint16_t>(bits)); }
float value_f16(uint32_t bits) {
  // Normal numbers by moving bits; f16_value for the rest.
  const uint32_t exponent = (bits >> 10) & 31u;
  if (exponent == 0 || exponent == 31) return f16_value(static_cast<uint16_t>(bits));
  return std::bit_cast<float>((bits & 0x8000u) << 16 | (((bits & 0x7fffu) << 13) + 0x38000000u));
}
const std::array<float, 256> kE4m3Values = [] {
  std::array<float, 256> out{};
  for (size_t i = 0; i < out.size(); ++i) out[i] = e4m3_value(static_cast<uint8_t>(i));
  return out;
}();
float value_e4m3(uint32_t bits) { return kE4m3Values[bits & 255u]; }

// d += a b with a [16][kDepth], b [kDepth][8], eight sums of a row side by side.
template <int kDepth>
void multiply(const float (&a)[16][kDepth], const float (&b)[kDepth][8], float (&d)[16][8]) {
  constexpr TensorCoreBlock kBlock = kDepth == 32 ? kE4m3Block : kWarpBlock;
  const TensorCoreRounding rounding;
  for (int row = 0; row < 16; ++row) {
    if (!is_exact()) {
      for (int k = 0; k < kDepth; k += kBlock.terms) add_block<kBlock>(a[row] + k, b[k], 8, d[row]);
      continue;
    }
    float sums[8];
    std::copy_n(d[row], 8, sums);
    for (int k = 0; k < kDepth; ++k)
      for (int column = 0; column < 8; ++column) sums[column] += a[row][k] * b[k][column];
    std::copy_n(sums, 8, d[row]);
  }
}

// kPerWord elements of kBits bits lie in a word; `value` makes a float of one.
template <int kPerWord, float (*value)(uint32_t)>
void mma_float(Warp&, void* const (&arguments)[kLanes]) {
  constexpr int kBits = 32 / kPerWord, kDepth = 8 * kPerWord;
  alignas(64) float a[16][kDepth], b[kDepth][8], d[16][8];
  for (int lane = 0; lane < kLanes; ++lane) {
    const auto& from = product_of<float>(arguments, lane);
    const int group = lane / 4, within = lane % 4;
    for (int i = 0; i < kPerWord; ++i) {
      const int k = kPerWord * within + i;
      for (int register_index = 0; register_index < 4; ++register_index)
        a[group + 8 * (register_index & 1)][k + kDepth / 2 * (register_index >> 1)] =
            value(from.a[register_index] >> (kBits * i));
      b[k][group] = value(from.b[0] >> (kBits * i));
      b[k + kDepth / 2][group] = value(from.b[1] >> (kBits * i));
    }
    for (int i = 0; i < 4; ++i) d[group + 8 * (i >> 1)][2 * within + (i & 1)] = from.d[i];
  }
  multiply<kDepth>(a, b, d);
  for (int lane = 0; lane < kLanes; ++lane)
    for (int i = 0; i < 4; ++i) {
      const float sum = d[lane / 4 + 8 * (i >> 1)][2 * (lane % 4) + (i & 1)];
      product_of<float>(arguments, lane).d[i] = kPerWord == 4 ? cut_to_13_bits(sum) : sum;
    }
}

void mma_int8(Warp&, void* const (&arguments)[kLanes]) {
  alignas(64) int16_t a[16][32], b[8][32];  // products and pairs of them fit into the multiply-add of 16-bit numbers
  for (int lane = 0; lane < kLanes; ++lane) {
    const auto& from = product_of<int32_t>(arguments, lane);
    const int group = lane / 4, within = lane % 4;
    for (int i = 0; i < 4; ++i) {
      const int k = 4 * within + i;
      for (int register_index = 0; register_index < 4; ++register_index)
        a[group + 8 * (register_index & 1)][k + 16 * (register_index >> 1)] =
            static_cast<int8_t>(from.a[register_index] >> (8 * i));
      b[group][k] = static_cast<int8_t>(from.b[0] >> (8 * i));
      b[group][k + 16] = static_cast<int8_t>(from.b[1] >> (8 * i));
    }
  }
  for (int lane = 0; lane < kLanes; ++lane)
    for (int i = 0; i < 4; ++i) {
      const int16_t *row = a[lane / 4 + 8 * (i >> 1)], *column = b[2 * (lane % 4) + (i & 1)];
      int32_t sum = 0;
      for (int k = 0; k < 32; ++k) sum += int32_t{row[k]} * int32_t{column[k]};
      // The sum wraps as the instruction's does.
      int32_t& d = product_of<int32_t>(arguments, lane).d[i];
      d = static_cast<int32_t>(static_cast<uint32_t>(d) + static_cast<uint32_t>(sum));
    }
}

const MatrixRows& rows_of(void* const (&arguments)[kLanes], int lane) {
  return *static_cast<const MatrixRows*>(arguments[lane]);
}

template <int kCount, bool kTransposed>
void load_matrices(Warp& warp, void* const (&arguments)[kLanes]) {
  SharedBytes& shared = warp.block->shared;
  for (int matrix = 0; matrix < kCount; ++matrix) {
    uint16_t elements[8][8];
    for (int row = 0; row < 8; ++row) {
      const Thread& thread = warp.threads[8 * matrix + row];
      const MatrixRows& from = rows_of(arguments, thread.lane);
      if (from.offset < from.window_begin || from.offset + 16 > from.window_end)
        violation(thread, Fault::bounds, "load_matrix of a row outside of its window of shared memory");
      if (from.offset % 16) violation(thread, Fault::alignment, "load_matrix of a row that does not lie on 16 bytes");
      shared.read(thread, from.offset, 16);
      std::memcpy(elements[row], shared.data() + from.offset, 16);
    }
    for (int lane = 0; lane < kLanes; ++lane) {
      const int first = lane / 4, second = 2 * (lane % 4);
      const uint32_t low = kTransposed ? elements[second][first] : elements[first][second];
      const uint32_t high = kTransposed ? elements[second + 1][first] : elements[first][second + 1];
      rows_of(arguments, lane).out[matrix] = low | high << 16;
    }
  }
}

}  // namespace

const WarpFunction kMmaBf16 = {"mma_bf16", mma_float<2, value_bf16>};
const WarpFunction kMmaF16 = {"mma_f16", mma_float<2, value_f16>};
const WarpFunction kMmaE4m3 = {"mma_e4m3", mma_float<4, value_e4m3>};
const WarpFunction kMmaInt8 = {"mma_int8", mma_int8};

const WarpFunction kLoadMatrix1[2] = {{"load_matrix", load_matrices<1, false>},
                                      {"load_matrix_transposed", load_matrices<1, true>}};
const WarpFunction kLoadMatrix2[2] = {{"load_matrix", load_matrices<2, false>},
                                      {"load_matrix_transposed", load_matrices<2, true>}};
const WarpFunction kLoadMatrix4[2] = {{"load_matrix", load_matrices<4, false>},
                                      {"load_matrix_transposed", load_matrices<4, true>}};

}  // namespace rushes::cuda::emulator
