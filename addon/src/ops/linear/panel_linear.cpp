// Packs the weights once, then for each chunk of rows packs the activations and has them multiplied.
#include "ops/linear/panel_linear.h"

#include <algorithm>
#include <functional>

#include "ops/linear/weight_packing.h"
#include "runtime/page_pool.h"

namespace rushes {
namespace {

constexpr int64_t round_up(int64_t value, int64_t step) { return (value + step - 1) / step * step; }

// A column panel's part that stays in the second-level cache while the rows pass by.
constexpr int64_t kWeightCacheBytes = 640 << 10;

// How often a weight counts as packed. Efforts are of weights that are packed as their file holds them; those that are
// widened first, then quantized or rounded, take longer (docs/SPEED.md, packing at load).
double packing_passes(DType source, DType packed) {
  if (source == DType::i8 || source == DType::bf16) return 1;
  if (source == DType::f32 && packed != DType::bf16) return 1;
  return packed == DType::i8 ? 2 : 4;
}

}  // namespace

PanelLinear::PanelLinear(const Context& context, const LinearSource& source, const PanelKernel& kernel)
    : kernel_(kernel) {
  name = source.name;
  format = kernel.format;
  out_features = source.weight.shape[0];
  in_features = source.weight.shape[1];
  depth_ = round_up(in_features, std::max(kernel.row_group, kernel.column_group));
  depth_tiles_ = (in_features + kTile - 1) / kTile;
  panels_ = (out_features + kernel.columns - 1) / kernel.columns;
  const auto weight_size = static_cast<int64_t>(dtype_size(kernel.weight));
  panel_bytes_ = depth_ * kernel.columns * weight_size;
  const auto product_size = static_cast<int64_t>(dtype_size(kernel.product));
  depth_block_ = std::max<int64_t>(kTile, kWeightCacheBytes / (kernel.columns * product_size) / kTile * kTile);
  const bool int8 = kernel.format == LinearFormat::int8_tiles;
  if (source.in_file && !int8 && WeightPacking::keeps_values(source.weight.type, kernel))
    in_file_ = source, in_file = true;
  else
    weights_ = context.allocate(DType::u8, {panels_, panel_bytes_}, MemoryUse::weights);
  if (int8)
    scales_ = context.allocate(DType::f32, {(out_features + kTile - 1) / kTile, depth_tiles_}, MemoryUse::weights);
  bias_ = load_bias(context, source, panels_ * kernel.columns);
  for (const Tensor& held : {weights_, scales_, bias_}) resident_bytes += held.defined() ? held.bytes() : 0;
  if (in_file_) return;
  if (context.work) {
    const bool float_source = source.weight.type != DType::i8;
    const Effort effort = int8 ? (float_source ? Effort::weights_quantized : Effort::weights_int8)
                               : (kernel.weight == DType::bf16 ? Effort::weights_bf16 : Effort::weights_f32);
    context.work->of(effort) +=
        packing_passes(source.weight.type, kernel.weight) * static_cast<double>(source.weight.count());
  }
  if (context.dry_run) return;
  LinearSource opened = source;
  if (source.in_file) opened.weight = source.in_file->view(context);
  pack_weights(context, opened);
  if (source.in_file) source.in_file->release();
}

void PanelLinear::pack_weights(const Context& context, const LinearSource& source) {
  const WeightPacking packing(source, kernel_);
  const int64_t row_tiles = (out_features + kTile - 1) / kTile, pieces = (depth_ + kPackDepth - 1) / kPackDepth;
  const auto weight_size = static_cast<int64_t>(dtype_size(kernel_.weight));
#pragma omp parallel for collapse(2) schedule(static) num_threads(context.threads)
  for (int64_t row_tile = 0; row_tile < row_tiles; ++row_tile) {
    for (int64_t piece = 0; piece < pieces; ++piece) {
      const int64_t begin = piece * kPackDepth, end = std::min(depth_, begin + kPackDepth);
      std::byte* to =
          weights_.raw() + row_tile * (kTile / kernel_.columns) * panel_bytes_ + begin * kernel_.columns * weight_size;
      const int64_t held_panels =
          std::min<int64_t>(kTile / kernel_.columns, panels_ - row_tile * kTile / kernel_.columns);
      for (int64_t panel = 0; weights_.bytes() >= PagePool::kLeastBytes && panel < held_panels; ++panel)
        PagePool::populate(to + panel * panel_bytes_,
                           static_cast<uint64_t>((end - begin) * kernel_.columns * weight_size));
      float* scales = scales_.defined() ? scales_.data<float>() + row_tile * depth_tiles_ + begin / kTile : nullptr;
      packing.pack(row_tile, begin, end, panels_ * kernel_.columns, to, panel_bytes_, scales);
    }
  }
}

bool PanelLinear::adds(const LowRank& change) const {
  const auto* down = dynamic_cast<const PanelLinear*>(change.down);
  const auto* up = dynamic_cast<const PanelLinear*>(change.up);
  const auto fits = [](const PanelLinear* layer) {
    return layer && layer->kernel_.format != LinearFormat::int8_tiles && !layer->kernel_.widen && !layer->in_file_;
  };
  return fits(down) && fits(up) && up->kernel_.rows == kernel_.rows && up->kernel_.columns == kernel_.columns &&
         up->kernel_.enter == kernel_.enter;
}

PanelLinear::Chunk PanelLinear::chunk_of(const Context& context, int64_t rows) const {
  const int64_t row_panels = (rows + kernel_.rows - 1) / kernel_.rows;
  Chunk chunk;
  chunk.row_panel_bytes = depth_ * kernel_.rows * static_cast<int64_t>(dtype_size(kernel_.activation));
  chunk.panels = context.allocate(DType::u8, {row_panels, chunk.row_panel_bytes});
  if (kernel_.format == LinearFormat::int8_tiles) {
    chunk.row_scales = context.allocate(DType::f32, {row_panels, depth_tiles_, kernel_.rows});
    chunk.row_offsets = context.allocate(DType::i32, {row_panels, depth_tiles_, kernel_.rows});
  }
  chunk.bias = bias_;
  return chunk;
}

void PanelLinear::add_room_for_sums(const Context& context, int64_t rows, Chunk& chunk) const {
  int64_t item_panels = depth_ <= depth_block_ ? 1 : std::max<int64_t>(1, kItemRows / kernel_.rows);
  if (in_file_) {
    item_panels = kTile / kernel_.columns * ((rows + kernel_.rows - 1) / kernel_.rows);
    const auto weight_size = static_cast<int64_t>(dtype_size(kernel_.weight));
    chunk.weights = context.allocate(DType::u8, {context.threads, kTile * std::min(depth_, kPackDepth) * weight_size});
  }
  if (kernel_.widen)
    chunk.widened = context.allocate(DType::f32, {context.threads, std::min(depth_, depth_block_) * kernel_.columns});
  chunk.sums = context.allocate(DType::f32, {context.threads, item_panels * kernel_.rows, kernel_.columns});
}

// The packing and the products of `rows` rows.
void PanelLinear::count(const Context& context, int64_t rows) const {
  if (!context.work) return;
  WorkCount& work = *context.work;
  const double operations = 2.0 * rows * in_features * out_features;
  const double whole_blocks = 2.0 * round_up(rows, kernel_.rows) * depth_ * (panels_ * kernel_.columns);
  const bool int8 = kernel_.product == DType::i8, bf16 = kernel_.product == DType::bf16;
  (int8 ? work.int8_ops : bf16 ? work.bf16_ops : work.f32_ops) += operations;
  work.of(int8 ? Effort::linear_int8 : bf16 ? Effort::linear_bf16 : Effort::linear_f32) += whole_blocks;
  work.of(int8   ? Effort::rows_int8
          : bf16 ? Effort::rows_bf16
                 : Effort::rows_f32) += static_cast<double>(rows * in_features);
  if (in_file_) work.of(Effort::weights_in_file) += static_cast<double>(in_features * out_features);
}

Tensor PanelLinear::bias_with(const Context& context, const PanelLinear& up) const {
  if (!bias_.defined() || !up.bias_.defined()) return bias_.defined() ? bias_ : up.bias_;
  Tensor both = context.allocate(DType::f32, bias_.shape());
  if (context.dry_run) return both;
  std::transform(bias_.data<float>(), bias_.data<float>() + bias_.count(), up.bias_.data<float>(), both.data<float>(),
                 std::plus<>());
  return both;
}

void PanelLinear::run(const Context& context, const Tensor& x, Tensor& out, const Epilogue& epilogue) const {
  const int64_t rows = x.size(0), chunk_rows = std::min(round_up(rows, kernel_.rows), kChunkRows);
  count(context, rows);
  if (context.work) {
    context.work->of(Effort::outputs) += static_cast<double>(out.count());
    if (epilogue.activation != Activation::none)
      context.work->of(Effort::activations) += static_cast<double>(out.count());
  }
  Chunk chunk = chunk_of(context, chunk_rows);
  add_room_for_sums(context, chunk_rows, chunk);
  std::optional<Narrowing> narrowing;
  if (epilogue.low_rank) {
    narrowing.emplace(context, *epilogue.low_rank, rows, chunk_rows);
    chunk.up = narrowing->up;
    chunk.narrow = &narrowing->narrow;
    chunk.bias = bias_with(context, *chunk.up);
  }
  std::optional<Storage> mapped;
  if (in_file_) mapped.emplace(context.memory, MemoryUse::mapped_weights, in_file_->weight.bytes(), true);
  if (context.dry_run) return;
  for (chunk.begin = 0; chunk.begin < rows; chunk.begin = chunk.end) {
    chunk.end = std::min(rows, chunk.begin + kChunkRows);
    context.check_cancelled();
    if (narrowing) narrowing->take_rows(chunk.begin, chunk.end);
    pack_rows(context, x, chunk, narrowing ? &*narrowing : nullptr);
    if (narrowing) narrowing->multiply(context);
    if (in_file_)
      multiply_in_file(context, chunk, out, epilogue);
    else
      multiply(context, chunk, out, epilogue);
  }
  if (in_file_) in_file_->in_file->release();
  context.check_cancelled();
}

PanelLinear::Narrowing::Narrowing(const Context& context, const LowRank& change, int64_t rows, int64_t chunk_rows)
    : down(static_cast<const PanelLinear*>(change.down)), up(static_cast<const PanelLinear*>(change.up)) {
  down->count(context, rows);
  up->count(context, rows);
  wide = down->chunk_of(context, chunk_rows);
  down->add_room_for_sums(context, chunk_rows, wide);
  narrow = up->chunk_of(context, chunk_rows);
  narrow_rows = change.narrow_rows(context, chunk_rows);
}

void PanelLinear::Narrowing::take_rows(int64_t begin, int64_t end) {
  wide.begin = narrow.begin = begin;
  wide.end = narrow.end = end;
}

void PanelLinear::Narrowing::multiply(const Context& context) {
  take_rows(0, wide.end - wide.begin);  // where they stand in narrow_rows
  down->multiply(context, wide, narrow_rows, {});
  up->pack_rows(context, narrow_rows, narrow, nullptr);
}

PackTile PanelLinear::tile_of(const Context& context, const Tensor& x, const Chunk& chunk, int64_t row_tile,
                              int64_t depth_tile) const {
  const int64_t rows = chunk.end - chunk.begin, last = (rows + kTile - 1) / kTile - 1;
  const int64_t row = row_tile * kTile, depth = depth_tile * kTile;
  const bool int8 = kernel_.format == LinearFormat::int8_tiles;
  PackTile tile = {};
  tile.x = x.raw() + ((chunk.begin + row) * in_features + depth) * static_cast<int64_t>(dtype_size(x.type()));
  tile.x_type = x.type();
  tile.x_stride = in_features;
  tile.rows = static_cast<int>(std::min<int64_t>(kTile, rows - row));
  tile.depth = static_cast<int>(std::min<int64_t>(kTile, in_features - depth));
  tile.padded_rows = static_cast<int>(row_tile < last ? kTile : round_up(rows, kernel_.rows) - row);
  tile.padded_depth = static_cast<int>(std::min<int64_t>(kTile, depth_ - depth));
  tile.round_to_bf16 = int8 || (kernel_.format == LinearFormat::bf16 && context.compute == DType::bf16);
  tile.panels = chunk.panels.raw();
  tile.panel_bytes = chunk.row_panel_bytes;
  tile.first_row = row;
  tile.first_depth = depth;
  tile.depth_tiles = depth_tiles_;
  if (int8) {
    tile.row_scales = chunk.row_scales.data<float>();
    tile.row_offsets = chunk.row_offsets.data<int32_t>();
  }
  return tile;
}

// A tile is packed for the layer and for a change's `down` while it is in the first caches.
void PanelLinear::pack_rows(const Context& context, const Tensor& x, const Chunk& chunk,
                            const Narrowing* narrowing) const {
  const int64_t row_tiles = (chunk.end - chunk.begin + kTile - 1) / kTile;
#pragma omp parallel for collapse(2) schedule(dynamic, 4) num_threads(context.threads)
  for (int64_t row_tile = 0; row_tile < row_tiles; ++row_tile) {
    for (int64_t depth_tile = 0; depth_tile < depth_tiles_; ++depth_tile) {
      kernel_.pack(tile_of(context, x, chunk, row_tile, depth_tile));
      if (!narrowing) continue;
      const PanelLinear& down = *narrowing->down;
      down.kernel_.pack(down.tile_of(context, x, narrowing->wide, row_tile, depth_tile));
    }
  }
}

std::shared_ptr<RunnableLinear> make_panel_linear(const Context& context, const LinearSource& source,
                                                  const PanelKernel& kernel) {
  return std::make_shared<PanelLinear>(context, source, kernel);
}

}  // namespace rushes
