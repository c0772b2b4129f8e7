// Every norm kernel against the reference, on widths that registers do not divide.
#include <algorithm>

#include "ops/check_context.h"
#include "ops/norm/norm.h"
#include "ops/norm/norm_kernels.h"
#include "runtime/random.h"

namespace rushes {
namespace {

struct Case {
  int64_t rows, heads, head_size;
  DType in, out;
};
constexpr Case kCases[] = {{3, 2, 128, DType::f32, DType::f32},     {5, 3, 22, DType::f32, DType::bf16},
                           {17, 12, 128, DType::bf16, DType::bf16}, {1, 1, 10, DType::bf16, DType::f32},
                           {2, 11, 130, DType::f32, DType::bf16},   {6, 3, 64, DType::bf16, DType::bf16},
                           {2, 40, 128, DType::f32, DType::f32},    {2, 128, 128, DType::bf16, DType::bf16}};

using Operation = void (*)(const Context&, const Case&, const Tensor& x, const Tensor& scale, const Tensor& shift,
                           Tensor& out);

template <NormRounding rounding>
void run_rms(const Context& context, const Case&, const Tensor& x, const Tensor& scale, const Tensor&, Tensor& out) {
  rms_norm(context, x, scale, 1e-6f, out, rounding);
}

template <NormRounding rounding>
void run_rotary(const Context& context, const Case& c, const Tensor& x, const Tensor& scale, const Tensor&,
                Tensor& out) {
  RotaryTable table = make_rotary_table(context.on_host(), 1, 1, c.rows, c.head_size);
  table = {to_device(context, table.cosine), to_device(context, table.sine)};
  rms_norm_rotary(context, x, scale, 1e-6f, c.heads, table, out, rounding);
}

enum class Types { all, out_bf16, f32_in };

void append(const CpuFeatures& features, const std::vector<Kernel<NormFunction>>& table, Types types, Operation run,
            std::vector<KernelCheck>& checks, const char* form = "") {
  for (const auto& kernel : table)
    for (const Case& c : kCases) {
      if (!check::can_check(kernel.info, features) || (c.in == DType::bf16 && types == Types::f32_in) ||
          (c.out != DType::bf16 && types == Types::out_bf16))
        continue;
      const std::string text = "rows " + std::to_string(c.rows) + " width " + std::to_string(c.heads * c.head_size) +
                               " " + std::string(dtype_name(c.in)) + " to " + std::string(dtype_name(c.out)) + form;
      const DType expected_type = types == Types::out_bf16 ? DType::bf16 : DType::f32;
      auto error = [info = kernel.info, c, run, expected_type](int threads) {
        const int64_t width = c.heads * c.head_size;
        const Context tested = check::context_for(info, threads),
                      plain = check::context_for({{}, {}, Backend::reference}, 1);
        const Tensor x = check::random_tensor(plain, {c.rows, width}, 1, 3, c.in);
        const Tensor scale = check::random_tensor(plain, {width}, 2), shift = check::random_tensor(plain, {width}, 3);
        // What is rounded on the way is rounded only for a bf16 output.
        Tensor out = tested.allocate(c.out, x.shape()), expected = plain.allocate(expected_type, x.shape());
        run(tested, c, to_device(tested, x), to_device(tested, scale), to_device(tested, shift), out);
        run(plain, c, x, scale, shift, expected);
        return check::relative_error(out, expected);
      };
      // Rounded alike, two outputs differ where a number lies between two of bf16; a rounding left out is 9.5e-4 and
      // more.
      const double bound = c.out == DType::f32 ? 2e-6 : types == Types::out_bf16 ? 8e-4 : 3e-3;
      checks.push_back({kernel.info, text, bound, error});
    }
}

}  // namespace

void append_norm_checks(const CpuFeatures& features, std::vector<KernelCheck>& checks) {
  append(
      features, layer_norm_kernels(), Types::f32_in,
      [](const Context& context, const Case&, const Tensor& x, const Tensor& scale, const Tensor& shift, Tensor& out) {
        layer_norm(context, x, scale, shift, 1e-6f, out);
      },
      checks);
  append(features, rms_norm_kernels(), Types::all, run_rms<NormRounding::once>, checks);
  append(features, rms_norm_rotary_kernels(), Types::all, run_rotary<NormRounding::once>, checks);
  append(features, rms_norm_kernels(), Types::out_bf16, run_rms<NormRounding::each>, checks, " rounded each");
  append(features, rms_norm_rotary_kernels(), Types::out_bf16, run_rotary<NormRounding::each>, checks, " rounded each");
}

}  // namespace rushes
