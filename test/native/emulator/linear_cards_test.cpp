// Linear layers on pretended cards: every tile of every architecture's table against the reference, on shapes whose
// sides are no multiples of anything, and the int8 ones to the last bit.
#include <doctest/doctest.h>

#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <tuple>

#include "cuda/cuda_device.h"
#include "cuda/emulator/host_emulator.h"
#include "cuda/kernel_choice.h"
#include "emulator/pretended_card.h"
#include "ops/linear/linear_cuda.h"
#include "runtime/random.h"

namespace rushes {
namespace {

using cuda::LinearProduct;

TensorView view_of(const Tensor& tensor) { return {"tensor", tensor.type(), tensor.shape(), tensor.raw()}; }

Context reference_context(DType compute) {
  Context context;
  context.backend = Backend::reference;
  context.threads = 2;
  context.compute = compute;
  return context;
}

struct Case {
  int64_t rows, depth, outputs;
  DType x_type;
  Activation activation = Activation::none;
  bool accumulate = false, gated = false;
  bool bf16_out = false;
};

/// The relative error of the layer on the card; 0 only where every bit is the same.
double error_of(const Context& context, LinearFormat format, const Case& c) {
  const Context plain = reference_context(context.compute);
  const Tensor weight = check::random_tensor(plain, {c.outputs, c.depth}, 1, 0.05f, DType::bf16);
  const Tensor bias = check::random_tensor(plain, {c.outputs}, 2);
  const Tensor gate = check::random_tensor(plain, {c.outputs}, 3);
  const Tensor x = check::random_tensor(plain, {c.rows, c.depth}, 4, 1.0f, c.x_type);
  const DType out_type = c.bf16_out ? DType::bf16 : DType::f32;
  const Tensor start = check::random_tensor(plain, {c.rows, c.outputs}, 5, 1.0f, out_type);
  const LinearSource source{"layer", view_of(weight), {}, view_of(bias)};

  Tensor wanted = plain.allocate(out_type, start.shape());
  std::memcpy(wanted.raw(), start.raw(), start.bytes());
  linear(plain, x, *prepare_linear(plain, source, format), wanted,
         {c.activation, c.accumulate, c.gated ? &gate : nullptr});

  const Tensor device_x = to_device(context, x), device_gate = to_device(context, gate);
  Tensor out = to_device(context, start);
  linear(context, device_x, *prepare_linear(context, source, format), out,
         {c.activation, c.accumulate, c.gated ? &device_gate : nullptr});
  const Tensor got = to_host(context, out);
  if (!std::memcmp(got.raw(), wanted.raw(), wanted.bytes())) return 0;
  return check::relative_error(got, wanted);
}

}  // namespace

TEST_CASE("every tile of every architecture multiplies as the reference does") {
  using Tile = std::tuple<cuda::LinearKernel, int, int>;
  for (const int architecture : {80, 86, 90})
    for (const LinearFormat format : {LinearFormat::int8_tiles, LinearFormat::bf16, LinearFormat::f32}) {
      const bool int8 = format == LinearFormat::int8_tiles;
      const LinearProduct product = int8                           ? LinearProduct::int8
                                    : format == LinearFormat::bf16 ? LinearProduct::bf16
                                                                   : LinearProduct::f32;
      std::set<Tile> seen, listed;
      for (const auto& tile : cuda::linear_tiles(architecture, product))
        listed.emplace(tile.kernel, tile.rows, tile.columns);
      for (const int multiprocessors : {1, 2, 60}) {
        const PretendedCard card(architecture, multiprocessors);
        const Context context = card.context(DType::bf16);
        for (const Case& c : {Case{131, int8 ? 384 : 200, 260, DType::f32},
                              Case{61, int8 ? 128 : 72, 60, DType::f32, Activation::none, true},
                              Case{70, int8 ? 128 : 67, 129, DType::bf16, Activation::gelu_tanh},
                              Case{140, int8 ? 256 : 96, 136, DType::bf16, Activation::silu, true, true}}) {
          const auto tile = cuda::choose_linear(card.device->info(), product, {c.rows, c.outputs, c.depth}).tile;
          CAPTURE(architecture);
          CAPTURE(static_cast<int>(format));
          CAPTURE(c.rows);
          CAPTURE(tile.columns);
          if (!seen.emplace(tile.kernel, tile.rows, tile.columns).second && c.rows != 131) continue;
          const double error = error_of(context, format, c);
          CHECK(error < 2e-6);
          if (int8 && c.activation == Activation::none) CHECK(error == 0);
        }
      }
      CAPTURE(architecture);
      CAPTURE(static_cast<int>(format));
      CHECK(seen == listed);
    }
}

TEST_CASE("rows that are multiplied in parts on a small card give the same bits") {
  for (const LinearFormat format : {LinearFormat::int8_tiles, LinearFormat::bf16}) {
    const PretendedCard small(90, 2, uint64_t{16} << 20);
    const Context context = small.context(DType::bf16);
    const auto product = format == LinearFormat::int8_tiles ? LinearProduct::int8 : LinearProduct::bf16;
    const Case c{1030, 256, 12, DType::f32};
    REQUIRE(cuda::linear_chunk_rows(small.device->info(), product, c.depth) < c.rows);
    const double error = error_of(context, format, c);
    CHECK(error < 2e-6);
    if (format == LinearFormat::int8_tiles) CHECK(error == 0);
  }
}

}  // namespace rushes
