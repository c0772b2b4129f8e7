// What only moves memory: norms, rotary embedding, conversions and gates at the token counts of the transformer; a
// clip's noise, its patches and its bytes.
#include <algorithm>

#include "bench/card/card_bench.h"
#include "ops/elementwise/elementwise.h"
#include "ops/noise/noise.h"
#include "ops/norm/norm.h"
#include "ops/patches/patches.h"
#include "ops/pixels/pixels.h"
#include "runtime/random.h"

namespace rushes::card {
namespace {

constexpr float kEpsilon = 1e-6f;

/// An operation on rows of one width: `run` on a context, with x and the result where the context computes.
struct Pass {
  std::string operation;
  DType in, out;
  double tolerance;
  std::function<void(const Context&, const Tensor& x, Tensor& out)> run;
};

void pass_row(CardBench& bench, const Pass& pass, int64_t rows, int64_t width) {
  const std::string shape = std::to_string(rows) + "x" + std::to_string(width);
  if (!bench.wanted(pass.operation, shape)) return;
  const Context context = bench.context(), plain = bench.reference_context();
  const Tensor host_x = filled(plain, {rows, width}, 3, 2.0f, pass.in), x = to_device(context, host_x);
  Tensor out = context.allocate(pass.out, x.shape());
  Row row{.operation = pass.operation, .shape = shape, .tolerance = pass.tolerance};
  row.kernel = std::string(dtype_name(pass.in)) + " to " + std::string(dtype_name(pass.out));
  row.needs.bytes = static_cast<double>(x.bytes() + out.bytes());
  row.run = [&] { pass.run(context, x, out); };
  row.error = [&] {
    pass.run(context, x, out);
    Tensor wanted = plain.allocate(pass.out, x.shape());
    pass.run(plain, host_x, wanted);
    return check::relative_error(out, wanted);
  };
  bench.measure(std::move(row));
}

void rows_of_width(CardBench& bench, int64_t rows, int64_t heads, int64_t head_size) {
  const int64_t width = heads * head_size;
  const Context context = bench.context(), plain = bench.reference_context();
  // Parameters on both sides; each run takes those that lie where it computes.
  const Tensor host_scale = filled(plain, {width}, 4, 1.0f, DType::f32),
               host_shift = filled(plain, {width}, 5, 1.0f, DType::f32);
  const Tensor scale = to_device(context, host_scale), shift = to_device(context, host_shift);
  RotaryTable host_table = make_rotary_table(plain.on_host(), 1, 1, rows, head_size);
  const RotaryTable table = {to_device(context, host_table.cosine), to_device(context, host_table.sine)};
  const auto on_card = [](const Context& c) { return c.backend == Backend::cuda; };
  // bf16 rounds once on both sides: a value on a rounding edge may go either way.
  constexpr double kExact = 3e-6, kRounded = 5e-4;
  const std::vector<Pass> passes = {
      {"layer norm, modulated", DType::f32, DType::bf16, kRounded,
       [&](const Context& c, const Tensor& x, Tensor& out) {
         layer_norm(c, x, on_card(c) ? scale : host_scale, on_card(c) ? shift : host_shift, kEpsilon, out);
       }},
      {"rms norm", DType::bf16, DType::bf16, kRounded,
       [&](const Context& c, const Tensor& x, Tensor& out) {
         rms_norm(c, x, on_card(c) ? scale : host_scale, kEpsilon, out);
       }},
      {"rms norm and rotary", DType::bf16, DType::bf16, kRounded,
       [&](const Context& c, const Tensor& x, Tensor& out) {
         rms_norm_rotary(c, x, on_card(c) ? scale : host_scale, kEpsilon, heads, on_card(c) ? table : host_table, out);
       }},
      {"convert", DType::f32, DType::bf16, 0,
       [&](const Context& c, const Tensor& x, Tensor& out) { convert(c, x, out); }},
      {"add", DType::f32, DType::f32, kExact,
       [&](const Context& c, const Tensor& x, Tensor& out) { add(c, x, x, out); }},
      {"silu", DType::f32, DType::f32, kExact,
       [&](const Context& c, const Tensor& x, Tensor& out) { silu(c, x, out); }},
      {"gated gelu", DType::bf16, DType::bf16, 2e-3,
       [&](const Context& c, const Tensor& x, Tensor& out) { gated_gelu(c, x, x, out); }},
      {"all finite", DType::f32, DType::f32, 0,
       [&](const Context& c, const Tensor& x, Tensor& out) {  // a copy, so that there is a result to compare
         if (all_finite(c, x)) copy_tensor(c, x, out);
       }},
  };
  for (const Pass& pass : passes) pass_row(bench, pass, rows, width);
}

/// Latents of a clip: their noise, and their way to tokens and back.
void latent_rows(CardBench& bench, const TokenGrid& grid) {
  const Context context = bench.context(DType::f32), plain = bench.reference_context(DType::f32);
  const Shape clip = {16, grid.frames, 2 * grid.height, 2 * grid.width};
  const std::string shape = shape_text(clip);
  const auto row_of = [&](const char* operation, const char* kernel, double bytes) {
    Row row{.operation = operation, .shape = shape, .kernel = kernel};
    row.needs.bytes = bytes;
    return row;
  };
  Tensor noise = context.allocate(DType::f32, clip);
  const auto clip_bytes = static_cast<double>(noise.bytes());
  if (bench.wanted("noise", shape)) {
    Row row = row_of("noise", "philox, float64 pairs", clip_bytes);
    row.run = [&] { normal_noise(context, 5, 0, noise); };
    row.error = [&] {
      normal_noise(context, 5, 0, noise);
      Tensor wanted = plain.allocate(DType::f32, clip);
      normal_noise(plain, 5, 0, wanted);
      return check::relative_error(noise, wanted);
    };
    bench.measure(std::move(row));
  }
  if (!bench.wanted("patches", shape)) return;
  const Tensor host = filled(plain, clip, 7, 1.0f, DType::f32), latents = to_device(context, host);
  Row row = row_of("patches", "f32 to f32", 2 * clip_bytes);
  row.run = [&] { patches_of(context, latents, grid); };
  row.error = [&] { return check::relative_error(patches_of(context, latents, grid), patches_of(plain, host, grid)); };
  bench.measure(std::move(row));
}

/// Frames of the VAE to the bytes that are shown, and to those that are encoded.
void pixel_rows(CardBench& bench, int64_t frames, int64_t height, int64_t width) {
  const Context context = bench.context(DType::f32), plain = bench.reference_context(DType::f32);
  const Tensor host = filled(plain, {frames, height, width, 3}, 8, 1.1f, DType::f32), pixels = to_device(context, host);
  const std::string shape = shape_text(host.shape());
  const auto measure = [&](const char* operation, Shape out_shape, auto convert_pixels) {
    if (!bench.wanted(operation, shape)) return;
    Tensor out = context.allocate(DType::u8, out_shape);
    Row row{.operation = operation, .shape = shape, .kernel = "f32 to bytes"};
    row.needs.bytes = static_cast<double>(pixels.bytes() + out.bytes());
    row.run = [&] { convert_pixels(context, pixels, out); };
    row.error = [&] {  // every byte
      const bool finite = convert_pixels(context, pixels, out);
      Tensor wanted = plain.allocate(DType::u8, out_shape);
      convert_pixels(plain, host, wanted);
      const Tensor got = to_host(context, out);
      return finite && std::equal(got.raw(), got.raw() + got.bytes(), wanted.raw()) ? 0.0 : 1.0;
    };
    bench.measure(std::move(row));
  };
  measure("pixels to RGB", host.shape(),
          [](const Context& c, const Tensor& x, Tensor& out) { return pixels_to_rgb(c, x, out); });
  measure("pixels to I420", {frames, height * width * 3 / 2},
          [](const Context& c, const Tensor& x, Tensor& out) { return pixels_to_i420(c, x, out); });
}

}  // namespace

void small_rows(CardBench& bench) {
  for (const int64_t rows : bench.token_counts()) {
    if (bench.options().tiny)
      rows_of_width(bench, rows, 2, 64);
    else
      rows_of_width(bench, rows, 12, 128);
  }
  if (bench.options().tiny) {
    latent_rows(bench, {2, 3, 5});
    pixel_rows(bench, 1, 6, 10);
  } else {
    latent_rows(bench, {21, 30, 52});
    pixel_rows(bench, 16, 480, 832);
  }
}

}  // namespace rushes::card
