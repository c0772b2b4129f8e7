// The products of a panel layer: one thread to a block of outputs, from its first depth to its way out.
#include <omp.h>

#include <algorithm>

#include "ops/linear/panel_linear.h"
#include "ops/linear/weight_packing.h"

namespace rushes {

PanelProduct PanelLinear::product_of(const Chunk& chunk, int64_t row_panel, int64_t panel) const {
  PanelProduct product = {};
  product.activations = chunk.panels.raw() + row_panel * chunk.row_panel_bytes;
  if (kernel_.format != LinearFormat::int8_tiles) return product;
  product.row_scales = chunk.row_scales.data<float>() + row_panel * depth_tiles_ * kernel_.rows;
  product.row_offsets = chunk.row_offsets.data<int32_t>() + row_panel * depth_tiles_ * kernel_.rows;
  product.column_scales = scales_.data<float>() + panel * kernel_.columns / kTile * depth_tiles_;
  return product;
}

// As one product of its own over a piece of the depths: both operands are given from the piece's first depth on.
void PanelLinear::take_piece(int64_t begin, int64_t end, PanelProduct& product) const {
  product.activations += begin * kernel_.rows * static_cast<int64_t>(dtype_size(kernel_.activation));
  product.depth_begin = 0;
  product.depth_end = end - begin;
}

const std::byte* PanelLinear::widen(const std::byte* weights, int64_t depths, float* widened) const {
  kernel_.widen(weights, depths / kernel_.column_group, widened);
  return reinterpret_cast<const std::byte*>(widened);
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

void PanelLinear::finish(const Chunk& chunk, int64_t row_panel, int64_t panel, float* sums, Tensor& out,
                         const Epilogue& epilogue) const {
  if (chunk.narrow) {
    PanelProduct change = chunk.up->product_of(*chunk.narrow, row_panel, panel);
    change.weights = chunk.up->weights_.raw() + panel * chunk.up->panel_bytes_;
    change.depth_end = chunk.up->depth_;
    change.sums = sums;
    chunk.up->kernel_.multiply(change);
  }
  const int64_t row = row_panel * kernel_.rows, column = panel * kernel_.columns;
  PanelOutput output = {};
  output.sums = sums;
  output.rows = static_cast<int>(std::min<int64_t>(kernel_.rows, chunk.end - chunk.begin - row));
  output.columns = static_cast<int>(std::min<int64_t>(kernel_.columns, out_features - column));
  output.bias = chunk.bias.defined() ? chunk.bias.data<float>() + column : nullptr;
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
  const auto weight_size = static_cast<int64_t>(dtype_size(kernel_.weight));
  const int64_t block = int64_t{kernel_.rows} * kernel_.columns;
#pragma omp parallel num_threads(context.threads)
  {
    float* sums = chunk.sums.data<float>() + omp_get_thread_num() * chunk.sums.size(1) * chunk.sums.size(2);
    float* widened = chunk.room_to_widen(omp_get_thread_num());
    if (kernel_.enter) kernel_.enter();
#pragma omp for collapse(2) schedule(dynamic)
    for (int64_t panel = 0; panel < panels_; ++panel) {
      for (int64_t item = 0; item < items; ++item) {
        if (context.is_cancelled()) continue;
        const int64_t first = item * item_panels, last = std::min(row_panels, first + item_panels);
        for (int64_t depth = 0; depth < depth_; depth += depth_block_) {
          const int64_t end = std::min(depth_, depth + depth_block_);
          const std::byte* weights = weights_.raw() + panel * panel_bytes_;
          if (widened) weights = widen(weights + depth * kernel_.columns * weight_size, end - depth, widened);
          for (int64_t row_panel = first; row_panel < last; ++row_panel) {
            PanelProduct product = product_of(chunk, row_panel, panel);
            product.weights = weights;
            if (widened)
              take_piece(depth, end, product);
            else
              product.depth_begin = depth, product.depth_end = end;
            product.first = depth == 0;
            product.sums = sums + (whole ? 0 : row_panel - first) * block;
            if (end == depth_) fetch_output(chunk, row_panel, panel, out);
            kernel_.multiply(product);
            if (end == depth_) finish(chunk, row_panel, panel, product.sums, out, epilogue);
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
    float* widened = chunk.room_to_widen(omp_get_thread_num());
    if (kernel_.enter) kernel_.enter();
#pragma omp for schedule(dynamic)
    for (int64_t row_tile = 0; row_tile < row_tiles; ++row_tile) {
      const int64_t first = row_tile * tile_panels, last = std::min(panels_, first + tile_panels);
      for (int64_t begin = 0; begin < depth_ && !context.is_cancelled(); begin += kPackDepth) {
        const int64_t end = std::min(depth_, begin + kPackDepth), piece_bytes = (end - begin) * column_bytes;
        packing.pack(row_tile, begin, end, panels_ * kernel_.columns, weights, piece_bytes, nullptr);
        for (int64_t panel = first; panel < last; ++panel) {
          const std::byte* piece = weights + (panel - first) * piece_bytes;
          if (widened) piece = widen(piece, end - begin, widened);
          for (int64_t row_panel = 0; row_panel < row_panels; ++row_panel) {
            PanelProduct product = product_of(chunk, row_panel, panel);
            product.weights = piece;
            take_piece(begin, end, product);
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

}  // namespace rushes
