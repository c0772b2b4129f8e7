// Kinds umt5 and dit: whole networks, in every precision and with every attention they have.
#include "golden/golden_case.h"
#include "models/umt5/umt5.h"
#include "models/wan_dit/wan_dit.h"
#include "runtime/random.h"

namespace rushes::golden {
namespace {

LinearFormat plain_format(const Setup& setup) {
  return setup.compute == DType::bf16 ? LinearFormat::bf16 : LinearFormat::f32;
}

Tensor velocity(const Case& golden, const Setup& setup, const char* file, LinearFormat format, AttentionType type) {
  const Context context = setup.context();
  const auto model = WanDit::load(context, golden.file(file), format);
  return model->velocity(context, golden.tensor("latents", true), golden.info().at("timestep"),
                         golden.tensor("context", true), {type, golden.info().value("topk", 0.1)});
}

}  // namespace

void run_umt5(const Case& golden, Report& report) {
  const Tensor expected = golden.tensor("context", true);
  auto run = [&](const Setup& setup, double tolerance) {
    const Context context = setup.context();
    const auto model = Umt5::load(context, golden.file("weights"), plain_format(setup));
    const Tensor out = model->encode(context, golden.ids(), golden.info().at("text_len"));
    report.check(golden.name(), setup, "context", check::relative_error(out, expected), tolerance);
  };
  for (const Setup& setup : exact_setups()) run(setup, golden.tolerance());
  for (const Setup& setup : bf16_setups()) run(setup, kBf16Tolerance);
  if (bf16_setups().empty()) report.skip(golden.name(), "bf16", "no bf16");
}

void run_dit(const Case& golden, Report& report) {
  const Tensor expected = golden.tensor("velocity", true);
  const AttentionType attention = golden.info().at("attention") == "sla" ? AttentionType::sla : AttentionType::original;
  auto compare = [&](const Setup& setup, std::string_view variant, const Tensor& out, double tolerance) {
    report.check(golden.name(), setup, variant, check::relative_error(out, expected), tolerance);
  };
  for (const Setup& setup : exact_setups()) {
    compare(setup, "velocity", velocity(golden, setup, "weights", LinearFormat::f32, attention), golden.tolerance());
    if (golden.info().contains("int8_error")) {
      const double tolerance = 1.1 * golden.info().at("int8_error").get<double>();
      const Tensor here = velocity(golden, setup, "weights", LinearFormat::int8_tiles, attention);
      compare(setup, "int8, quantized here", here, tolerance);
      // Reading a -quant file is the same for the reference, which takes its time.
      if (golden.info().contains("quantized") && setup.backend != Backend::reference) {
        const Tensor stored = velocity(golden, setup, "quantized", LinearFormat::int8_tiles, attention);
        compare(setup, "int8, -quant file", stored, tolerance);
        report.check(golden.name(), setup, "int8, here = file", check::relative_error(here, stored), 0);
      }
    }
    if (golden.info().contains("sagesla_error"))
      compare(setup, "sagesla", velocity(golden, setup, "weights", LinearFormat::f32, AttentionType::sagesla),
              1.1 * golden.info().at("sagesla_error").get<double>());
  }
  for (const Setup& setup : bf16_setups())
    compare(setup, "velocity", velocity(golden, setup, "weights", LinearFormat::bf16, attention), kBf16Tolerance);
  if (bf16_setups().empty()) report.skip(golden.name(), "bf16", "no bf16");
}

}  // namespace rushes::golden
