// Drives a panel kernel: packs the weights once, then for each chunk of rows packs the activations and multiplies, one
// thread to a block of outputs. Every sum is made by one thread in one order, so the thread count changes no bit.
#include <omp.h>

#include <algorithm>
#include <optional>

#include "ops/linear/packed_linear.h"
#include "ops/linear/weight_packing.h"
#include "runtime/page_pool.h"

namespace rushes {
namespace {

constexpr int64_t round_up(int64_t value, int64_t step) { return (value + step - 1) / step * step; }

// A column panel's part that stays in the second-level cache while the rows pass by.
constexpr int64_t kWeightCacheBytes = 640 << 10;
// Rows of one work item: enough to use a column panel often, few enough to share out and to cancel between.
constexpr int64_t kItemRows = 192;
// Rows packed at a time; a multiple of 128 (scales) and of every kernel's rows.
constexpr int64_t kChunkRows = 768;

// Depths that one thread packs at a time; of weights that stay in the file: that stay in the second-level cache while
// the rows pass by. A multiple of 128.
constexpr int64_t kPackDepth = 1024;

class PanelLinear final : public RunnableLinear {
 public:
  PanelLinear(const Context& context, const LinearSource& source, const PanelKernel& kernel);
  void run(const Context& context, const Tensor& x, Tensor& out, const Epilogue& epilogue) const override;

 private:
  struct Chunk;
  void pack_weights(const Context& context, const LinearSource& source);
  void pack_rows(const Context& context, const Tensor& x, const Chunk& chunk) const;
  void multiply(const Context& context, const Chunk& chunk, Tensor& out, const Epilogue& epilogue) const;
  void multiply_in_file(const Context& context, const Chunk& chunk, Tensor& out, const Epilogue& epilogue) const;
  PanelProduct product_of(const Chunk& chunk, int64_t row_panel, int64_t panel) const;
  void fetch_output(const Chunk& chunk, int64_t row_panel, int64_t panel, const Tensor& out) const;
  void finish(const Chunk& chunk, int64_t row_panel, int64_t panel, const float* sums, Tensor& out,
              const Epilogue& epilogue) const;

  const PanelKernel& kernel_;
  int64_t depth_ = 0;                    // K, padded to whole groups
  int64_t depth_tiles_ = 0;              // ceil(K / 128)
  int64_t panels_ = 0;                   // column panels
  int64_t panel_bytes_ = 0;              // of one column panel
  int64_t depth_block_ = 0;              // depths multiplied before the next row panel
  std::optional<LinearSource> in_file_;  // when the weights stay there
  Tensor weights_;                       // u8 [panels][panel_bytes], else
  Tensor scales_;                        // int8: f32 [ceil(N/128)][depth_tiles]
  Tensor bias_;                          // f32 [panels * columns]
};

/// Rows [begin, end) of x on their way, and the scratch they use.
struct PanelLinear::Chunk {
  int64_t begin = 0, end = 0;
  Tensor panels, row_scales, row_offsets;
  Tensor sums;     // f32 [threads][row panels of an item][rows][columns]
  Tensor weights;  // u8 [threads][column panels of a tile][a piece's depths], when they stay in the file
  int64_t row_panel_bytes = 0;
};

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
  depth_block_ = std::max<int64_t>(kTile, kWeightCacheBytes / (kernel.columns * weight_size) / kTile * kTile);
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
    context.work->of(effort) += static_cast<double>(source.weight.count());
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

void PanelLinear::run(const Context& context, const Tensor& x, Tensor& out, const Epilogue& epilogue) const {
  const int64_t rows = x.size(0), chunk_rows = std::min(round_up(rows, kernel_.rows), kChunkRows);
  const int64_t row_panels = (chunk_rows + kernel_.rows - 1) / kernel_.rows;
  if (context.work) {
    WorkCount& work = *context.work;
    const double operations = 2.0 * rows * in_features * out_features;
    const double whole_blocks = 2.0 * round_up(rows, kernel_.rows) * depth_ * (panels_ * kernel_.columns);
    const bool int8 = kernel_.product == DType::i8, bf16 = kernel_.product == DType::bf16;
    (int8 ? work.int8_ops : bf16 ? work.bf16_ops : work.f32_ops) += operations;
    work.of(int8 ? Effort::linear_int8 : bf16 ? Effort::linear_bf16 : Effort::linear_f32) += whole_blocks;
    work.of(int8 ? Effort::rows_int8 : bf16 ? Effort::rows_bf16 : Effort::rows_f32) += static_cast<double>(x.count());
    work.of(Effort::outputs) += static_cast<double>(out.count());
    if (epilogue.activation != Activation::none) work.of(Effort::activations) += static_cast<double>(out.count());
    if (in_file_) work.of(Effort::weights_in_file) += static_cast<double>(in_features * out_features);
  }
  Chunk chunk;
  chunk.row_panel_bytes = depth_ * kernel_.rows * static_cast<int64_t>(dtype_size(kernel_.activation));
  chunk.panels = context.allocate(DType::u8, {row_panels, chunk.row_panel_bytes});
  if (kernel_.format == LinearFormat::int8_tiles) {
    chunk.row_scales = context.allocate(DType::f32, {row_panels, depth_tiles_, kernel_.rows});
    chunk.row_offsets = context.allocate(DType::i32, {row_panels, depth_tiles_, kernel_.rows});
  }
  int64_t item_panels = depth_ <= depth_block_ ? 1 : std::max<int64_t>(1, kItemRows / kernel_.rows);
  std::optional<Storage> mapped;
  if (in_file_) {
    item_panels = kTile / kernel_.columns * row_panels;
    const auto weight_size = static_cast<int64_t>(dtype_size(kernel_.weight));
    chunk.weights = context.allocate(DType::u8, {context.threads, kTile * std::min(depth_, kPackDepth) * weight_size});
    mapped.emplace(context.memory, MemoryUse::mapped_weights, in_file_->weight.bytes(), true);
  }
  chunk.sums = context.allocate(DType::f32, {context.threads, item_panels * kernel_.rows, kernel_.columns});
  if (context.dry_run) return;
  for (chunk.begin = 0; chunk.begin < rows; chunk.begin = chunk.end) {
    chunk.end = std::min(rows, chunk.begin + kChunkRows);
    context.check_cancelled();
    pack_rows(context, x, chunk);
    if (in_file_)
      multiply_in_file(context, chunk, out, epilogue);
    else
      multiply(context, chunk, out, epilogue);
  }
  if (in_file_) in_file_->in_file->release();
  context.check_cancelled();
}

void PanelLinear::pack_rows(const Context& context, const Tensor& x, const Chunk& chunk) const {
  const int64_t rows = chunk.end - chunk.begin, row_tiles = (rows + kTile - 1) / kTile;
  const bool int8 = kernel_.format == LinearFormat::int8_tiles;
#pragma omp parallel for collapse(2) schedule(dynamic, 4) num_threads(context.threads)
  for (int64_t row_tile = 0; row_tile < row_tiles; ++row_tile) {
    for (int64_t depth_tile = 0; depth_tile < depth_tiles_; ++depth_tile) {
      const int64_t row = row_tile * kTile, depth = depth_tile * kTile;
      PackTile tile = {};
      tile.x = x.raw() + ((chunk.begin + row) * in_features + depth) * static_cast<int64_t>(dtype_size(x.type()));
      tile.x_type = x.type();
      tile.x_stride = in_features;
      tile.rows = static_cast<int>(std::min<int64_t>(kTile, rows - row));
      tile.depth = static_cast<int>(std::min<int64_t>(kTile, in_features - depth));
      tile.padded_rows = static_cast<int>(std::min<int64_t>(kTile, round_up(rows, kernel_.rows) - row));
      if (row_tile == row_tiles - 1) tile.padded_rows = static_cast<int>(round_up(rows, kernel_.rows) - row);
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
      kernel_.pack(tile);
    }
  }
}

PanelProduct PanelLinear::product_of(const Chunk& chunk, int64_t row_panel, int64_t panel) const {
  PanelProduct product = {};
  product.activations = chunk.panels.raw() + row_panel * chunk.row_panel_bytes;
  if (kernel_.format != LinearFormat::int8_tiles) return product;
  product.row_scales = chunk.row_scales.data<float>() + row_panel * depth_tiles_ * kernel_.rows;
  product.row_offsets = chunk.row_offsets.data<int32_t>() + row_panel * depth_tiles_ * kernel_.rows;
  product.column_scales = scales_.data<float>() + panel * kernel_.columns / kTile * depth_tiles_;
  return product;
}

// The lines that finish() will write, and read where it accumulates: asked for before the products, they are there
// after them. Every row is on a page of its own, so without this a block waits for addresses as well as for memory.
// Inlined by force: g++ 12 takes calls of a function that only fetches for calls without effect and drops them.
__attribute__((always_inline)) inline void PanelLinear::fetch_output(const Chunk& chunk, int64_t row_panel,
                                                                     int64_t panel, const Tensor& out) const {
  constexpr int64_t kLine = 64;
  const auto size = static_cast<int64_t>(dtype_size(out.type()));
  const int64_t row = row_panel * kernel_.rows, column = panel * kernel_.columns;
  const int64_t end = std::min(chunk.end - chunk.begin, row + kernel_.rows);
  const int64_t bytes = std::min<int64_t>(kernel_.columns, out_features - column) * size;
  for (int64_t r = row; r < end; ++r) {
    const std::byte* to = out.raw() + ((chunk.begin + r) * out_features + column) * size;
    for (int64_t at = 0; at < bytes; at += kLine) __builtin_prefetch(to + at, 1);
  }
}

void PanelLinear::finish(const Chunk& chunk, int64_t row_panel, int64_t panel, const float* sums, Tensor& out,
                         const Epilogue& epilogue) const {
  const int64_t row = row_panel * kernel_.rows, column = panel * kernel_.columns;
  PanelOutput output = {};
  output.sums = sums;
  output.rows = static_cast<int>(std::min<int64_t>(kernel_.rows, chunk.end - chunk.begin - row));
  output.columns = static_cast<int>(std::min<int64_t>(kernel_.columns, out_features - column));
  output.bias = bias_.defined() ? bias_.data<float>() + column : nullptr;
  output.activation = epilogue.activation;
  output.accumulate = epilogue.accumulate;
  output.gate = epilogue.gate ? epilogue.gate->data<float>() + column : nullptr;
  output.out = out.raw() + ((chunk.begin + row) * out_features + column) * static_cast<int64_t>(dtype_size(out.type()));
  output.out_type = out.type();
  if (const Tensor* addend = epilogue.addend) {
    output.addend = addend->raw() +
                    ((chunk.begin + row) * out_features + column) * static_cast<int64_t>(dtype_size(addend->type()));
    output.addend_type = addend->type();
  }
  output.out_stride = out_features;
  kernel_.finish(output);
}

void PanelLinear::multiply(const Context& context, const Chunk& chunk, Tensor& out, const Epilogue& epilogue) const {
  const int64_t rows = chunk.end - chunk.begin;
  const int64_t row_panels = (rows + kernel_.rows - 1) / kernel_.rows;
  const int64_t item_panels = std::max<int64_t>(1, kItemRows / kernel_.rows);
  const int64_t items = (row_panels + item_panels - 1) / item_panels;
  const bool whole = depth_ <= depth_block_;
  const int64_t block = int64_t{kernel_.rows} * kernel_.columns;
#pragma omp parallel num_threads(context.threads)
  {
    float* sums = chunk.sums.data<float>() + omp_get_thread_num() * chunk.sums.size(1) * chunk.sums.size(2);
    if (kernel_.enter) kernel_.enter();
#pragma omp for collapse(2) schedule(dynamic)
    for (int64_t panel = 0; panel < panels_; ++panel) {
      for (int64_t item = 0; item < items; ++item) {
        if (context.is_cancelled()) continue;
        const int64_t first = item * item_panels, last = std::min(row_panels, first + item_panels);
        for (int64_t depth = 0; depth < depth_; depth += depth_block_) {
          for (int64_t row_panel = first; row_panel < last; ++row_panel) {
            PanelProduct product = product_of(chunk, row_panel, panel);
            product.weights = weights_.raw() + panel * panel_bytes_;
            product.depth_begin = depth;
            product.depth_end = std::min(depth_, depth + depth_block_);
            product.first = depth == 0;
            product.sums = sums + (whole ? 0 : row_panel - first) * block;
            if (product.depth_end == depth_) fetch_output(chunk, row_panel, panel, out);
            kernel_.multiply(product);
            if (product.depth_end == depth_) finish(chunk, row_panel, panel, product.sums, out, epilogue);
          }
        }
      }
    }
    if (kernel_.leave) kernel_.leave();
  }
}

// Every piece of the weights is read once, put in order in the second-level cache and multiplied by all rows of the
// chunk from there. The sums of 128 columns wait meanwhile.
void PanelLinear::multiply_in_file(const Context& context, const Chunk& chunk, Tensor& out,
                                   const Epilogue& epilogue) const {
  LinearSource source = *in_file_;
  source.weight = in_file_->in_file->view(context);
  const WeightPacking packing(source, kernel_);
  const int64_t row_panels = (chunk.end - chunk.begin + kernel_.rows - 1) / kernel_.rows;
  const int64_t row_tiles = (out_features + kTile - 1) / kTile, tile_panels = kTile / kernel_.columns;
  const int64_t block = int64_t{kernel_.rows} * kernel_.columns;
  const auto weight_size = static_cast<int64_t>(dtype_size(kernel_.weight)),
             column_bytes = kernel_.columns * weight_size;
#pragma omp parallel num_threads(context.threads)
  {
    float* sums = chunk.sums.data<float>() + omp_get_thread_num() * chunk.sums.size(1) * chunk.sums.size(2);
    std::byte* weights = chunk.weights.raw() + omp_get_thread_num() * chunk.weights.size(1);
    if (kernel_.enter) kernel_.enter();
#pragma omp for schedule(dynamic)
    for (int64_t row_tile = 0; row_tile < row_tiles; ++row_tile) {
      const int64_t first = row_tile * tile_panels, last = std::min(panels_, first + tile_panels);
      for (int64_t begin = 0; begin < depth_ && !context.is_cancelled(); begin += kPackDepth) {
        const int64_t end = std::min(depth_, begin + kPackDepth), piece_bytes = (end - begin) * column_bytes;
        packing.pack(row_tile, begin, end, panels_ * kernel_.columns, weights, piece_bytes, nullptr);
        for (int64_t panel = first; panel < last; ++panel) {
          for (int64_t row_panel = 0; row_panel < row_panels; ++row_panel) {
            // As one product of its own over the piece: both operands are given from the piece's first depth on.
            PanelProduct product = product_of(chunk, row_panel, panel);
            product.activations += begin * kernel_.rows * static_cast<int64_t>(dtype_size(kernel_.activation));
            product.weights = weights + (panel - first) * piece_bytes;
            product.depth_end = end - begin;
            product.first = begin == 0;
            product.sums = sums + ((panel - first) * row_panels + row_panel) * block;
            kernel_.multiply(product);
            if (end == depth_) finish(chunk, row_panel, panel, product.sums, out, epilogue);
          }
        }
      }
    }
    if (kernel_.leave) kernel_.leave();
  }
}

}  // namespace

std::shared_ptr<RunnableLinear> make_panel_linear(const Context& context, const LinearSource& source,
                                                  const PanelKernel& kernel) {
  return std::make_shared<PanelLinear>(context, source, kernel);
}

}  // namespace rushes
