// The linear operation by its public door and by its kernel tables: every kernel against the reference, kernels for
// instructions that this machine lacks through plain models of them, exactness, memory and misuse.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "ops/instruction_models.h"
#include "ops/linear/amx_body.h"
#include "ops/linear/int8_avxvnni_body.h"
#include "ops/linear/packed_linear.h"
#include "runtime/random.h"

namespace rushes {
namespace {

const PanelKernel kInt8AvxVnniModel = int8_avxvnni_kernel<check::VnniModel>();
const PanelKernel kInt8AmxModel = int8_amx_kernel<check::TilesModel>();
const PanelKernel kBf16AmxModel = bf16_amx_kernel<check::TilesModel>();

Context context_of(Backend backend = Backend::cpu, int threads = 2, DType compute = DType::bf16) {
  Context context;
  context.backend = backend;
  context.threads = threads;
  context.compute = compute;
  return context;
}

TensorView view_of(const Tensor& tensor) {
  return {
      "tensor",
      tensor.type(),
      tensor.shape(),
      tensor.raw(),
  };
}

/// Random operands of one layer.
struct Operands {
  Tensor weight, bias, gate, x, start;
  Operands(int64_t rows, int64_t depth, int64_t outputs, DType x_type = DType::f32) {
    const Context context = context_of();
    weight = check::random_tensor(context, {outputs, depth}, 11, 0.05f, DType::bf16);
    bias = check::random_tensor(context, {outputs}, 12, 1.0f, DType::bf16);
    gate = check::random_tensor(context, {outputs}, 13);
    x = check::random_tensor(context, {rows, depth}, 14, 1.0f, x_type);
    start = check::random_tensor(context, {rows, outputs}, 15);
  }
  LinearSource source() const { return {"layer", view_of(weight), {}, view_of(bias)}; }
};

Tensor copy_of(const Context& context, const Tensor& x) {
  Tensor out = context.allocate(x.type(), x.shape());
  std::memcpy(out.raw(), x.raw(), x.bytes());
  return out;
}

Tensor run(const Context& context, const RunnableLinear& layer, const Operands& o, Epilogue epilogue = {},
           DType out_type = DType::f32) {
  Tensor out = epilogue.accumulate ? copy_of(context, o.start) : context.allocate(out_type, o.start.shape());
  layer.run(context, o.x, out, epilogue);
  return out;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.bytes() == b.bytes() && !std::memcmp(a.raw(), b.raw(), a.bytes());
}

/// Every way to make a layer of this format that can run here, the models included.
std::vector<std::pair<std::string, std::function<std::shared_ptr<RunnableLinear>(const Context&, const LinearSource&)>>>
makers(LinearFormat format, DType compute) {
  std::vector<
      std::pair<std::string, std::function<std::shared_ptr<RunnableLinear>(const Context&, const LinearSource&)>>>
      out;
  for (const auto& kernel : linear_kernels(format, compute))
    if (kernel.info.backend == Backend::cpu && CpuFeatures::host().supports(kernel.info.isa))
      out.emplace_back(kernel.info.name, kernel.run);
  const auto add_model = [&](const char* name, const PanelKernel& kernel) {
    out.emplace_back(name, [&kernel](const Context& context, const LinearSource& source) {
      return make_panel_linear(context, source, kernel);
    });
  };
  if (format == LinearFormat::int8_tiles) {
    add_model("int8_linear_avxvnni model", kInt8AvxVnniModel);
    add_model("int8_linear_amx model", kInt8AmxModel);
  }
  if (format == LinearFormat::bf16 && compute == DType::bf16) add_model("bf16_linear_amx model", kBf16AmxModel);
  return out;
}

}  // namespace

TEST_CASE("every linear kernel agrees with the reference on odd shapes, types and epilogues") {
  struct Shape3 {
    int64_t rows, depth, outputs;
  };
  for (const LinearFormat format : {LinearFormat::f32, LinearFormat::bf16, LinearFormat::int8_tiles}) {
    const bool int8 = format == LinearFormat::int8_tiles;
    // The last is deeper than what of the weights stays in cache, so that its sums are gone on with.
    for (const Shape3 s : {Shape3{1, int8 ? 128 : 7, 1}, Shape3{5, int8 ? 256 : 48, 17},
                           Shape3{131, int8 ? 384 : 333, 150}, Shape3{33, 1536, 40}, Shape3{7, 10496, 70}})
      for (const DType compute : {DType::bf16, DType::f32})
        for (const DType x_type : {DType::f32, DType::bf16}) {
          const Operands o(s.rows, s.depth, s.outputs, x_type);
          const Context plain = context_of(Backend::reference, 2, compute),
                        context = context_of(Backend::cpu, 2, compute);
          const auto reference = make_reference_linear(plain, o.source(), format);
          for (const auto& [name, make] : makers(format, compute)) {
            CAPTURE(name);
            CAPTURE(s.rows);
            const auto layer = make(context, o.source());
            for (const Epilogue& epilogue :
                 {Epilogue{}, Epilogue{Activation::silu}, Epilogue{Activation::gelu_tanh},
                  Epilogue{Activation::none, true}, Epilogue{Activation::gelu_tanh, true, &o.gate}})
              CHECK(check::relative_error(run(context, *layer, o, epilogue), run(plain, *reference, o, epilogue)) <
                    2e-6);
            // Rounded once: a bf16 store is the f32 store rounded.
            const Tensor wide = run(context, *layer, o), narrow = run(context, *layer, o, {}, DType::bf16);
            bool rounded_once = true;
            for (int64_t i = 0; i < wide.count(); ++i)
              rounded_once = rounded_once && narrow.data<bf16>()[i].bits == bf16(wide.data<float>()[i]).bits;
            CHECK(rounded_once);
          }
        }
  }
}

TEST_CASE(
    "a low-rank change is added by every kernel, block by block where blocks are alike, on any number of threads") {
  const Operands o(901, 640, 200, DType::bf16);
  const Tensor down = check::random_tensor(context_of(), {33, 640}, 21, 0.05f, DType::bf16),
               up = check::random_tensor(context_of(), {200, 33}, 22, 0.5f, DType::bf16);
  const LinearSource down_source{"down", view_of(down), {}, {}}, up_source{"up", view_of(up), {}, view_of(o.bias)};
  const Context context = context_of(), other = context_of(Backend::cpu, 3);
  int fused = 0;
  for (const LinearFormat format : {LinearFormat::bf16, LinearFormat::int8_tiles})
    for (const auto& [name, make] : makers(format, DType::bf16))
      for (const auto& [side_name, make_side] : makers(LinearFormat::bf16, DType::bf16)) {
        CAPTURE(name);
        CAPTURE(side_name);
        const auto layer = make(context, o.source()), first = make_side(context, down_source),
                   second = make_side(context, up_source);
        const LowRank change{first.get(), second.get()};
        const bool is_model = name.find("model") != name.npos, side_is_model = side_name.find("model") != name.npos;
        if (layer->adds(change) && is_model && side_is_model) ++fused;
        const Tensor apart = change(context, o.x);
        const Tensor wanted = run(context, *layer, o, {.activation = Activation::silu, .addend = &apart});
        const auto changed = [&](const Context& where) {
          Tensor out = where.allocate(DType::f32, o.start.shape());
          linear(where, o.x, *layer, out, {.activation = Activation::silu, .low_rank = &change});
          return out;
        };
        const Tensor found = changed(context);
        CHECK(check::relative_error(found, wanted) < 2e-6);
        CHECK(same_bits(found, changed(other)));
      }
  CHECK(fused >= 2);  // AMX beside AMX, int8 and bf16
}

TEST_CASE("int8 kernels give the reference's bits, and each other's with an activation") {
  const Operands o(261, 640, 200);
  const Context plain = context_of(Backend::reference), context = context_of();
  const Tensor wanted = run(plain, *make_reference_linear(plain, o.source(), LinearFormat::int8_tiles), o);
  Tensor activated;
  for (const auto& [name, make] : makers(LinearFormat::int8_tiles, DType::bf16)) {
    CAPTURE(name);
    const auto layer = make(context, o.source());
    CHECK(same_bits(run(context, *layer, o), wanted));
    const Tensor out = run(context, *layer, o, {Activation::gelu_tanh});
    if (activated.defined()) CHECK(same_bits(out, activated));
    activated = out;
  }
}

TEST_CASE("int8 products are exact at the extremes of int8") {
  // Stored weights at -128 and 127 against activations that quantize to -128 and 127: the largest sums there are.
  const Context context = context_of();
  const int64_t rows = 7, depth = 256, outputs = 70;
  Operands o(rows, depth, outputs);
  std::vector<int8_t> q(outputs * depth);
  for (int64_t i = 0; i < outputs * depth; ++i) q[i] = (i / depth) % 2 ? 127 : -128;
  std::vector<float> scale(2, 0.25f);
  for (int64_t i = 0; i < o.x.count(); ++i) o.x.data<float>()[i] = (i / depth) % 2 ? 2.0f : -2.0f;
  LinearSource source{"extreme",
                      {"q", DType::i8, {outputs, depth}, reinterpret_cast<const std::byte*>(q.data())},
                      TensorView{"s", DType::f32, {1, 2}, reinterpret_cast<const std::byte*>(scale.data())},
                      {}};
  for (const auto& [name, make] : makers(LinearFormat::int8_tiles, DType::bf16)) {
    CAPTURE(name);
    const Tensor out = run(context, *make(context, source), o);
    bool exact = true;
    for (int64_t m = 0; m < rows; ++m)
      for (int64_t n = 0; n < outputs; ++n)
        exact = exact && out.data<float>()[m * outputs + n] ==
                             256.0f * (m % 2 ? 127 : -128) * (n % 2 ? 127 : -128) * (2.0f / 128 * 0.25f);
    CHECK(exact);
  }
}

TEST_CASE("the thread count changes no bit") {
  for (const LinearFormat format : {LinearFormat::f32, LinearFormat::bf16, LinearFormat::int8_tiles}) {
    const Operands o(1000, 2560, 130, DType::bf16);
    Tensor first;
    for (const int threads : {1, 2, 3}) {
      const Context context = context_of(Backend::cpu, threads);
      Tensor out = context.allocate(DType::f32, {1000, 130});
      linear(context, o.x, *prepare_linear(context, o.source(), format), out);
      if (first.defined()) CHECK(same_bits(out, first));
      first = out;
    }
  }
}

TEST_CASE("weights of 16 bits stay so where products are f32: the same bits at half of the memory") {
  const Context context = context_of(Backend::cpu, 2, DType::f32);
  const Operands o(131, 1536, 150);
  Tensor wide = context.allocate(DType::f32, o.weight.shape());
  for (int64_t i = 0; i < wide.count(); ++i) wide.data<float>()[i] = static_cast<float>(o.weight.data<bf16>()[i]);
  const auto held = prepare_linear(context, o.source(), LinearFormat::f32),
             widened = prepare_linear(context, {"wide", view_of(wide), {}, view_of(o.bias)}, LinearFormat::f32);
  CHECK(held->resident_bytes < 0.55 * static_cast<double>(widened->resident_bytes));
  Tensor a = context.allocate(DType::f32, {131, 150}), b = context.allocate(DType::f32, {131, 150});
  linear(context, o.x, *held, a);
  linear(context, o.x, *widened, b);
  CHECK(same_bits(a, b));
}

TEST_CASE("a stored int8 layer is the layer quantized at load, and dequantizes for the other formats") {
  const Context context = context_of();
  const Operands o(40, 384, 260);
  Tensor q = context.allocate(DType::i8, {260, 384}), scale = context.allocate(DType::f32, {3, 3});
  quantize_tiles(context, o.weight, q, scale);
  const LinearSource stored{"stored", view_of(q), view_of(scale), view_of(o.bias)};
  for (const Backend backend : {Backend::reference, Backend::cpu}) {
    const Context here = context_of(backend);
    Tensor a = here.allocate(DType::f32, {40, 260}), b = here.allocate(DType::f32, {40, 260});
    linear(here, o.x, *prepare_linear(here, o.source(), LinearFormat::int8_tiles), a);
    linear(here, o.x, *prepare_linear(here, stored, LinearFormat::int8_tiles), b);
    CHECK(same_bits(a, b));
    linear(here, o.x, *prepare_linear(here, stored, LinearFormat::f32), b);
    CHECK(check::relative_error(b, a) < 0.02);
    CHECK(check::relative_error(b, a) > 0);
  }
}

TEST_CASE("tiles that hold only zeros or something not finite") {
  const Context context = context_of();
  Operands o(3, 128, 8);
  std::memset(o.x.raw(), 0, o.x.bytes());
  Tensor q = context.allocate(DType::i8, {3, 128}), scale = context.allocate(DType::f32, {1, 1});
  quantize_tiles(context, o.x, q, scale);
  CHECK(scale.data<float>()[0] == 1e-8f / 128.0f);
  CHECK(q.data<int8_t>()[5] == 0);
  // bf16 is quantized where it lies, f32 by way of a copy.
  Operands halves(3, 128, 8, DType::bf16);
  for (const float bad : {INFINITY, -INFINITY, NAN, -NAN}) {
    o.x.data<float>()[130] = bad;
    halves.x.data<bf16>()[130] = bf16(bad);
    for (const auto& [name, make] : makers(LinearFormat::int8_tiles, DType::bf16)) {
      CAPTURE(name);
      CHECK(std::isnan(run(context, *make(context, o.source()), o).data<float>()[0]));
      CHECK(std::isnan(run(context, *make(context, halves.source()), halves).data<float>()[0]));
    }
  }
}

TEST_CASE("weights that are not numbers stay so in int8, whatever their type") {
  const Context context = context_of();
  for (const DType type : {DType::f32, DType::bf16, DType::f16}) {
    Operands o(3, 128, 8);
    CAPTURE(dtype_name(type));
    o.weight = context.allocate(type, o.weight.shape());
    std::memset(o.weight.raw(), 0, o.weight.bytes());
    if (type != DType::f32)
      o.weight.data<uint16_t>()[130] = 0x7fff;  // a NaN of both
    else
      o.weight.data<float>()[130] = NAN;
    for (const auto& [name, make] : makers(LinearFormat::int8_tiles, DType::bf16)) {
      CAPTURE(name);
      CHECK(std::isnan(run(context, *make(context, o.source()), o).data<float>()[0]));
    }
  }
}

TEST_CASE("activations are accurate over their whole range") {
  // One input, weight 1: the layer is its activation.
  const Context context = context_of(Backend::cpu, 1, DType::f32);
  const float one = 1;
  const LinearSource source{"one", {"w", DType::f32, {1, 1}, reinterpret_cast<const std::byte*>(&one)}, {}, {}};
  const auto layer = prepare_linear(context, source, LinearFormat::f32);
  Tensor x = context.allocate(DType::f32, {40001, 1}), out = context.allocate(DType::f32, {40001, 1});
  for (int64_t i = 0; i < x.count(); ++i) x.data<float>()[i] = static_cast<float>(i - 20000) * 1e-3f;
  for (const Activation activation : {Activation::silu, Activation::gelu_tanh}) {
    linear(context, x, *layer, out, {activation});
    double worst = 0, worst_absolute = 0;
    for (int64_t i = 0; i < x.count(); ++i) {
      const double v = x.data<float>()[i];
      const double u = activation == Activation::silu ? v : 2 * 0.79788456080286536 * (v + 0.044715 * v * v * v);
      const double wanted = v / (1 + std::exp(-u));
      worst_absolute =
          std::max(worst_absolute, std::fabs(out.data<float>()[i] - wanted) / std::max(1.0, std::fabs(wanted)));
      if (std::fabs(wanted) > 1e-30)
        worst = std::max(worst, std::fabs(out.data<float>()[i] - wanted) / std::fabs(wanted));
      else
        CHECK(std::fabs(out.data<float>()[i]) < 1e-29);
    }
    CHECK(worst < 2e-5);
    CHECK(worst_absolute < 5e-7);
  }
}

TEST_CASE("int8 weights take at most 51% of 16 bit at 1.3B and 14B shapes, and a plan sees what a run takes") {
  for (const auto& [dim, ffn] : {std::pair<int64_t, int64_t>{1536, 8960}, {5120, 13824}})
    for (const auto& [outputs, depth] : {std::pair{dim, dim}, {ffn, dim}, {dim, ffn}})
      for (const auto& [name, make] : makers(LinearFormat::int8_tiles, DType::bf16)) {
        Context context = context_of();
        context.dry_run = true;
        MemoryCounter counter;
        context.memory = &counter;
        const LinearSource header{"layer",
                                  {"w", DType::bf16, {outputs, depth}, nullptr},
                                  {},
                                  TensorView{"b", DType::bf16, {outputs}, nullptr}};
        const auto layer = make(context, header);
        CHECK(layer->resident_bytes == counter.current(MemoryUse::weights));
        CHECK(static_cast<double>(layer->resident_bytes) <= 0.51 * static_cast<double>(layer->sixteen_bit_bytes()));
      }
  const Operands o(900, 256, 64);
  for (const Backend backend : {Backend::reference, Backend::cpu})
    for (const LinearFormat format : {LinearFormat::f32, LinearFormat::bf16, LinearFormat::int8_tiles}) {
      uint64_t peak[2];
      WorkCount work[2];
      for (const bool dry : {false, true}) {
        Context context = context_of(backend);
        MemoryCounter counter;
        context.memory = &counter;
        context.dry_run = dry;
        context.work = &work[dry];
        Tensor out = context.allocate(DType::f32, {900, 64});
        linear(context, o.x, *prepare_linear(context, o.source(), format), out);
        peak[dry] = counter.peak();
      }
      CHECK(peak[0] == peak[1]);
      CHECK(work[1].int8_ops + work[1].bf16_ops + work[1].f32_ops == 2.0 * 900 * 256 * 64);
      CHECK(work[0].int8_ops == work[1].int8_ops);
    }
}

TEST_CASE("weights that stay in their file give the bits of packed ones, and hold nothing between uses") {
  int stayed = 0;
  for (const auto& [outputs, depth] : {std::pair<int64_t, int64_t>{300, 2500}, {128, 1024}, {5, 40}})
    for (const auto& [name, make] : makers(LinearFormat::bf16, DType::bf16)) {
      const Operands o(130, depth, outputs);
      const Tensor wanted = run(context_of(), *make(context_of(), o.source()), o);
      for (const int threads : {1, 2, 5}) {
        CAPTURE(name);
        CAPTURE(outputs);
        Context context = context_of(Backend::cpu, threads);
        MemoryCounter counter;
        context.memory = &counter;
        LinearSource source = o.source();
        int looks = 0, releases = 0;
        source.in_file = {[&, view = source.weight](const Context&) { return ++looks, view; }, [&] { ++releases; }};
        source.weight.data = nullptr;
        const auto layer = make(context, source);
        if (looks == 0) {
          ++stayed;
          CHECK(layer->resident_bytes <= 4 * static_cast<uint64_t>(outputs + 128));
        }
        counter.reset_peak();
        Tensor out = context_of().allocate(DType::f32, {130, outputs});
        layer->run(context, o.x, out, {});
        CHECK(same_bits(out, wanted));
        CHECK(looks == 1);
        CHECK(releases == 1);
        CHECK(counter.current() == layer->resident_bytes);
        CHECK(counter.peak() >= source.weight.bytes());  // counted as mapped while it is read
      }
    }
  CHECK(stayed >= 9);  // the model of the tile instructions at least
}

TEST_CASE("misuse is refused in a sentence") {
  const Context context = context_of();
  const Operands o(4, 200, 16);
  const auto code = [](const auto& call) -> std::string {
    try {
      call();
    } catch (const Error& error) {
      return error.code();
    }
    return "";
  };
  CHECK(code([&] { prepare_linear(context, o.source(), LinearFormat::int8_tiles); }) == "settings.invalid");
  const auto layer = prepare_linear(context, o.source(), LinearFormat::bf16);
  Tensor narrow = context.allocate(DType::f32, {4, 15}), half = context.allocate(DType::bf16, {4, 16});
  CHECK(code([&] { linear(context, o.x, *layer, narrow); }) == "engine.internal");
  CHECK(code([&] { linear(context, o.x, *layer, half, {Activation::none, true}); }) == "engine.internal");
  LinearSource source = o.source();
  source.weight.type = DType::i8;
  CHECK(code([&] { prepare_linear(context, source, LinearFormat::f32); }) == "engine.internal");
}

TEST_CASE("the debug log names each int8 layer") {
  Context context = context_of();
  std::string line;
  context.debug = [&](const std::string& text) { line = text; };
  Operands o(4, 256, 16);
  LinearSource source = o.source();
  source.name = "blocks.5.self_attn.q";
  prepare_linear(context, source, LinearFormat::int8_tiles);
  CHECK(line == "Int8 linear: blocks.5.self_attn.q [16x256]");
}

TEST_CASE("the self-test is green, and a kernel made wrong on purpose turns its own checks red") {
  const CpuFeatures& features = CpuFeatures::host();
  for (const char* wrong : {"", "int8_linear_portable"}) {
    if (*wrong) setenv("RUSHES_WRONG_KERNEL", wrong, 1);
    const auto checks = kernel_checks(features);
    unsetenv("RUSHES_WRONG_KERNEL");
    CHECK(checks.size() > 20);
    for (const KernelCheck& check : checks) {
      const bool passed = check.relative_error(2) <= check.tolerance;
      CAPTURE(check.info.name);
      CAPTURE(check.case_text);
      CHECK(passed == (check.info.name != wrong));
    }
  }
}

}  // namespace rushes
