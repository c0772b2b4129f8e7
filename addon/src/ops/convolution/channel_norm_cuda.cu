// Wan's channel norm and the nearest-neighbour doubling on a GPU. Both move memory and do little else.
#include <cmath>

#include "cuda/launch.h"
#include "ops/convolution/convolution_choice.h"
#include "ops/convolution/convolution_cuda.h"
#include "runtime/device.h"

namespace rushes::convolution_tiles {
namespace {

constexpr int kNormThreads = 256, kMostPieces = 8;
constexpr float kLog2E = 1.44269504088896340736f;

struct NormParameters {
  const void* x;
  void* out;
  const float* gamma;
  int64_t pixels;
  int channels;
  float root;  // of the number of channels
  bool x_bf16, out_bf16, silu;
};

RUSHES_DEVICE float normed(const NormParameters& call, float value, float scale, float gamma) {
  const float y = value * scale * gamma;
  return call.silu ? cuda::divide(y, 1.0f + cuda::exp2_quick(-y * kLog2E)) : y;
}

RUSHES_DEVICE float scale_of(const NormParameters& call, float squares) {
  const float length = cuda::square_root(squares);
  return cuda::divide(call.root, length > 1e-12f ? length : 1e-12f);
}

// kLanes lanes hold a pixel, four channels in each of kMostPieces turns at most; channels are a multiple of four.
template <int kLanes>
RUSHES_KERNEL(kNormThreads, 2)
channel_norm_pieces(const NormParameters call) {
  constexpr int kPixels = kNormThreads / kLanes;
  const int within = cuda::thread_index() % kLanes;
  const int64_t pixel = static_cast<int64_t>(cuda::block_x()) * kPixels + cuda::thread_index() / kLanes;
  const bool is_there = pixel < call.pixels;
  const int64_t start = pixel * call.channels;
  float values[kMostPieces][4];
  float squares = 0.0f;
#pragma unroll
  for (int piece = 0; piece < kMostPieces; ++piece) {
    const int channel = (piece * kLanes + within) * 4;
    if (!is_there || channel >= call.channels) continue;
    if (call.x_bf16) {
      const auto pairs = *reinterpret_cast<const cuda::Words2*>(static_cast<const uint16_t*>(call.x) + start + channel);
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        values[piece][2 * i] = cuda::bf16_low(pairs.word[i]);
        values[piece][2 * i + 1] = cuda::bf16_high(pairs.word[i]);
      }
    } else {
      const auto words = *reinterpret_cast<const cuda::Words4*>(static_cast<const float*>(call.x) + start + channel);
#pragma unroll
      for (int i = 0; i < 4; ++i) values[piece][i] = cuda::bits_float(words.word[i]);
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) squares = cuda::fused(values[piece][i], values[piece][i], squares);
  }
#pragma unroll
  for (int distance = kLanes / 2; distance > 0; distance /= 2) squares += cuda::shuffle_xor(squares, distance);
  const float scale = scale_of(call, squares);
#pragma unroll
  for (int piece = 0; piece < kMostPieces; ++piece) {
    const int channel = (piece * kLanes + within) * 4;
    if (!is_there || channel >= call.channels) continue;
    const auto gamma = *reinterpret_cast<const cuda::Words4*>(call.gamma + channel);
    float y[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) y[i] = normed(call, values[piece][i], scale, cuda::bits_float(gamma.word[i]));
    if (call.out_bf16)
      *reinterpret_cast<cuda::Words2*>(static_cast<uint16_t*>(call.out) + start + channel) =
          cuda::Words2{{cuda::pack_bf16(y[0], y[1]), cuda::pack_bf16(y[2], y[3])}};
    else
      *reinterpret_cast<cuda::Words4*>(static_cast<float*>(call.out) + start + channel) = cuda::Words4{
          {cuda::float_bits(y[0]), cuda::float_bits(y[1]), cuda::float_bits(y[2]), cuda::float_bits(y[3])}};
  }
}

// Any number of channels: a warp a pixel, which it reads twice.
RUSHES_KERNEL(kNormThreads, 2) channel_norm_any(const NormParameters call) {
  const int64_t pixel = static_cast<int64_t>(cuda::block_x()) * (kNormThreads / 32) + cuda::warp_index();
  if (pixel >= call.pixels) return;
  const int64_t start = pixel * call.channels;
  const auto element = [&](int64_t i) {
    return call.x_bf16 ? cuda::from_bf16(static_cast<const uint16_t*>(call.x)[i])
                       : static_cast<const float*>(call.x)[i];
  };
  float squares = 0.0f;
  for (int c = cuda::lane_index(); c < call.channels; c += 32) {
    const float value = element(start + c);
    squares = cuda::fused(value, value, squares);
  }
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) squares += cuda::shuffle_xor(squares, distance);
  const float scale = scale_of(call, squares);
  for (int c = cuda::lane_index(); c < call.channels; c += 32) {
    const float y = normed(call, element(start + c), scale, call.gamma[c]);
    if (call.out_bf16)
      static_cast<uint16_t*>(call.out)[start + c] = cuda::to_bf16(y);
    else
      static_cast<float*>(call.out)[start + c] = y;
  }
}

template <int kLanes>
void launch_pieces(const NormCall& call, const NormParameters& parameters) {
  constexpr int kPixels = kNormThreads / kLanes;
  cuda::launch(call.device->stream(), "channel_norm_cuda", channel_norm_pieces<kLanes>,
               {static_cast<int>((call.pixels + kPixels - 1) / kPixels), 1, 1}, kNormThreads, 0, parameters);
}

void channel_norm_cuda(const NormCall& call) {
  if (call.pixels == 0) return;
  NormParameters parameters = {};
  parameters.x = call.x;
  parameters.out = call.out;
  parameters.gamma = call.gamma;
  parameters.pixels = call.pixels;
  parameters.channels = static_cast<int>(call.channels);
  parameters.root = std::sqrt(static_cast<float>(call.channels));
  parameters.x_bf16 = call.x_bf16;
  parameters.out_bf16 = call.out_bf16;
  parameters.silu = call.silu;
  const int lanes = channel_norm_lanes(call.channels);
  if (lanes == 0) {
    constexpr int kPixels = kNormThreads / 32;
    cuda::launch(call.device->stream(), "channel_norm_cuda", channel_norm_any,
                 {static_cast<int>((call.pixels + kPixels - 1) / kPixels), 1, 1}, kNormThreads, 0, parameters);
  } else if (lanes == 8) {
    launch_pieces<8>(call, parameters);
  } else if (lanes == 16) {
    launch_pieces<16>(call, parameters);
  } else {
    launch_pieces<32>(call, parameters);
  }
}

// Every pixel to four places, a Word of it a thread.
template <class Word>
RUSHES_KERNEL(kNormThreads, 4)
double_frames(const Word* x, Word* out, int64_t words, int width, int words_of_pixel) {
  const int64_t i = static_cast<int64_t>(cuda::block_x()) * kNormThreads + cuda::thread_index();
  if (i >= words) return;
  const int64_t pixel = i / words_of_pixel, row = pixel / width, column = pixel - row * width;
  const Word word = x[i];
  const int64_t out_row = int64_t{2} * width * words_of_pixel;
  Word* const to = out + 2 * row * out_row + 2 * column * words_of_pixel + (i - pixel * words_of_pixel);
  to[0] = word;
  to[words_of_pixel] = word;
  to[out_row] = word;
  to[out_row + words_of_pixel] = word;
}

template <class Word>
void launch_doubling(const DoublingCall& call) {
  const int64_t words = call.rows * call.width * call.pixel_bytes / static_cast<int64_t>(sizeof(Word));
  if (words == 0) return;
  cuda::launch(call.device->stream(), "upsample_nearest_cuda", double_frames<Word>,
               {static_cast<int>((words + kNormThreads - 1) / kNormThreads), 1, 1}, kNormThreads, 0,
               static_cast<const Word*>(call.x), static_cast<Word*>(call.out), words, call.width,
               call.pixel_bytes / static_cast<int64_t>(sizeof(Word)));
}

void upsample_nearest_cuda(const DoublingCall& call) {
  const int bytes = doubling_bytes(call.pixel_bytes);
  if (bytes == 16)
    launch_doubling<cuda::Words4>(call);
  else if (bytes == 4)
    launch_doubling<uint32_t>(call);
  else
    launch_doubling<uint16_t>(call);
}

}  // namespace

std::vector<NormEntry> channel_norm_cuda_kernels() {
  return {{{"channel_norm", "channel_norm_cuda", Backend::cuda}, channel_norm_cuda}};
}

std::vector<DoublingEntry> upsample_nearest_cuda_kernels() {
  return {{{"upsample_nearest", "upsample_nearest_cuda", Backend::cuda}, upsample_nearest_cuda}};
}

}  // namespace rushes::convolution_tiles
