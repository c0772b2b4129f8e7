// The elementwise operations' argument checks, kernel tables and threads.
#include "ops/elementwise/elementwise.h"

#include <algorithm>

#include "ops/elementwise/elementwise_cuda.h"
#include "ops/elementwise/elementwise_kernels.h"
#include "ops/expect.h"

namespace rushes {
namespace {

constexpr int64_t kChunk = 1 << 14;  // elements a thread takes at a time

bool is_activation(const Tensor& x) { return x.type() == DType::f32 || x.type() == DType::bf16; }

ElementSpans spans_of(const Context& context, const Tensor& a, const Tensor& b, const Tensor& out) {
  return {a.raw(), b.raw(), out.raw(), a.type() == DType::bf16, out.type() == DType::bf16, context.device};
}

void run(const Context& context, const std::vector<Kernel<ElementFunction>>& table, const Tensor& a, const Tensor& b,
         const Tensor& out) {
  context.check_cancelled();
  if (context.work) context.work->pass(static_cast<double>(a.bytes() + out.bytes() + (&a == &b ? 0 : b.bytes())));
  if (context.dry_run) return;
  const ElementFunction kernel = choose_kernel(table, context).run;
  const ElementSpans spans = spans_of(context, a, b, out);
  const int64_t count = a.count();
  if (context.backend == Backend::cuda) return kernel(spans, 0, count);
#pragma omp parallel for num_threads(context.threads) schedule(static) if (count > kChunk)
  for (int64_t begin = 0; begin < count; begin += kChunk) kernel(spans, begin, std::min(count, begin + kChunk));
}

template <class Function>
std::vector<Kernel<Function>> table_of(std::string_view operation, std::string_view reference_name, Function reference,
                                       std::initializer_list<Kernel<Function>> cpu,
                                       const std::vector<Kernel<Function>>& cuda) {
  std::vector<Kernel<Function>> table{{{operation, reference_name, Backend::reference}, reference}};
  table.insert(table.end(), cpu);
  table.insert(table.end(), cuda.begin(), cuda.end());
  return table;
}

}  // namespace

#if defined(__x86_64__)
#define RUSHES_ELEMENT_TABLE(Function, operation)                                                               \
  table_of<Function>(#operation, #operation "_reference", operation##_reference,                                \
                     {{{#operation, #operation "_f32_avx2", Backend::cpu, Isa::avx2}, operation##_avx2},        \
                      {{#operation, #operation "_f32_avx512", Backend::cpu, Isa::avx512}, operation##_avx512}}, \
                     operation##_cuda_kernels())
#else
#define RUSHES_ELEMENT_TABLE(Function, operation) \
  table_of<Function>(#operation, #operation "_reference", operation##_reference, {}, operation##_cuda_kernels())
#endif

const std::vector<Kernel<ElementFunction>>& convert_kernels() {
  static const auto table = RUSHES_ELEMENT_TABLE(ElementFunction, convert);
  return table;
}
const std::vector<Kernel<ElementFunction>>& add_kernels() {
  static const auto table = RUSHES_ELEMENT_TABLE(ElementFunction, add);
  return table;
}
const std::vector<Kernel<ElementFunction>>& silu_kernels() {
  static const auto table = RUSHES_ELEMENT_TABLE(ElementFunction, silu);
  return table;
}
const std::vector<Kernel<ElementFunction>>& gated_gelu_kernels() {
  static const auto table = RUSHES_ELEMENT_TABLE(ElementFunction, gated_gelu);
  return table;
}
const std::vector<Kernel<FiniteFunction>>& all_finite_kernels() {
  static const auto table = RUSHES_ELEMENT_TABLE(FiniteFunction, all_finite);
  return table;
}

void convert(const Context& context, const Tensor& x, Tensor& out) {
  expect(is_activation(x) && is_activation(out), "convert", "x and out must be f32 or bf16");
  expect(x.count() == out.count(), "convert", "x and out must have the same number of elements");
  run(context, convert_kernels(), x, x, out);
}

void add(const Context& context, const Tensor& a, const Tensor& b, Tensor& out) {
  expect(a.type() == DType::f32 && b.type() == DType::f32 && out.type() == DType::f32, "add", "all must be f32");
  expect(a.count() == b.count() && a.count() == out.count(), "add", "all must have the same number of elements");
  run(context, add_kernels(), a, b, out);
}

void silu(const Context& context, const Tensor& x, Tensor& out) {
  expect(x.type() == DType::f32 && out.type() == DType::f32, "silu", "x and out must be f32");
  expect(x.count() == out.count(), "silu", "x and out must have the same number of elements");
  run(context, silu_kernels(), x, x, out);
}

void gated_gelu(const Context& context, const Tensor& gate, const Tensor& up, Tensor& out) {
  expect(is_activation(gate) && gate.type() == up.type() && is_activation(out), "gated_gelu",
         "gate and up must be of one type, f32 or bf16");
  expect(gate.shape() == up.shape() && gate.shape() == out.shape(), "gated_gelu", "all must have one shape");
  run(context, gated_gelu_kernels(), gate, up, out);
}

bool all_finite(const Context& context, const Tensor& x) {
  expect(is_activation(x), "all_finite", "x must be f32 or bf16");
  context.check_cancelled();
  if (context.work) context.work->pass(static_cast<double>(x.bytes()));
  if (context.dry_run) return true;
  const FiniteFunction kernel = choose_kernel(all_finite_kernels(), context).run;
  const ElementSpans spans = spans_of(context, x, x, x);
  const int64_t count = x.count();
  if (context.backend == Backend::cuda) return kernel(spans, 0, count);
  bool finite = true;
#pragma omp parallel for num_threads(context.threads) schedule(static) reduction(&& : finite) if (count > kChunk)
  for (int64_t begin = 0; begin < count; begin += kChunk)
    finite = finite && kernel(spans, begin, std::min(count, begin + kChunk));
  return finite;
}

}  // namespace rushes
