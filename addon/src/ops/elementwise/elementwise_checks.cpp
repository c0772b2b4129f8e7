// Every elementwise kernel against the reference, on counts that registers do not divide.
#include <limits>

#include "ops/check_context.h"
#include "ops/elementwise/elementwise.h"
#include "ops/elementwise/elementwise_kernels.h"
#include "runtime/random.h"

namespace rushes {
namespace {

constexpr int64_t kCounts[] = {1, 37, 20011};

using Operation = void (*)(const Context&, const Tensor& a, const Tensor& b, Tensor& out);

void append(const CpuFeatures& features, const std::vector<Kernel<ElementFunction>>& table, DType in, DType out_type,
            Operation run, std::vector<KernelCheck>& checks) {
  for (const auto& kernel : table)
    for (const int64_t count : kCounts) {
      if (!check::can_check(kernel.info, features)) continue;
      auto error = [info = kernel.info, count, in, out_type, run](int threads) {
        const Context tested = check::context_for(info, threads),
                      plain = check::context_for({{}, {}, Backend::reference}, 1);
        const Tensor a = check::random_tensor(plain, {count}, 1, 4, in),
                     b = check::random_tensor(plain, {count}, 2, 1, in);
        Tensor out = tested.allocate(out_type, {count}), expected = plain.allocate(DType::f32, {count});
        run(tested, to_device(tested, a), to_device(tested, b), out);
        run(plain, a, b, expected);
        return check::relative_error(out, expected);
      };
      checks.push_back({kernel.info,
                        "count " + std::to_string(count) + " " + std::string(dtype_name(in)) + " to " +
                            std::string(dtype_name(out_type)),
                        out_type == DType::bf16 ? 4e-3 : 1e-6, error});
    }
}

// A single bad value anywhere must be seen; the error is the share of answers that are wrong.
double finite_error(const KernelInfo& info, int64_t count, DType type, int threads) {
  const Context tested = check::context_for(info, threads), plain = check::context_for({{}, {}, Backend::reference}, 1);
  int wrong = 0;
  const float bad[] = {1.0f, std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                       std::numeric_limits<float>::quiet_NaN()};
  for (const float value : bad)
    for (const int64_t place : {int64_t{0}, count / 2, count - 1}) {
      const Tensor x = check::random_tensor(plain, {count}, 1, 1e30f, type);
      if (type == DType::f32)
        x.data<float>()[place] = value;
      else
        x.data<bf16>()[place] = bf16(value);
      wrong += all_finite(tested, to_device(tested, x)) != (value == 1.0f);
    }
  return wrong / 12.0;
}

}  // namespace

void append_elementwise_checks(const CpuFeatures& features, std::vector<KernelCheck>& checks) {
  const Operation to_other = [](const Context& context, const Tensor& a, const Tensor&, Tensor& out) {
    convert(context, a, out);
  };
  append(features, convert_kernels(), DType::f32, DType::bf16, to_other, checks);
  append(features, convert_kernels(), DType::bf16, DType::f32, to_other, checks);
  append(features, add_kernels(), DType::f32, DType::f32, add, checks);
  append(
      features, silu_kernels(), DType::f32, DType::f32,
      [](const Context& context, const Tensor& a, const Tensor&, Tensor& out) { silu(context, a, out); }, checks);
  append(features, gated_gelu_kernels(), DType::f32, DType::f32, gated_gelu, checks);
  append(features, gated_gelu_kernels(), DType::bf16, DType::bf16, gated_gelu, checks);
  for (const auto& kernel : all_finite_kernels())
    for (const DType type : {DType::f32, DType::bf16})
      for (const int64_t count : kCounts)
        if (check::can_check(kernel.info, features))
          checks.push_back(
              {kernel.info, "count " + std::to_string(count) + " " + std::string(dtype_name(type)), 0,
               [info = kernel.info, count, type](int threads) { return finite_error(info, count, type, threads); }});
}

}  // namespace rushes
