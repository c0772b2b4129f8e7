// The int8 panel kernel for AVX-512 VNNI: 6 rows x 64 columns, half of them in 24 registers.
#include <immintrin.h>

#include "ops/linear/finish_body.h"
#include "ops/linear/pack_body.h"
#include "ops/linear/panel_kernels.h"

namespace rushes {
namespace {

// Weights are unsigned (value + 128); every row's sum starts at -128 times the sum of its activations, so nothing but
// the weights is kept.
struct Avx512VnniInt8 {
  static constexpr int kRows = 6, kVectors = 4, kLanes = 16, kDepth = 4, kWeightBytes = 64;
  using Sum = __m512i;
  using Weights = __m512i;
  using Row = __m512i;
  static RUSHES_INLINE Sum start(int32_t value) { return _mm512_set1_epi32(value); }
  static RUSHES_INLINE Weights weights(const std::byte* from) { return _mm512_loadu_si512(from); }
  static RUSHES_INLINE Row row(const std::byte* from) {
    int32_t group;
    std::memcpy(&group, from, 4);
    return _mm512_set1_epi32(group);
  }
  // As assembler: GCC 12 copies and spills the accumulators around the intrinsic.
  static RUSHES_INLINE void add(Sum& sum, Weights w, Row a) { asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(w), "v"(a)); }
};

// The same sums as multiply_int8 of product_body.h, half of the columns at a time: their float sums stay in registers
// beside the int32 ones from tile to tile. Half of the rows instead would read the weights twice from the second-level
// cache, which tells where a CPU makes two products a cycle. Scales are positive, so a first addition to zero changes
// no bit.
void multiply(const PanelProduct& p) {
  using Engine = Avx512VnniInt8;
  constexpr int kRows = Engine::kRows, kVectors = Engine::kVectors / 2;
  constexpr int kColumns = Engine::kVectors * Engine::kLanes, kGroupBytes = Engine::kVectors * Engine::kWeightBytes;
  const float *row_scales = p.row_scales, *column_scales = p.column_scales;
  const int32_t* row_offsets = p.row_offsets;
  const int64_t first_tile = p.depth_begin / kTile, tiles = p.depth_end / kTile;
  for (int half = 0; half < 2; ++half) {
    const std::byte* weights =
        p.weights + p.depth_begin / Engine::kDepth * kGroupBytes + half * kVectors * Engine::kWeightBytes;
    const std::byte* activations = p.activations + p.depth_begin * kRows;
    float* out = p.sums + half * kVectors * Engine::kLanes;
    __m512 sums[kRows][kVectors];
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v)
        sums[r][v] = p.first ? _mm512_setzero_ps() : _mm512_loadu_ps(out + r * kColumns + v * Engine::kLanes);
    for (int64_t tile = first_tile; tile < tiles; ++tile) {
      __m512i products[kRows][kVectors];
      for (int r = 0; r < kRows; ++r)
        for (int v = 0; v < kVectors; ++v) products[r][v] = Engine::start(row_offsets[tile * kRows + r]);
      for (int group = 0; group < kTile / Engine::kDepth; ++group) {
        __m512i w[kVectors];
        for (int v = 0; v < kVectors; ++v) w[v] = Engine::weights(weights + v * Engine::kWeightBytes);
        for (int r = 0; r < kRows; ++r) {
          const __m512i a = Engine::row(activations + r * 4);
          for (int v = 0; v < kVectors; ++v) Engine::add(products[r][v], w[v], a);
        }
        weights += kGroupBytes;
        activations += kRows * 4;
      }
      const float column_scale = column_scales[tile];
      for (int r = 0; r < kRows; ++r) {
        const __m512 scale = _mm512_set1_ps(row_scales[tile * kRows + r] * column_scale);
        for (int v = 0; v < kVectors; ++v)
          sums[r][v] = _mm512_add_ps(sums[r][v], _mm512_mul_ps(_mm512_cvtepi32_ps(products[r][v]), scale));
      }
    }
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kVectors; ++v) _mm512_storeu_ps(out + r * kColumns + v * Engine::kLanes, sums[r][v]);
  }
}

}  // namespace

const PanelKernel kInt8Avx512Vnni = {.format = LinearFormat::int8_tiles,
                                     .product = DType::i8,
                                     .activation = DType::i8,
                                     .weight = DType::i8,
                                     .rows = 6,
                                     .columns = 64,
                                     .row_group = 4,
                                     .column_group = 4,
                                     .weight_offset = 128,
                                     .pack = pack_int8<16, 6, 4, int8_t, 128>,
                                     .interleave = interleave_words<16>,
                                     .quantize = quantize_tile<16>,
                                     .multiply = multiply,
                                     .finish = finish_panel<16, 64>};

}  // namespace rushes
