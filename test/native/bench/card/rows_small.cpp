// What only moves memory: norms, rotary embedding, conversions, gates, patches. At the token counts of the transformer.
#include "bench/card/card_bench.h"
#include "ops/elementwise/elementwise.h"
#include "ops/norm/norm.h"
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

}  // namespace

void small_rows(CardBench& bench) {
  for (const int64_t rows : bench.token_counts()) {
    if (bench.options().tiny)
      rows_of_width(bench, rows, 2, 64);
    else
      rows_of_width(bench, rows, 12, 128);
  }
}

}  // namespace rushes::card
