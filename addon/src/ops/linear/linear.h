// y = x W^T + b in f32, bf16 or TurboDiffusion's block-scaled int8, with the epilogues the models need.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "runtime/context.h"
#include "runtime/kernel.h"
#include "runtime/tensor_view.h"

namespace rushes {

/// How a layer's weights are held and multiplied. f32: products in f32. bf16: where context.compute is bf16, x is
/// rounded to bf16 and products are bf16 with f32 sums; where it is f32, x is left alone and weights are widened on the
/// fly, so the products are f32. int8_tiles: TurboDiffusion's block-scaled int8. The choice is made when a layer is
/// prepared.
enum class LinearFormat { f32, bf16, int8_tiles };

/// Weights that may stay in their file and be read every time the layer runs: for layers that run once, on few rows.
struct WeightsInFile {
  std::function<TensorView(const Context&)> view;  // the weight with its data, which the disk has given
  std::function<void()> release;                   // it was used: its pages may go
};

/// A layer as a file gives it: `weight` [N, K] of a floating type, times `scale` (one f32) if given, or `weight` i8 with
/// `scale` f32 [ceil(N/128), ceil(K/128)] (thu-ml/TurboDiffusion:turbodiffusion/ops/quant/quant.hpp). The views must
/// outlive prepare_linear only.
struct LinearSource {
  std::string name;  // "blocks.5.self_attn.q"
  TensorView weight;
  std::optional<TensorView> scale;
  std::optional<TensorView> bias;  // [N], floating
  /// When given, `weight` has type and shape but no data, and both functions outlive the layer. Weights of the type
  /// that the kernels multiply stay in the file; others are read, packed and released by prepare_linear.
  std::optional<WeightsInFile> in_file{};
};

/// Weights packed for the kernels of one context. Immutable; shared by jobs.
class Linear {
 public:
  virtual ~Linear() = default;
  std::string name;
  int64_t in_features = 0, out_features = 0;
  LinearFormat format = LinearFormat::f32;
  bool in_file = false;  // the weights stay there and are read by every run
  /// Bytes held, packing, scales and bias included.
  uint64_t resident_bytes = 0;
  /// Bytes the same layer takes at 16 bit (weight and bias).
  uint64_t sixteen_bit_bytes() const { return 2 * static_cast<uint64_t>(out_features) * (in_features + 1); }
};

/// A layer whose weights stay in their file counts them as mapped weights while it runs.
/// Packs (and for int8_tiles from a floating source: quantizes, 128x128 tiles, a = max(1e-8, max|w|),
/// q = saturate(rne(w * (128 / a))), scale = a / 128) a layer. `format` f32 and bf16 from an int8 source dequantize.
/// On a CPU that computes in f32, weights that the file has in bf16 are held so also where f32 is asked for (`format`
/// of the result says it): the same products at half of the memory. int8_tiles needs K % 128 == 0, else Error
/// settings.invalid. Memory is counted as weights. Parallel over rows.
std::shared_ptr<Linear> prepare_linear(const Context& context, const LinearSource& source, LinearFormat format);

enum class Activation { none, silu, gelu_tanh };

/// A change of a layer by a product of few ranks: x [M, K] -> up(down(x)) [M, N]. Neither is int8.
struct LowRank {
  const Linear* down;  // [K] -> [rank]
  const Linear* up;    // [rank] -> [N]
  /// up(down(x)): f32, on a card of context.compute where `down` is not f32.
  Tensor operator()(const Context& context, const Tensor& x) const;
  /// Room for `rows` rows of down(x): f32 between f32 layers, else of context.compute.
  Tensor narrow_rows(const Context& context, int64_t rows) const;
};

/// y -> out, in this order: + bias, addend and low_rank (f32, rounded once), activation, then either a store or
/// out += gate[n] * y (gate null: out += y).
struct Epilogue {
  Activation activation = Activation::none;
  bool accumulate = false;         // out must be f32 then
  const Tensor* gate = nullptr;    // f32 [N]; only with accumulate
  const Tensor* addend = nullptr;  // f32 or bf16 [M, N]; not with low_rank
  const LowRank* low_rank = nullptr;
};

/// x [M, K] f32 or bf16; out [M, N] f32 or bf16. int8: x is rounded to bf16, quantized in tiles of 128 rows x 128
/// columns counted from row 0, products summed in int32 per 128-wide K tile, then f32. The result does not depend on
/// the thread count. Splits the work so that cancellation is seen within 200 ms.
void linear(const Context& context, const Tensor& x, const Linear& weights, Tensor& out, const Epilogue& epilogue = {});

/// TurboDiffusion's tile quantizer as `linear` uses it, for tests: x [R, C] f32 or bf16 -> q i8 [R, C] and
/// scale f32 [ceil(R/128), ceil(C/128)].
void quantize_tiles(const Context& context, const Tensor& x, Tensor& q, Tensor& scale);

/// Self-test entries of this operation (runtime/kernel.h).
void append_linear_checks(const CpuFeatures& features, std::vector<KernelCheck>& checks);

}  // namespace rushes
