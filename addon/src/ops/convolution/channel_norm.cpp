// Wan's channel norm (its kernels are in channel_norm_*.cpp) and nearest-neighbour doubling.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "ops/convolution/convolution_cuda.h"

namespace rushes {
namespace convolution_tiles {
namespace {

float load(const void* data, bool is_bf16, int64_t i) {
  return is_bf16 ? float(static_cast<const bf16*>(data)[i]) : static_cast<const float*>(data)[i];
}

}  // namespace

void channel_norm_portable(const NormCall& call) {
  for (int64_t p = 0; p < call.pixels; ++p) {
    const int64_t start = p * call.channels;
    float squares = 0;
    for (int64_t c = 0; c < call.channels; ++c) {
      const float value = load(call.x, call.x_bf16, start + c);
      squares += value * value;
    }
    const float scale = std::sqrt(static_cast<float>(call.channels)) / std::max(std::sqrt(squares), 1e-12f);
    for (int64_t c = 0; c < call.channels; ++c) {
      float y = load(call.x, call.x_bf16, start + c) * scale * call.gamma[c];
      if (call.silu) y = y / (1 + std::exp(-y));
      if (call.out_bf16)
        static_cast<bf16*>(call.out)[start + c] = bf16(y);
      else
        static_cast<float*>(call.out)[start + c] = y;
    }
  }
}

void upsample_nearest_loops(const DoublingCall& call) {
  const auto pixel = static_cast<size_t>(call.pixel_bytes), row_bytes = static_cast<size_t>(call.width) * pixel;
#pragma omp parallel for num_threads(call.threads) schedule(static)
  for (int64_t row = 0; row < call.rows; ++row) {
    const std::byte* from = static_cast<const std::byte*>(call.x) + static_cast<size_t>(row) * row_bytes;
    std::byte* to = static_cast<std::byte*>(call.out) + static_cast<size_t>(row) * 4 * row_bytes;
    for (int64_t column = 0; column < 2 * call.width; ++column)
      std::memcpy(to + static_cast<size_t>(column) * pixel, from + static_cast<size_t>(column / 2) * pixel, pixel);
    std::memcpy(to + 2 * row_bytes, to, 2 * row_bytes);
  }
}

namespace {

template <class Entry>
std::vector<Entry> with(std::vector<Entry> kernels, const std::vector<Entry>& cuda) {
  kernels.insert(kernels.end(), cuda.begin(), cuda.end());
  return kernels;
}

}  // namespace

const std::vector<DoublingEntry>& upsample_nearest_kernels() {
  static const auto table = with<DoublingEntry>(
      {
          {{"upsample_nearest", "upsample_nearest_reference", Backend::reference}, upsample_nearest_loops},
          {{"upsample_nearest", "upsample_nearest_portable", Backend::cpu}, upsample_nearest_loops},
      },
      upsample_nearest_cuda_kernels());
  return table;
}

const std::vector<NormEntry>& channel_norm_kernels() {
  static const auto table = with<NormEntry>(
      {
        {{"channel_norm", "channel_norm_reference", Backend::reference, Isa::portable}, channel_norm_reference},
            {{"channel_norm", "channel_norm_portable", Backend::cpu, Isa::portable}, channel_norm_portable},
#if defined(__x86_64__)
            {{"channel_norm", "channel_norm_avx2", Backend::cpu, Isa::avx2}, channel_norm_avx2},
            {{"channel_norm", "channel_norm_avx512", Backend::cpu, Isa::avx512}, channel_norm_avx512},
#endif
      },
      channel_norm_cuda_kernels());
  return table;
}

}  // namespace convolution_tiles

using convolution_tiles::NormCall;

void channel_norm(const Context& context, const Tensor& x, const Tensor& gamma, bool silu, Tensor& out) {
  if (x.rank() < 1 || out.shape() != x.shape() || gamma.count() != x.size(-1) || gamma.type() != DType::f32)
    throw Error("engine.internal", "A channel norm was given tensors of the wrong shape.", {},
                shape_text(x.shape()) + " -> " + shape_text(out.shape()) + ", gamma " + shape_text(gamma.shape()));
  if (context.work) {
    context.work->bytes += static_cast<double>(x.bytes() + out.bytes());
    context.work->of(Effort::channel_norm) += static_cast<double>(x.count());
    context.work->of(Effort::norm_pixels) += static_cast<double>(x.count() / x.size(-1));
  }
  if (context.dry_run) return;
  const auto run = choose_kernel(convolution_tiles::channel_norm_kernels(), context).run;
  const int64_t channels = x.size(-1), pixels = x.count() / channels;
  const int64_t step = context.backend == Backend::cuda ? pixels : std::max<int64_t>(16384 / channels, 1);
  const auto normalize = [&](int64_t first) {
    NormCall call;
    call.x_bf16 = x.type() == DType::bf16;
    call.out_bf16 = out.type() == DType::bf16;
    call.x = x.raw() + first * channels * static_cast<int64_t>(dtype_size(x.type()));
    call.out = out.raw() + first * channels * static_cast<int64_t>(dtype_size(out.type()));
    call.gamma = gamma.data<float>();
    call.silu = silu;
    call.pixels = std::min(step, pixels - first);
    call.channels = channels;
    call.device = context.device;
    run(call);
  };
  if (context.backend == Backend::cuda) return normalize(0);
#pragma omp parallel for num_threads(context.threads) schedule(static)
  for (int64_t first = 0; first < pixels; first += step) normalize(first);
  context.check_cancelled();
}

void upsample_nearest(const Context& context, const Tensor& x, Tensor& out) {
  if (x.rank() != 4 || out.type() != x.type() ||
      out.shape() != Shape{x.size(0), 2 * x.size(1), 2 * x.size(2), x.size(3)})
    throw Error("engine.internal", "A doubling was given tensors of the wrong shape.", {},
                shape_text(x.shape()) + " -> " + shape_text(out.shape()));
  if (context.work) context.work->pass(static_cast<double>(x.bytes() + out.bytes()));
  if (context.dry_run) return;
  convolution_tiles::DoublingCall call;
  call.x = x.raw();
  call.out = out.raw();
  call.rows = x.size(0) * x.size(1);
  call.width = x.size(2);
  call.pixel_bytes = x.size(3) * static_cast<int64_t>(dtype_size(x.type()));
  call.threads = context.threads;
  call.device = context.device;
  choose_kernel(convolution_tiles::upsample_nearest_kernels(), context).run(call);
  context.check_cancelled();
}

}  // namespace rushes
