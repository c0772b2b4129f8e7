// The convolution and the channel norm written as their definitions, summed in float64.
#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/convolution/convolution_packed.h"

namespace rushes::convolution_tiles {
namespace {

float element(const std::byte* data, DType type, int64_t index) {
  if (type == DType::f32) return reinterpret_cast<const float*>(data)[index];
  return reinterpret_cast<const bf16*>(data)[index];
}

void set_element(std::byte* data, DType type, int64_t index, double value) {
  if (type == DType::f32)
    reinterpret_cast<float*>(data)[index] = static_cast<float>(value);
  else
    reinterpret_cast<bf16*>(data)[index] = bf16(static_cast<float>(value));
}

// One output pixel, all output channels.
void pixel(const Geometry& g, int64_t t, int64_t row, int64_t column, std::vector<double>& sums) {
  const PackedConvolution& layer = *g.weights;
  const int64_t in = layer.in_channels, out = layer.out_channels;
  for (int64_t o = 0; o < out; ++o) sums[static_cast<size_t>(o)] = layer.bias.data<float>()[o];
  const float* weights = layer.weights.data<float>();
  for (int kt = 0; kt < layer.kernel_time; ++kt)
    for (int kh = 0; kh < layer.kernel_height; ++kh) {
      const std::byte* input = g.input_row(t, row, kt, kh);
      if (!input) continue;
      for (int kw = 0; kw < layer.kernel_width; ++kw) {
        const int64_t x = column * g.shape.stride_space - g.shape.pad_left + kw;
        if (x < 0 || x >= g.width) continue;
        const int64_t source = (g.shape.doubled ? x / 2 : x) * in;
        const float* tap = weights + ((kt * layer.kernel_height + kh) * layer.kernel_width + kw) * in * out;
        for (int64_t c = 0; c < in; ++c) {
          const double value = element(input, g.x_type, source + c);
          for (int64_t o = 0; o < out; ++o) sums[static_cast<size_t>(o)] += value * tap[c * out + o];
        }
      }
    }
  const int64_t start = (row * g.out_width + column) * out;
  for (int64_t o = 0; o < out; ++o) {
    double value = sums[static_cast<size_t>(o)];
    if (!g.residual.empty()) value += element(g.residual[static_cast<size_t>(t)], g.residual_type, start + o);
    set_element(g.out[static_cast<size_t>(t)], g.out_type, start + o, value);
  }
}

}  // namespace

void convolve_reference(const Context& context, const Geometry& g) {
  const int64_t rows = static_cast<int64_t>(g.out.size()) * g.out_height;
#pragma omp parallel num_threads(context.threads)
  {
    std::vector<double> sums(static_cast<size_t>(g.weights->out_channels));
#pragma omp for schedule(dynamic)
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t column = 0; column < g.out_width && !context.is_cancelled(); ++column)
        pixel(g, row / g.out_height, row % g.out_height, column, sums);
  }
}

void channel_norm_reference(const NormCall& call) {
  const DType x_type = call.x_bf16 ? DType::bf16 : DType::f32, out_type = call.out_bf16 ? DType::bf16 : DType::f32;
  const auto* x = static_cast<const std::byte*>(call.x);
  for (int64_t p = 0; p < call.pixels; ++p) {
    double squares = 0;
    for (int64_t c = 0; c < call.channels; ++c) {
      const double value = element(x, x_type, p * call.channels + c);
      squares += value * value;
    }
    const double scale = std::sqrt(static_cast<double>(call.channels)) / std::max(std::sqrt(squares), 1e-12);
    for (int64_t c = 0; c < call.channels; ++c) {
      const double y = element(x, x_type, p * call.channels + c) * scale * call.gamma[c];
      set_element(static_cast<std::byte*>(call.out), out_type, p * call.channels + c,
                  call.silu ? y / (1 + std::exp(-y)) : y);
    }
  }
}

}  // namespace rushes::convolution_tiles
