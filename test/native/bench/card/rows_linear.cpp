// Linear layers at Wan 1.3B's widths, and one at 14B's: int8 with the quantization of activations included, bf16 and
// f32.
#include "bench/card/card_bench.h"
#include "cuda/kernel_choice.h"
#include "ops/linear/linear.h"
#include "runtime/random.h"

namespace rushes::card {
namespace {

// Of the int8 ceiling of an H100 or H200.
constexpr double kInt8Share = 0.6;

struct Layer {
  int64_t depth, outputs;
};

const char* name_of(LinearFormat format) {
  return format == LinearFormat::int8_tiles ? "int8 linear"
         : format == LinearFormat::bf16     ? "bf16 linear"
                                            : "f32 linear";
}

cuda::LinearProduct product_of(LinearFormat format) {
  return format == LinearFormat::int8_tiles ? cuda::LinearProduct::int8
         : format == LinearFormat::bf16     ? cuda::LinearProduct::bf16
                                            : cuda::LinearProduct::f32;
}

std::string kernel_of(const DeviceInfo& card, LinearFormat format, const cuda::LinearShape& shape) {
  constexpr const char* kNames[] = {"dot", "fma", "mma", "wgmma"};
  const cuda::LinearTile tile = cuda::choose_linear(card, product_of(format), shape).tile;
  return std::string(kNames[static_cast<int>(tile.kernel)]) + " " + std::to_string(tile.rows) + "x" +
         std::to_string(tile.columns);
}

void layer_row(CardBench& bench, LinearFormat format, int64_t rows, const Layer& layer) {
  const std::string shape =
      std::to_string(rows) + "x" + std::to_string(layer.depth) + "x" + std::to_string(layer.outputs);
  if (!bench.wanted(name_of(format), shape)) return;
  const bool f32 = format == LinearFormat::f32, int8 = format == LinearFormat::int8_tiles;
  const DType type = f32 ? DType::f32 : DType::bf16;
  const Context context = bench.context(type), plain = bench.reference_context(type);
  const Tensor weight = filled(plain, {layer.outputs, layer.depth}, 1, 0.05f, DType::bf16),
               bias = filled(plain, {layer.outputs}, 2, 1.0f, DType::bf16);
  const auto view = [](const Tensor& t) { return TensorView{"weight", t.type(), t.shape(), t.raw()}; };
  const LinearSource source{"bench", view(weight), {}, view(bias)};
  const auto prepared = prepare_linear(context, source, format);
  const Tensor host_x = filled(plain, {rows, layer.depth}, 3, 2.0f, type), x = to_device(context, host_x);
  Tensor out = context.allocate(type, {rows, layer.outputs});

  Row row{.operation = name_of(format), .shape = shape};
  row.kernel = kernel_of(bench.info(), format, {rows, layer.outputs, layer.depth});
  const double operations = 2.0 * static_cast<double>(rows * layer.depth) * static_cast<double>(layer.outputs);
  (int8 ? row.needs.int8_ops : f32 ? row.needs.f32_ops : row.needs.bf16_ops) = operations;
  row.needs.bytes = static_cast<double>(x.bytes() + out.bytes() + prepared->resident_bytes);
  // Both round to bf16 once; a sum on a rounding edge may go either way.
  row.tolerance = f32 ? 2e-6 : 5e-4;
  row.run = [&] { linear(context, x, *prepared, out); };
  row.error = [&] {  // the last rows: the tail of the last tile is in them
    linear(context, x, *prepared, out);
    const int64_t first = (rows - 1) / 128 * 128, count = std::min<int64_t>(rows - first, 9);
    Tensor wanted = plain.allocate(type, {rows - first, layer.outputs});
    linear(plain, host_x.rows(first, rows), *prepare_linear(plain, source, format), wanted);
    return check::relative_error(out.rows(first, first + count), wanted.rows(0, count));
  };
  const Result result = bench.measure(std::move(row));
  if (int8 && result.seconds > 0)
    bench.claim({"int8 linear " + shape + ", of the card's int8 ceiling", "",
                 operations / result.seconds / bench.ceilings().int8, bench.asked(kInt8Share)});
}

/// What quantizing alone moves: it is part of every int8 layer.
void quantize_row(CardBench& bench, int64_t rows, int64_t depth) {
  const std::string shape = std::to_string(rows) + "x" + std::to_string(depth);
  if (!bench.wanted("quantize tiles", shape)) return;
  const Context context = bench.context(), plain = bench.reference_context();
  const Tensor host_x = filled(plain, {rows, depth}, 3, 2.0f, DType::bf16), x = to_device(context, host_x);
  const Shape tiles = {(rows + 127) / 128, (depth + 127) / 128};
  Tensor q = context.allocate(DType::i8, x.shape()), scale = context.allocate(DType::f32, tiles);
  Row row{.operation = "quantize tiles", .shape = shape, .kernel = "quantize_tiles"};
  row.needs.bytes = static_cast<double>(x.bytes() + q.bytes() + scale.bytes());
  row.run = [&] { quantize_tiles(context, x, q, scale); };
  row.error = [&] {  // every bit
    quantize_tiles(context, x, q, scale);
    Tensor wanted_q = plain.allocate(DType::i8, q.shape()), wanted_scale = plain.allocate(DType::f32, tiles);
    quantize_tiles(plain, host_x, wanted_q, wanted_scale);
    const Tensor got_q = to_host(context, q), got_scale = to_host(context, scale);
    const bool same = std::equal(got_q.raw(), got_q.raw() + got_q.bytes(), wanted_q.raw()) &&
                      std::equal(got_scale.raw(), got_scale.raw() + got_scale.bytes(), wanted_scale.raw());
    return same ? 0.0 : 1.0;
  };
  bench.measure(std::move(row));
}

}  // namespace

void linear_rows(CardBench& bench) {
  const bool tiny = bench.options().tiny;
  const std::vector<Layer> layers =
      tiny ? std::vector<Layer>{{256, 136}} : std::vector<Layer>{{1536, 1536}, {1536, 8960}, {8960, 1536}};
  for (const LinearFormat format : {LinearFormat::int8_tiles, LinearFormat::bf16})
    for (const int64_t rows : bench.token_counts()) {
      for (const Layer& layer : layers) layer_row(bench, format, rows, layer);
      if (rows > 20000) layer_row(bench, format, rows, {5120, 13824});
    }
  layer_row(bench, LinearFormat::f32, bench.token_counts().front(), layers.front());
  layer_row(bench, LinearFormat::bf16, 1, layers.front());
  for (const int64_t rows : bench.token_counts()) quantize_row(bench, rows, layers.front().depth);
}

}  // namespace rushes::card
