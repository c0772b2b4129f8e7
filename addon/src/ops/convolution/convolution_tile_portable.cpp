// Register tiles of the convolution in plain C++, for machines without AVX2.
#include <cstring>

#include "ops/convolution/convolution_kernel.h"

namespace rushes::convolution_tiles {
namespace {

constexpr int kLanes = 4, kPixels = 4;

float widen(uint16_t bits) {
  const uint32_t word = static_cast<uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &word, sizeof value);
  return value;
}

uint16_t round_to_bf16(float value) {
  uint32_t word;
  std::memcpy(&word, &value, sizeof word);
  if ((word & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((word >> 16) | 0x40u);
  return static_cast<uint16_t>((word + 0x7fffu + ((word >> 16) & 1u)) >> 16);
}

template <int kVectors>
void block(const TileCall& call, const float* x, float* sums) {
  constexpr int kOutputs = kVectors * kLanes;
  float s[kPixels][kOutputs];
  std::memcpy(s, sums, sizeof s);
  for (int tap = 0; tap < call.taps; ++tap) {
    const float* from = x + tap * call.tap_stride;
    const float* w = static_cast<const float*>(call.weights) + tap * call.weight_tap_stride;
    for (int64_t c = 0; c < call.channels; ++c, w += kOutputs)
      for (int m = 0; m < kPixels; ++m) {
        const float value = from[m * call.pixel_stride + c];
        for (int o = 0; o < kOutputs; ++o) s[m][o] += value * w[o];
      }
  }
  std::memcpy(sums, s, sizeof s);
}

void tile(const TileCall& call) {
  for (int64_t p = 0; p < call.pixels; p += kPixels) {
    const float* x = static_cast<const float*>(call.x) + p * call.pixel_stride;
    float* sums = call.sums + p * call.vectors * kLanes;
    if (call.vectors == 4)
      block<4>(call, x, sums);
    else if (call.vectors == 2)
      block<2>(call, x, sums);
    else
      block<1>(call, x, sums);
  }
}

void store(const StoreCall& call) {
  for (int64_t p = 0; p < call.pixels; ++p)
    for (int64_t o = 0; o < call.outputs; ++o) {
      float value = call.sums[p * call.sum_stride + o];
      const int64_t i = p * call.out_stride + o;
      if (call.residual)
        value += call.residual_bf16 ? widen(static_cast<const uint16_t*>(call.residual)[i])
                                    : static_cast<const float*>(call.residual)[i];
      if (call.out_bf16)
        static_cast<uint16_t*>(call.out)[i] = round_to_bf16(value);
      else
        static_cast<float*>(call.out)[i] = value;
    }
}

void to_bf16(const float* in, uint16_t* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = round_to_bf16(in[i]);
}
void to_f32(const uint16_t* in, float* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = widen(in[i]);
}

}  // namespace

const TileKernel kPortable = {.lanes = kLanes,
                              .pixels = {0, kPixels, kPixels, 0, kPixels},
                              .tile = tile,
                              .store = store,
                              .to_bf16 = to_bf16,
                              .to_f32 = to_f32};

}  // namespace rushes::convolution_tiles
