// A layer in panels: its weights packed once for a panel kernel, rows packed and multiplied a chunk at a time.
#pragma once
#include <optional>

#include "ops/linear/packed_linear.h"

namespace rushes {

/// See packed_linear.h. Every sum is made by one thread in one order, so the thread count changes no bit.
class PanelLinear final : public RunnableLinear {
 public:
  PanelLinear(const Context& context, const LinearSource& source, const PanelKernel& kernel);
  void run(const Context& context, const Tensor& x, Tensor& out, const Epilogue& epilogue) const override;
  bool adds(const LowRank& change) const override;

 private:
  // Rows of one work item: enough to use a column panel often, few enough to share out and to cancel between.
  static constexpr int64_t kItemRows = 192;
  // Rows packed at a time; a multiple of 128 (scales) and of every kernel's rows.
  static constexpr int64_t kChunkRows = 768;
  // Depths that one thread packs at a time; of weights that stay in the file: that stay in the second-level cache while
  // the rows pass by. A multiple of 128.
  static constexpr int64_t kPackDepth = 1024;

  /// Rows [begin, end) of x on their way, and the scratch they use.
  struct Chunk {
    int64_t begin = 0, end = 0;
    Tensor panels, row_scales, row_offsets;
    int64_t row_panel_bytes = 0;
    Tensor sums;     // f32 [threads][row panels of an item][rows][columns]
    Tensor widened;  // f32 [threads][depths of a block * columns], where a block is multiplied wider than it is held
    Tensor weights;  // u8 [threads][column panels of a tile][a piece's depths], when they stay in the file
    Tensor bias;     // f32 [panels * columns], that of a low-rank change included
    // Of a low-rank change: its `up`, and these rows on their way into it.
    const PanelLinear* up = nullptr;
    const Chunk* narrow = nullptr;
    /// A thread's; null where weights are multiplied as they are held.
    float* room_to_widen(int thread) const {
      return widened.defined() ? widened.data<float>() + thread * widened.size(1) : nullptr;
    }
  };
  /// The rows of a chunk on their way through a low-rank change.
  struct Narrowing {
    const PanelLinear *down, *up;
    Chunk wide, narrow;  // packed for `down` and for `up`
    Tensor narrow_rows;  // down(x) of one chunk
    Narrowing(const Context& context, const LowRank& change, int64_t rows, int64_t chunk_rows);
    void take_rows(int64_t begin, int64_t end);
    /// `wide` must be packed; packs `narrow`.
    void multiply(const Context& context);
  };
  /// The place for `rows` packed rows.
  Chunk chunk_of(const Context& context, int64_t rows) const;
  void add_room_for_sums(const Context& context, int64_t rows, Chunk& chunk) const;
  void count(const Context& context, int64_t rows) const;
  Tensor bias_with(const Context& context, const PanelLinear& up) const;
  void pack_weights(const Context& context, const LinearSource& source);
  PackTile tile_of(const Context& context, const Tensor& x, const Chunk& chunk, int64_t row_tile,
                   int64_t depth_tile) const;
  void pack_rows(const Context& context, const Tensor& x, const Chunk& chunk, const Narrowing* narrowing) const;
  void multiply(const Context& context, const Chunk& chunk, Tensor& out, const Epilogue& epilogue) const;
  void multiply_in_file(const Context& context, const Chunk& chunk, Tensor& out, const Epilogue& epilogue) const;
  PanelProduct product_of(const Chunk& chunk, int64_t row_panel, int64_t panel) const;
  void take_piece(int64_t begin, int64_t end, PanelProduct& product) const;
  const std::byte* widen(const std::byte* weights, int64_t depths, float* widened) const;
  void fetch_output(const Chunk& chunk, int64_t row_panel, int64_t panel, const Tensor& out) const;
  void finish(const Chunk& chunk, int64_t row_panel, int64_t panel, float* sums, Tensor& out,
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

}  // namespace rushes
