// Self-test entries of the linear operation: every kernel of every table against the reference on small odd shapes.
#include "ops/check_context.h"
#include "ops/linear/packed_linear.h"
#include "runtime/random.h"

namespace rushes {
namespace {

struct Case {
  int64_t rows, depth, outputs;
  bool bias;
  Activation activation;
  bool accumulate;
  bool in_file;  // weights that stay in the file where the kernel can multiply them as they are
  bool addend = false;
  int64_t rank = 0;  // of a low-rank change
};
constexpr Case kCases[] = {
    {1, 128, 1, false, Activation::none, false, false},
    {129, 256, 136, true, Activation::gelu_tanh, false, false},
    {37, 384, 65, true, Activation::silu, true, false},
    {37, 1160, 136, true, Activation::none, true, true},
    {3, 128, 65, true, Activation::none, false, false, true},
    {129, 256, 136, true, Activation::gelu_tanh, false, false, true},
    {37, 384, 72, true, Activation::none, true, false, true},
    {130, 5, 136, false, Activation::none, false, false},  // the up side of a low-rank change
    {37, 384, 65, true, Activation::silu, true, false, false, 5},
    {900, 128, 136, false, Activation::none, false, false, false, 160},
    {37, 1160, 136, true, Activation::none, true, true, false, 33},
};

TensorView view_of(const Tensor& tensor) { return {"weight", tensor.type(), tensor.shape(), tensor.raw()}; }

// In f32, so that what is between the two products is not rounded one way here and another there.
void run_changed(const Context& maker, const Linear& layer, const Case& c, const Tensor& x, Tensor& out,
                 Epilogue epilogue) {
  const Context host = maker.on_host();
  const Tensor down = check::random_tensor(host, {c.rank, c.depth}, 7, 0.05f),
               up = check::random_tensor(host, {c.outputs, c.rank}, 8, 0.1f),
               bias = check::random_tensor(host, {c.outputs}, 9);
  LinearSource up_source{"up", view_of(up), {}, {}};
  if (c.bias) up_source.bias = view_of(bias);
  const auto down_layer = prepare_linear(maker, {"down", view_of(down), {}, {}}, LinearFormat::f32),
             up_layer = prepare_linear(maker, up_source, LinearFormat::f32);
  const LowRank change{down_layer.get(), up_layer.get()};
  epilogue.low_rank = &change;
  linear(maker, x, layer, out, epilogue);
}

Tensor run(const Context& maker, const Kernel<MakeLinear>& kernel, const Case& c, DType x_type) {
  const Context host = maker.on_host();  // a layer is made from host memory on every backend
  const DType weight_type = c.in_file && kernel.info.operation == "f32 linear" ? DType::f32 : DType::bf16;
  const Tensor weight = check::random_tensor(host, {c.outputs, c.depth}, 1, 0.05f, weight_type);
  const Tensor bias = check::random_tensor(host, {c.outputs}, 2);
  const Tensor gate = check::random_tensor(maker, {c.outputs}, 3);
  const Tensor x = check::random_tensor(maker, {c.rows, c.depth}, 4, 1.0f, x_type);
  LinearSource source{"check", view_of(weight), {}, {}};
  if (c.bias) source.bias = view_of(bias);
  if (c.in_file && kernel.info.backend == Backend::cpu)
    source.in_file = {[&weight](const Context&) { return view_of(weight); }, [] {}};
  const auto layer = kernel.run(maker, source);
  Tensor out = check::random_tensor(maker, {c.rows, c.outputs}, 5);
  // Of the other type than x, so that each kernel meets both.
  const Tensor addend =
      check::random_tensor(maker, out.shape(), 6, 1.0f, x_type == DType::f32 ? DType::bf16 : DType::f32);
  const Epilogue epilogue{c.activation, c.accumulate, c.accumulate ? &gate : nullptr, c.addend ? &addend : nullptr};
  if (c.rank > 0)
    run_changed(maker, *layer, c, x, out, epilogue);
  else
    layer->run(maker, x, out, epilogue);
  return to_host(maker, out);
}

}  // namespace

void append_linear_checks(const CpuFeatures& features, std::vector<KernelCheck>& checks) {
  for (const LinearFormat format : {LinearFormat::f32, LinearFormat::bf16, LinearFormat::int8_tiles}) {
    const auto& kernels = linear_kernels(format, DType::bf16);
    for (const auto& kernel : kernels) {
      if (!check::can_check(kernel.info, features)) continue;
      for (const Case& c : kCases) {
        if (format == LinearFormat::int8_tiles && c.depth % kTile) continue;
        const DType x_type = c.rows == 37 ? DType::bf16 : DType::f32;
        const std::string text = "rows " + std::to_string(c.rows) + " in " + std::to_string(c.depth) + " out " +
                                 std::to_string(c.outputs) + (c.in_file ? " in its file" : "") +
                                 (c.addend ? " with addend" : "") +
                                 (c.rank ? " with rank " + std::to_string(c.rank) : "");
        checks.push_back({kernel.info, text, 2e-6, [=, &kernel, &kernels](int threads) {
                            const Context plain = check::context_for(kernels.front().info, threads, DType::bf16);
                            const Context tested = check::context_for(kernel.info, threads, DType::bf16);
                            const Tensor wanted = run(plain, kernels.front(), c, x_type);
                            return check::relative_error(run(tested, kernel, c, x_type), wanted);
                          }});
      }
    }
  }
}

}  // namespace rushes
