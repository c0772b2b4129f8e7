// What the convolution's driver and its instruction-set files say to each other. Plain pointers only: this header is
// included by files compiled for one instruction set, so nothing in it may be shared code.
#pragma once
#include <cstdint>

namespace rushes {
class Device;
}

namespace rushes::convolution_tiles {

struct DeviceConvolution;

/// One kernel row (fixed kernel time and height) of a row segment, for one block of outputs:
/// sums[pixel][output] += sum over taps and channels of x[pixel * pixel_stride + tap * tap_stride + channel] *
/// weight[tap][channel][output].
struct TileCall {
  const void* x = nullptr;        // elements of the kernel's type
  int64_t pixel_stride = 0;       // elements from one output pixel's first input to the next one's
  int64_t tap_stride = 0;         // elements from one horizontal tap to the next
  const void* weights = nullptr;  // per tap: [channel / group][output][group]; group = 1 (f32) or 2 (bf16)
  int64_t weight_tap_stride = 0;  // elements
  int taps = 1;
  int64_t channels = 0;   // a multiple of the kernel's channel_multiple
  float* sums = nullptr;  // [pixels][vectors * lanes]
  int64_t pixels = 0;     // a multiple of the kernel's pixels[vectors]
  int vectors = 1;        // of `lanes` outputs
};

/// sums -> out, with the residual added and rounded once when out is bf16.
struct StoreCall {
  const float* sums = nullptr;  // [pixels][sum_stride]
  int64_t sum_stride = 0;
  int64_t pixels = 0, outputs = 0;  // outputs <= sum_stride
  const void* residual = nullptr;   // null, or rows of `outputs` out_stride elements apart
  bool residual_bf16 = false;
  void* out = nullptr;
  bool out_bf16 = false;
  int64_t out_stride = 0;  // elements between pixels of out and of residual
};

/// The arithmetic of one instruction set.
struct TileKernel {
  bool bf16 = false;         // element type of x and weights in TileCall; else f32
  int lanes = 1;             // outputs in a vector
  int channel_multiple = 1;  // input channels are padded with zeros to this
  int pixels[5] = {};        // pixels of a register tile by number of vectors; 0 = no such tile
  void (*tile)(const TileCall& call) = nullptr;
  void (*store)(const StoreCall& call) = nullptr;
  void (*to_bf16)(const float* in, uint16_t* out, int64_t count) = nullptr;
  void (*to_f32)(const uint16_t* in, float* out, int64_t count) = nullptr;
  void (*enter)() = nullptr;  // once per thread before tiles, when set
  void (*leave)() = nullptr;
  /// Set for a kernel of Backend::cuda, which packs and runs in its own way (convolution_cuda.h); then only `bf16` above
  /// is used.
  const DeviceConvolution* device = nullptr;
};

extern const TileKernel kPortable, kAvx2, kAvx512, kAvx512Bf16, kAmx;

/// Channel norm over `pixels` rows of `channels`: see convolution.h.
struct NormCall {
  const void* x = nullptr;
  void* out = nullptr;
  bool x_bf16 = false, out_bf16 = false, silu = false;
  const float* gamma = nullptr;
  int64_t pixels = 0, channels = 0;
  Device* device = nullptr;  // of a cuda kernel, which is given all pixels at once
};
void channel_norm_portable(const NormCall& call);
void channel_norm_avx2(const NormCall& call);
void channel_norm_avx512(const NormCall& call);

/// One call of upsample_nearest: `rows` rows of `width` pixels of `pixel_bytes` become twice as many of twice the width.
struct DoublingCall {
  const void* x = nullptr;
  void* out = nullptr;
  int64_t rows = 0, width = 0, pixel_bytes = 0;
  int threads = 1;
  Device* device = nullptr;  // of a cuda kernel
};
void upsample_nearest_loops(const DoublingCall& call);

}  // namespace rushes::convolution_tiles
