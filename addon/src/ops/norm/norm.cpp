// The norms' argument checks, kernel tables and threads. The arithmetic is in norm_reference.cpp and norm_lanes.h.
#include "ops/norm/norm.h"

#include <algorithm>

#include "ops/expect.h"
#include "ops/norm/norm_cuda.h"
#include "ops/norm/norm_kernels.h"

namespace rushes {
namespace {

bool is_activation(const Tensor& x) { return x.type() == DType::f32 || x.type() == DType::bf16; }
bool is_vector(const Tensor& x, int64_t width) { return x.type() == DType::f32 && x.count() == width; }

void count_pass(const Context& context, const Tensor& x, const Tensor& out) {
  if (!context.work) return;
  context.work->bytes += static_cast<double>(x.bytes() + out.bytes());
  context.work->of(Effort::norm_bytes) += static_cast<double>(x.bytes() + out.bytes());
}

NormRows rows_of(const Tensor& x, const Tensor& scale, float epsilon, const Tensor& out) {
  NormRows rows;
  rows.x = x.raw();
  rows.out = out.raw();
  rows.x_bf16 = x.type() == DType::bf16;
  rows.out_bf16 = out.type() == DType::bf16;
  rows.scale = scale.data<float>();
  rows.epsilon = epsilon;
  rows.width = x.size(1);
  return rows;
}

// Rows are independent, so any split gives the same bits.
void run(const Context& context, const std::vector<Kernel<NormFunction>>& table, NormRows rows, int64_t count) {
  const NormFunction kernel = choose_kernel(table, context).run;
  if (context.backend == Backend::cuda) {
    rows.device = context.device;
    return kernel(rows, 0, count);
  }
  constexpr int64_t kChunk = 8;
#pragma omp parallel for num_threads(context.threads) schedule(static)
  for (int64_t begin = 0; begin < count; begin += kChunk) kernel(rows, begin, std::min(count, begin + kChunk));
}

std::vector<Kernel<NormFunction>> table_of(std::string_view operation, std::string_view reference_name,
                                           NormFunction reference, std::initializer_list<Kernel<NormFunction>> cpu,
                                           const std::vector<Kernel<NormFunction>>& cuda) {
  std::vector<Kernel<NormFunction>> table{{{operation, reference_name, Backend::reference}, reference}};
  table.insert(table.end(), cpu);
  table.insert(table.end(), cuda.begin(), cuda.end());
  return table;
}

}  // namespace

#if defined(__x86_64__)
#define RUSHES_NORM_TABLE(operation)                                                                  \
  table_of(#operation, #operation "_reference", operation##_reference,                                \
           {{{#operation, #operation "_f32_avx2", Backend::cpu, Isa::avx2}, operation##_avx2},        \
            {{#operation, #operation "_f32_avx512", Backend::cpu, Isa::avx512}, operation##_avx512}}, \
           operation##_cuda_kernels())
#else
#define RUSHES_NORM_TABLE(operation) \
  table_of(#operation, #operation "_reference", operation##_reference, {}, operation##_cuda_kernels())
#endif

const std::vector<Kernel<NormFunction>>& layer_norm_kernels() {
  static const auto table = RUSHES_NORM_TABLE(layer_norm);
  return table;
}
const std::vector<Kernel<NormFunction>>& rms_norm_kernels() {
  static const auto table = RUSHES_NORM_TABLE(rms_norm);
  return table;
}
const std::vector<Kernel<NormFunction>>& rms_norm_rotary_kernels() {
  static const auto table = RUSHES_NORM_TABLE(rms_norm_rotary);
  return table;
}

void layer_norm(const Context& context, const Tensor& x, const Tensor& scale, const Tensor& shift, float eps,
                Tensor& out) {
  expect(x.rank() == 2 && x.type() == DType::f32, "layer_norm", "x must be f32 [rows, width]");
  expect(out.shape() == x.shape() && is_activation(out), "layer_norm", "out must have the shape of x, f32 or bf16");
  expect(is_vector(scale, x.size(1)) && is_vector(shift, x.size(1)), "layer_norm",
         "scale and shift must be f32 [width]");
  context.check_cancelled();
  count_pass(context, x, out);
  if (context.dry_run) return;
  NormRows rows = rows_of(x, scale, eps, out);
  rows.shift = shift.data<float>();
  run(context, layer_norm_kernels(), rows, x.size(0));
}

void rms_norm(const Context& context, const Tensor& x, const Tensor& weight, float eps, Tensor& out,
              NormRounding rounding) {
  expect(x.rank() == 2 && is_activation(x), "rms_norm", "x must be [rows, width], f32 or bf16");
  expect(out.shape() == x.shape() && is_activation(out), "rms_norm", "out must have the shape of x, f32 or bf16");
  expect(is_vector(weight, x.size(1)), "rms_norm", "weight must be f32 [width]");
  context.check_cancelled();
  count_pass(context, x, out);
  if (context.dry_run) return;
  NormRows rows = rows_of(x, weight, eps, out);
  rows.round_each = rows.out_bf16 && rounding == NormRounding::each;
  run(context, rms_norm_kernels(), rows, x.size(0));
}

void rms_norm_rotary(const Context& context, const Tensor& x, const Tensor& weight, float eps, int64_t heads,
                     const RotaryTable& table, Tensor& out, NormRounding rounding) {
  expect(x.rank() == 2 && is_activation(x), "rms_norm_rotary", "x must be [rows, width], f32 or bf16");
  expect(out.shape() == x.shape() && is_activation(out), "rms_norm_rotary",
         "out must have the shape of x, f32 or bf16");
  expect(is_vector(weight, x.size(1)), "rms_norm_rotary", "weight must be f32 [width]");
  expect(heads > 0 && x.size(1) % (2 * heads) == 0, "rms_norm_rotary", "the width must split into heads of even size");
  const Shape angles{x.size(0), x.size(1) / heads / 2};
  expect(table.cosine.shape() == angles && table.sine.shape() == angles, "rms_norm_rotary",
         "the table must be [rows, head_size / 2]");
  context.check_cancelled();
  count_pass(context, x, out);
  if (context.dry_run) return;
  NormRows rows = rows_of(x, weight, eps, out);
  rows.round_each = rows.out_bf16 && rounding == NormRounding::each;
  rows.cosine = table.cosine.data<float>();
  rows.sine = table.sine.data<float>();
  rows.head_size = x.size(1) / heads;
  run(context, rms_norm_rotary_kernels(), rows, x.size(0));
}

}  // namespace rushes
