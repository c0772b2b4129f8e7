// Weights on their way into column panels, whatever the file holds.
#pragma once
#include "ops/linear/packed_linear.h"
#include "ops/linear/panel_kernel.h"

namespace rushes {

/// Packs parts of one layer's weights for one kernel. Thread-safe.
class WeightPacking {
 public:
  WeightPacking(const LinearSource& source, const PanelKernel& kernel);
  /// True when the weights are multiplied as the file holds them: only their order changes.
  static bool keeps_values(DType weight, const PanelKernel& kernel) {
    return kernel.interleave && weight == kernel.weight;
  }
  /// Rows [128 row_tile, 128 row_tile + 128) and depths [begin, end) (begin a multiple of 128, end too unless it is the
  /// padded depth) into column panels, `panel_bytes` from one to the next; `to` is where depth `begin` of the first one
  /// goes. Zeros beyond the matrix up to `padded_rows`. int8: the tiles' scales to `scales`, one for each 128 depths.
  void pack(int64_t row_tile, int64_t begin, int64_t end, int64_t padded_rows, std::byte* to, int64_t panel_bytes,
            float* scales) const;

 private:
  float read_tile(int64_t row_tile, int64_t depth_tile, std::byte* packed) const;
  void place(const std::byte* from, int64_t from_stride, int64_t rows, int64_t words, std::byte* to,
             int64_t panel_bytes) const;

  const LinearSource& source_;
  const PanelKernel& kernel_;
  const WeightTiles tiles_;
  const int64_t rows_, depth_;
};

}  // namespace rushes
