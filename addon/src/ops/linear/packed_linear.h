// The two ways a layer is held: packed for a panel kernel, or as plain arrays for the reference loops.
#pragma once
#include <memory>
#include <vector>

#include "ops/linear/panel_kernel.h"

namespace rushes {

/// A layer that can multiply.
class RunnableLinear : public Linear {
 public:
  /// Shapes are checked by the caller. Counts work, takes scratch, returns early on a dry run.
  virtual void run(const Context& context, const Tensor& x, Tensor& out, const Epilogue& epilogue) const = 0;
  /// True where run() adds such a change itself, block by block; otherwise it is made first and given as addend.
  virtual bool adds(const LowRank&) const { return false; }
};

/// What a table entry is: makes the packed layer from a source, quantizing or dequantizing as the format asks.
using MakeLinear = std::shared_ptr<RunnableLinear> (*)(const Context& context, const LinearSource& source);

std::shared_ptr<RunnableLinear> make_panel_linear(const Context& context, const LinearSource& source,
                                                  const PanelKernel& kernel);
std::shared_ptr<RunnableLinear> make_reference_linear(const Context& context, const LinearSource& source,
                                                      LinearFormat format);

/// The kernels for a format; bf16 products are only for contexts that compute in bf16.
const std::vector<Kernel<MakeLinear>>& linear_kernels(LinearFormat format, DType compute);

/// At most 128 x 128 weights of a source as f32, or as int8 with their scale.
class WeightTiles {
 public:
  explicit WeightTiles(const LinearSource& source);
  /// values [rows][128], zero beyond the matrix.
  void read(int64_t row_tile, int64_t depth_tile, float* values) const;
  /// q [128][128], zero beyond the matrix; returns the scale: as stored, or a / 128 of TurboDiffusion's quantizer.
  float read_int8(int64_t row_tile, int64_t depth_tile, int8_t* q) const;
  /// As stored; 0 for a floating source.
  float scale(int64_t row_tile, int64_t depth_tile) const;

 private:
  const LinearSource& source_;
  int64_t rows_, depth_;
};

/// The one scale of a floating source that has it.
float whole_scale(const LinearSource& source);

/// f32 [padded], zeros beyond N; undefined when the source has no bias.
Tensor load_bias(const Context& context, const LinearSource& source, int64_t padded);

}  // namespace rushes
