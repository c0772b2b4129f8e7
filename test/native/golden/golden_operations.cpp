// Kinds int8_linear and sla: one operation each, with its intermediate results.
#include <cstring>

#include "golden/golden_case.h"
#include "ops/linear/linear.h"
#include "runtime/random.h"

namespace rushes::golden {
namespace {

// The share of elements that differ: tiles and scales must be exact.
double difference(const Tensor& out, const TensorView& expected) {
  const size_t size = dtype_size(expected.type), count = static_cast<size_t>(expected.count());
  size_t different = 0;
  for (size_t i = 0; i < count; ++i)
    different += std::memcmp(out.raw() + i * size, expected.data + i * size, size) != 0;
  return static_cast<double>(different) / static_cast<double>(count);
}

// [1, heads, L, D] -> [L, heads * D]
Tensor by_token(const Tensor& x, DType type) {
  const int64_t heads = x.size(1), length = x.size(2), size = x.size(3);
  const Context context;
  Tensor out = context.allocate(type, {length, heads * size});
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t t = 0; t < length; ++t)
      for (int64_t i = 0; i < size; ++i) {
        const float value = x.data<float>()[(h * length + t) * size + i];
        const int64_t place = (t * heads + h) * size + i;
        if (type == DType::f32)
          out.data<float>()[place] = value;
        else
          out.data<bf16>()[place] = bf16(value);
      }
  return out;
}

}  // namespace

void run_int8_linear(const Case& golden, Report& report) {
  for (const Setup& setup : exact_setups()) {
    const Context context = setup.context();
    auto compare_tiles = [&](const char* source, const std::string& q_name, const std::string& scale_name) {
      const TensorView q = golden.view(q_name), scale = golden.view(scale_name);
      Tensor tiles = context.allocate(DType::i8, q.shape), scales = context.allocate(DType::f32, scale.shape);
      quantize_tiles(context, load_tensor(context, golden.view(source), DType::bf16), tiles, scales);
      report.check(golden.name(), setup, std::string(source) + " tiles", difference(to_host(context, tiles), q), 0);
      report.check(golden.name(), setup, std::string(source) + " scales", difference(to_host(context, scales), scale),
                   0);
    };
    compare_tiles("x", "x_q", "x_scale");
    compare_tiles("weight", "w_q", "w_scale");

    const Tensor x = load_tensor(context, golden.view("x"), DType::bf16), expected = golden.tensor("out");
    const LinearSource floating{"layer", golden.view("weight"), {}, golden.view("bias")};
    const LinearSource tiles{"layer", golden.view("w_q"), golden.view("w_scale"), golden.view("bias")};
    for (const auto& [variant, source] : {std::pair{"out, quantized here", &floating}, {"out, from tiles", &tiles}}) {
      Tensor out = context.allocate(DType::f32, expected.shape());
      linear(context, x, *prepare_linear(context, *source, LinearFormat::int8_tiles), out);
      report.check(golden.name(), setup, variant, check::relative_error(out, expected), golden.tolerance());
    }
  }
}

void run_sla(const Case& golden, Report& report) {
  const int64_t heads = golden.view("q").shape[1];
  const Tensor sparse = by_token(golden.tensor("sparse"), DType::f32),
               linear = by_token(golden.tensor("linear"), DType::f32);
  const Tensor whole = by_token(golden.tensor("out"), DType::f32);
  const Tensor proj_weight = golden.tensor("proj_weight"), proj_bias = golden.tensor("proj_bias");

  auto run = [&](const Setup& setup, AttentionType type, double sparse_tolerance, double tolerance) {
    const Context context = setup.context();
    const auto operand = [&](const char* name) {
      return to_device(context, by_token(golden.tensor(name), setup.compute));
    };
    const Tensor q = operand("q"), k = operand("k"), v = operand("v");
    const Tensor weight = to_device(context, proj_weight), bias = to_device(context, proj_bias);
    Tensor out = context.allocate(DType::f32, whole.shape()), sparse_part = context.allocate(DType::f32, whole.shape());
    Tensor linear_part = context.allocate(DType::f32, whole.shape());
    sparse_attention(context, q, k, v, heads, {type, golden.info().at("topk"), &weight, &bias}, out,
                     {&sparse_part, &linear_part});
    const std::string name = type == AttentionType::sla ? "sla" : "sagesla";
    report.check(golden.name(), setup, name + " sparse", check::relative_error(sparse_part, sparse), sparse_tolerance);
    report.check(golden.name(), setup, name + " linear", check::relative_error(linear_part, linear), tolerance);
    report.check(golden.name(), setup, name, check::relative_error(out, whole), sparse_tolerance);
  };
  const double sage = 1.1 * golden.info().at("sagesla_error").get<double>();
  for (const Setup& setup : exact_setups()) {
    run(setup, AttentionType::sla, golden.tolerance(), golden.tolerance());
    run(setup, AttentionType::sagesla, sage, golden.tolerance());
  }
  if (bf16_setups().empty()) report.skip(golden.name(), "bf16", "no bf16");
  for (const Setup& setup : bf16_setups()) {
    run(setup, AttentionType::sla, kBf16Tolerance, kBf16Tolerance);
    run(setup, AttentionType::sagesla, kBf16Tolerance, kBf16Tolerance);
  }
}

}  // namespace rushes::golden
