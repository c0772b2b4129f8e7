// Pixels to bytes on the CPU, the tables and the public door.
#include "ops/pixels/pixels.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "ops/check_context.h"
#include "ops/pixels/bt709.h"
#include "ops/pixels/pixels_cuda.h"
#include "runtime/random.h"

namespace rushes {
namespace {

void rgb_loops(const PixelCall& call) {
  const int64_t rows = call.frames * call.height, values = call.width * 3;
  bool finite = true;
#pragma omp parallel for num_threads(call.threads) schedule(static) reduction(&& : finite)
  for (int64_t row = 0; row < rows; ++row)
    finite =
        pixels_to_rgb(call.pixels + row * values, {call.out + row * values, static_cast<size_t>(values)}) && finite;
  if (!finite) *call.not_finite = 1;
}

void i420_loops(const PixelCall& call) {
  const int64_t width = call.width, area = call.height * width, pairs = call.frames * call.height / 2;
  bool finite = true;
#pragma omp parallel for num_threads(call.threads) schedule(static) reduction(&& : finite)
  for (int64_t pair = 0; pair < pairs; ++pair) {
    const int64_t frame = pair / (call.height / 2), row = pair % (call.height / 2) * 2;
    const float* const pixels = call.pixels + (frame * area + row * width) * 3;
    uint8_t* const luma = call.out + frame * (area + area / 2);
    uint8_t* const blues = luma + area + row / 2 * (width / 2);
    for (int64_t column = 0; column < width; column += 2) {
      int64_t sum[3] = {};
      for (int64_t below = 0; below < 2; ++below)
        for (int64_t tap = -1; tap < 2; ++tap) {
          const float* const pixel = pixels + (below * width + std::max<int64_t>(column + tap, 0)) * 3;
          uint8_t rgb[3];
          finite = pixels_to_rgb(pixel, rgb) && finite;
          for (int c = 0; c < 3; ++c) sum[c] += (tap ? 1 : 2) * rgb[c];
          if (tap >= 0) luma[(row + below) * width + column + tap] = bt709::luma(rgb[0], rgb[1], rgb[2]);
        }
      blues[column / 2] = bt709::chroma_blue(sum[0], sum[1], sum[2]);
      blues[area / 4 + column / 2] = bt709::chroma_red(sum[0], sum[1], sum[2]);
    }
  }
  if (!finite) *call.not_finite = 1;
}

// The loops are plain enough to be both the reference and the portable kernel.
std::vector<Kernel<PixelFunction>> table_of(std::string_view operation, std::string_view reference,
                                            std::string_view portable, PixelFunction loops,
                                            const std::vector<Kernel<PixelFunction>>& cuda) {
  std::vector<Kernel<PixelFunction>> table{{{operation, reference, Backend::reference}, loops},
                                           {{operation, portable, Backend::cpu}, loops}};
  table.insert(table.end(), cuda.begin(), cuda.end());
  return table;
}

bool convert(const Context& context, const Kernel<PixelFunction>& kernel, const Tensor& pixels, Tensor& out,
             Tensor& not_finite) {
  fill_zero(context, not_finite);
  kernel.run({pixels.data<float>(), out.data<uint8_t>(), pixels.size(0), pixels.size(1), pixels.size(2),
              reinterpret_cast<uint32_t*>(not_finite.raw()), context.threads, context.device});
  return to_host(context, not_finite).data<int32_t>()[0] == 0;
}

bool convert(const Context& context, const std::vector<Kernel<PixelFunction>>& table, const Tensor& pixels, Tensor& out,
             const Shape& shape) {
  if (pixels.type() != DType::f32 || pixels.rank() != 4 || pixels.size(3) != 3 || out.type() != DType::u8 ||
      out.shape() != shape)
    throw Error("engine.internal", "Pixels were converted into the wrong shape.", {},
                shape_text(pixels.shape()) + " to " + shape_text(out.shape()));
  Tensor not_finite = context.allocate(DType::i32, {1});
  if (context.work) context.work->pass(static_cast<double>(pixels.bytes() + out.bytes()));
  return context.dry_run || convert(context, choose_kernel(table, context), pixels, out, not_finite);
}

// Zero when every byte and the word are the loops' own, else one.
double difference(const Kernel<PixelFunction>& kernel, PixelFunction loops, bool rgb, int64_t frames, int64_t height,
                  int64_t width, int threads) {
  const Context context = check::context_for(kernel.info, threads), host = context.on_host();
  const Tensor pixels = check::random_tensor(host, {frames, height, width, 3}, 3, 0.7f);
  pixels.data<float>()[0] = 0.5f / 127.5f - 1;  // half a level
  const Shape shape{frames * height * width * 3 / (rgb ? 1 : 2)};
  Tensor out = context.allocate(DType::u8, shape), expected = host.allocate(DType::u8, shape);
  Tensor flag = context.allocate(DType::i32, {1}), expected_flag = host.allocate(DType::i32, {1});
  const Kernel<PixelFunction> plain{kernel.info, loops};
  for (const bool spoiled : {false, true}) {
    if (spoiled) pixels.data<float>()[pixels.count() - 4] = INFINITY;
    const Tensor there = to_device(context, pixels);
    const bool finite = convert(context, kernel, there, out, flag);
    if (finite != convert(host, plain, pixels, expected, expected_flag) || finite == spoiled) return 1;
    const Tensor made = to_host(context, out);
    if (std::memcmp(made.raw(), expected.raw(), expected.bytes()) != 0) return 1;
  }
  return 0;
}

}  // namespace

const std::vector<Kernel<PixelFunction>>& pixels_to_rgb_kernels() {
  static const auto table = table_of("pixels_to_rgb", "pixels_to_rgb_reference", "pixels_to_rgb_portable", rgb_loops,
                                     pixels_to_rgb_cuda_kernels());
  return table;
}
const std::vector<Kernel<PixelFunction>>& pixels_to_i420_kernels() {
  static const auto table = table_of("pixels_to_i420", "pixels_to_i420_reference", "pixels_to_i420_portable",
                                     i420_loops, pixels_to_i420_cuda_kernels());
  return table;
}

bool pixels_to_rgb(const float* pixels, std::span<uint8_t> rgb) {
  bool finite = true;
  for (size_t i = 0; i < rgb.size(); ++i) {
    finite = finite && std::isfinite(pixels[i]);
    rgb[i] = static_cast<uint8_t>(std::nearbyint((std::clamp(pixels[i], -1.0f, 1.0f) + 1.0f) * 127.5f));
  }
  return finite;
}

bool pixels_to_rgb(const Context& context, const Tensor& pixels, Tensor& rgb) {
  return convert(context, pixels_to_rgb_kernels(), pixels, rgb, pixels.shape());
}

bool pixels_to_i420(const Context& context, const Tensor& pixels, Tensor& planes) {
  if (pixels.rank() != 4 || pixels.size(1) % 2 || pixels.size(2) % 2)
    throw Error("settings.invalid", "A video's width and height must be even.", {}, shape_text(pixels.shape()));
  return convert(context, pixels_to_i420_kernels(), pixels, planes,
                 {pixels.size(0), pixels.size(1) * pixels.size(2) * 3 / 2});
}

void append_pixel_checks(const CpuFeatures& features, std::vector<KernelCheck>& checks) {
  for (const bool rgb : {true, false})
    for (const auto& kernel : rgb ? pixels_to_rgb_kernels() : pixels_to_i420_kernels())
      for (const int64_t width : {2, 14, 530}) {
        if (kernel.info.backend == Backend::reference || !check::can_check(kernel.info, features)) continue;
        checks.push_back(
            {kernel.info, "2 frames of " + std::to_string(width) + " x 6", 0.0, [&kernel, rgb, width](int threads) {
               return difference(kernel, rgb ? rgb_loops : i420_loops, rgb, 2, 6, width, threads);
             }});
      }
}

}  // namespace rushes
