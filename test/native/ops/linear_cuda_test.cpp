// Linear layers on the card at hand, real or emulated: few rows, formats and sources, the quantizer's bits, memory,
// misuse. Nothing is checked where there is no card; the run says so.
#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <cstring>

#include "cuda/cuda_device.h"
#include "ops/linear/linear.h"
#include "runtime/random.h"

namespace rushes {
namespace {

/// The first card, opened for one test; null where there is none.
std::unique_ptr<Device> card() {
  const auto found = cuda::discover();
  if (found.devices.empty()) {
    MESSAGE("skipped: no GPU");
    return nullptr;
  }
  return cuda::open_cuda_device(0);
}

Context context_of(Device* device, DType compute = DType::bf16) {
  Context context;
  context.backend = device ? Backend::cuda : Backend::reference;
  context.device = device;
  context.threads = 2;
  context.compute = compute;
  return context;
}

TensorView view_of(const Tensor& tensor) { return {"tensor", tensor.type(), tensor.shape(), tensor.raw()}; }

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.bytes() == b.bytes() && !std::memcmp(a.raw(), b.raw(), a.bytes());
}

struct Operands {
  Tensor weight, bias, gate, x, start;
  Operands(int64_t rows, int64_t depth, int64_t outputs, DType x_type = DType::f32, DType weight_type = DType::bf16) {
    const Context plain = context_of(nullptr);
    weight = check::random_tensor(plain, {outputs, depth}, 11, 0.05f, weight_type);
    bias = check::random_tensor(plain, {outputs}, 12, 1.0f, DType::bf16);
    gate = check::random_tensor(plain, {outputs}, 13);
    x = check::random_tensor(plain, {rows, depth}, 14, 1.0f, x_type);
    start = check::random_tensor(plain, {rows, outputs}, 15);
  }
  LinearSource source() const { return {"layer", view_of(weight), {}, view_of(bias)}; }
};

/// The layer's output in host memory.
Tensor run(const Context& context, const LinearSource& source, LinearFormat format, const Operands& o,
           Epilogue epilogue = {}, DType out_type = DType::f32) {
  const Tensor gate = to_device(context, o.gate);
  if (epilogue.gate) epilogue.gate = &gate;
  Tensor out = epilogue.accumulate ? Tensor() : context.allocate(out_type, o.start.shape());
  if (epilogue.accumulate) {
    Tensor copy = context.on_host().allocate(DType::f32, o.start.shape());
    std::memcpy(copy.raw(), o.start.raw(), copy.bytes());
    out = to_device(context, copy);
  }
  linear(context, to_device(context, o.x), *prepare_linear(context, source, format), out, epilogue);
  return to_host(context, out);
}

}  // namespace

TEST_CASE("few rows on a GPU, with any depth, type and epilogue") {
  const auto device = card();
  if (!device) return;
  for (const int64_t rows : {1, 2, 3, 5, 8})
    for (const int64_t depth : {7, 200, 259, 512})
      for (const LinearFormat format : {LinearFormat::f32, LinearFormat::bf16})
        for (const DType x_type : {DType::f32, DType::bf16}) {
          const Operands o(rows, depth, 37, x_type);
          CAPTURE(rows);
          CAPTURE(depth);
          for (const DType compute : {DType::f32, DType::bf16})
            for (const Epilogue& epilogue :
                 {Epilogue{}, Epilogue{Activation::silu}, Epilogue{Activation::gelu_tanh, true, &o.gate}})
              CHECK(check::relative_error(run(context_of(device.get(), compute), o.source(), format, o, epilogue),
                                          run(context_of(nullptr, compute), o.source(), format, o, epilogue)) < 2e-6);
        }
}

TEST_CASE("f32 products on a GPU, weights in f32 or bf16, and stores that round once") {
  const auto device = card();
  if (!device) return;
  for (const auto& [rows, depth, outputs] : {std::tuple<int, int, int>{9, 7, 1}, {33, 333, 150}, {130, 64, 132}})
    for (const LinearFormat format : {LinearFormat::f32, LinearFormat::bf16})
      for (const DType x_type : {DType::f32, DType::bf16}) {
        const Operands o(rows, depth, outputs, x_type, DType::f32);
        const Context context = context_of(device.get(), DType::f32), plain = context_of(nullptr, DType::f32);
        CAPTURE(depth);
        const Tensor wide = run(context, o.source(), format, o),
                     narrow = run(context, o.source(), format, o, {}, DType::bf16);
        CHECK(check::relative_error(wide, run(plain, o.source(), format, o)) < 2e-6);
        bool rounded_once = true;
        for (int64_t i = 0; i < wide.count(); ++i)
          rounded_once = rounded_once && narrow.data<bf16>()[i].bits == bf16(wide.data<float>()[i]).bits;
        CHECK(rounded_once);
      }
}

TEST_CASE("activations on a GPU are accurate where f32 is stored, and close where bf16 is") {
  const auto device = card();
  if (!device) return;
  for (const LinearFormat format : {LinearFormat::f32, LinearFormat::bf16, LinearFormat::int8_tiles})
    for (const Activation activation : {Activation::silu, Activation::gelu_tanh}) {
      const Operands o(70, 256, 68);
      const Context context = context_of(device.get()), plain = context_of(nullptr);
      const Tensor wanted = run(plain, o.source(), format, o, {activation});
      CHECK(check::relative_error(run(context, o.source(), format, o, {activation}), wanted) < 2e-6);
      // bf16 itself is 1.7e-3 away in the mean; the quick tanh may add 5e-4.
      CHECK(check::relative_error(run(context, o.source(), format, o, {activation}, DType::bf16), wanted) < 2.5e-3);
    }
}

TEST_CASE("the tile quantizer on a GPU gives the reference's bits") {
  const auto device = card();
  if (!device) return;
  const Context context = context_of(device.get()), plain = context_of(nullptr);
  for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{1, 1}, {131, 200}, {256, 384}, {5, 48}})
    for (const DType type : {DType::f32, DType::bf16})
      for (const float odd : {1.0f, 0.0f, 1e-30f, 3e38f, INFINITY, NAN}) {
        Tensor x = check::random_tensor(plain, {rows, columns}, 3, odd == 0.0f ? 0.0f : 1.0f, type);
        if (type == DType::f32 && odd != 0.0f) x.data<float>()[x.count() / 2] = odd;
        const Shape tiles = {(rows + 127) / 128, (columns + 127) / 128};
        Tensor q = plain.allocate(DType::i8, {rows, columns}), scale = plain.allocate(DType::f32, tiles);
        Tensor device_q = context.allocate(DType::i8, {rows, columns}),
               device_scale = context.allocate(DType::f32, tiles);
        quantize_tiles(plain, x, q, scale);
        quantize_tiles(context, to_device(context, x), device_q, device_scale);
        CAPTURE(rows);
        CAPTURE(odd);
        CHECK(same_bits(to_host(context, device_q), q));
        const Tensor scales = to_host(context, device_scale);
        for (int64_t i = 0; i < scale.count(); ++i)
          CHECK((scales.data<float>()[i] == scale.data<float>()[i] ||
                 (std::isnan(scales.data<float>()[i]) && std::isnan(scale.data<float>()[i]))));
      }
}

TEST_CASE("a layer gets onto a GPU from every type of file") {
  const auto device = card();
  if (!device) return;
  const Context context = context_of(device.get()), plain = context_of(nullptr);
  for (const int64_t depth : {256, 200}) {
    const Operands o(20, depth, 300);
    Tensor q = plain.allocate(DType::i8, {300, depth}), scale = plain.allocate(DType::f32, {3, 2});
    quantize_tiles(plain, o.weight, q, scale);
    Tensor wide = plain.allocate(DType::f32, {300, depth});
    for (int64_t i = 0; i < wide.count(); ++i) wide.data<float>()[i] = check::at(o.weight, i) * 1.0009765625f;
    std::vector<uint16_t> halves(wide.count());  // f16 with exponents near 2^-5: any bits of that kind
    std::vector<uint8_t> eighths(wide.count());
    for (int64_t i = 0; i < wide.count(); ++i) {
      halves[i] = static_cast<uint16_t>(0x2800 + (i * 7919) % 0x400 + (i % 3 ? 0x8000 : 0));
      eighths[i] = static_cast<uint8_t>(0x18 + (i * 7919) % 0x20 + (i % 3 ? 0x80 : 0));
    }
    const float third = 1.0f / 3;
    const LinearSource sources[] = {
        o.source(),
        {"f32", view_of(wide), {}, view_of(o.bias)},
        {"f16", {"w", DType::f16, {300, depth}, reinterpret_cast<const std::byte*>(halves.data())}, {}, {}},
        {"f8", {"w", DType::f8_e4m3, {300, depth}, reinterpret_cast<const std::byte*>(eighths.data())}, {}, {}},
        {"scaled f8",
         {"w", DType::f8_e4m3, {300, depth}, reinterpret_cast<const std::byte*>(eighths.data())},
         TensorView{"s", DType::f32, {}, reinterpret_cast<const std::byte*>(&third)},
         {}},
        {"int8", view_of(q), view_of(scale), view_of(o.bias)},
    };
    for (const LinearSource& source : sources)
      for (const LinearFormat format : {LinearFormat::f32, LinearFormat::bf16, LinearFormat::int8_tiles}) {
        if (format == LinearFormat::int8_tiles && depth % 128) continue;
        CAPTURE(source.name);
        CAPTURE(static_cast<int>(format));
        const Tensor out = run(context, source, format, o), wanted = run(plain, source, format, o);
        CHECK(check::relative_error(out, wanted) < 2e-6);
        if (format == LinearFormat::int8_tiles) CHECK(same_bits(out, wanted));
      }
  }
}

TEST_CASE("int8 weights on a GPU take at most 51% of 16 bit, and a plan sees what a run takes") {
  const auto device = card();
  if (!device) return;
  for (const auto& [dim, ffn] : {std::pair<int64_t, int64_t>{1536, 8960}, {5120, 13824}})
    for (const auto& [outputs, depth] : {std::pair{dim, dim}, {ffn, dim}, {dim, ffn}})
      for (const DType type : {DType::bf16, DType::i8}) {
        Context context = context_of(device.get());
        context.dry_run = true;
        MemoryCounter counter;
        context.device_memory = &counter;
        LinearSource header{
            "layer", {"w", type, {outputs, depth}, nullptr}, {}, TensorView{"b", DType::bf16, {outputs}, nullptr}};
        if (type == DType::i8)
          header.scale = TensorView{"s", DType::f32, {(outputs + 127) / 128, depth / 128}, nullptr};
        const auto layer = prepare_linear(context, header, LinearFormat::int8_tiles);
        CHECK(layer->resident_bytes == counter.current(MemoryUse::weights));
        CHECK(static_cast<double>(layer->resident_bytes) <= 0.51 * static_cast<double>(layer->sixteen_bit_bytes()));
      }
  for (const int64_t rows : {3, 150})
    for (const LinearFormat format : {LinearFormat::f32, LinearFormat::bf16, LinearFormat::int8_tiles}) {
      const Operands o(rows, 256, 64);
      uint64_t peak[2];
      WorkCount work[2];
      for (const bool dry : {false, true}) {
        Context context = context_of(device.get());
        MemoryCounter counter;
        context.device_memory = &counter;
        context.dry_run = dry;
        context.work = &work[dry];
        const Tensor x = dry ? context.allocate(DType::f32, {rows, 256}) : to_device(context, o.x);
        Tensor out = context.allocate(DType::f32, {rows, 64});
        linear(context, x, *prepare_linear(context, o.source(), format), out);
        peak[dry] = counter.peak();
      }
      CHECK(peak[0] == peak[1]);
      CHECK(work[1].int8_ops + work[1].bf16_ops + work[1].f32_ops == 2.0 * static_cast<double>(rows) * 256 * 64);
      CHECK(work[0].int8_ops == work[1].int8_ops);
      CHECK(work[0].efforts == work[1].efforts);
    }
}

TEST_CASE("a cancelled job starts nothing on a GPU") {
  const auto device = card();
  if (!device) return;
  const Operands o(40, 256, 64);
  Context context = context_of(device.get());
  const auto layer = prepare_linear(context, o.source(), LinearFormat::int8_tiles);
  const Tensor x = to_device(context, o.x);
  Tensor out = context.allocate(DType::f32, {40, 64});
  std::atomic<bool> cancelled{true};
  context.cancelled = &cancelled;
  CHECK_THROWS_AS(linear(context, x, *layer, out), Cancelled);
  CHECK_THROWS_AS(prepare_linear(context, o.source(), LinearFormat::int8_tiles), Cancelled);
}

}  // namespace rushes
