// A linear layer in the memory of a card: how its weights get there and are quantized or dequantized, and how a call
// becomes launches. The kernels are in the files beside this one; which of them runs is cuda/kernel_choice.h's answer.
#include <algorithm>

#include "cuda/access_choice.h"
#include "ops/linear/linear_cuda.h"
#include "ops/linear/product_cuda.h"

namespace rushes {
namespace {

using cuda::LinearChoice;
using cuda::LinearKernel;
using cuda::LinearProduct;

constexpr int kRowElements = 8;                    // rows of weights are padded to so many: 16 bytes of bf16
constexpr int64_t kSlabBytes = int64_t{32} << 20;  // of a source on its way to be converted
// Operations after which the host waits, so that a cancelled job is left soon even on a slow card.
constexpr double kTensorOperations = 4e12, kFmaOperations = 1e12;

constexpr int64_t round_up(int64_t value, int64_t step) { return (value + step - 1) / step * step; }

/// Elements of the tensor move in runs of so many, row after row.
bool moves(int elements, const Tensor& tensor) {
  const int bytes = static_cast<int>(dtype_size(tensor.type()));
  return cuda::choose_run(elements, tensor.size(1), {{tensor.raw(), bytes}}) == elements;
}

class CudaLinear final : public RunnableLinear {
 public:
  CudaLinear(const Context& context, const LinearSource& source, LinearFormat wanted, LinearProduct product,
             bool older_kernels);
  void run(const Context& context, const Tensor& x, Tensor& out, const Epilogue& epilogue) const override;

 private:
  DType weight_type() const { return weights_.type(); }
  void upload(const Context& context, const LinearSource& source) const;
  void upload_slabs(const Context& context, const LinearSource& source, const Tensor& slab, const Tensor& scales) const;
  LinearChoice choose(const Context& context, int64_t rows) const;
  void count(const Context& context, const Tensor& x, const Tensor& out, const Epilogue& epilogue) const;
  int64_t chunk_rows(const DeviceInfo& card) const;
  void launch_plain(const Context& context, const LinearChoice& choice, const Tensor& x,
                    const cuda::LinearOutput& output) const;

  LinearProduct product_;
  bool older_kernels_;  // only what cards before architecture 90 have
  int64_t depth_ = 0;   // of a row of weights, padded
  Tensor weights_;      // i8 [N, K], or bf16 or f32 [N, depth]
  Tensor scales_;       // int8: f32 [ceil(N / 128), K / 128]
  Tensor bias_;         // f32 [N]
};

/// What the slabs of a source are uploaded as: the file's own type where kernels read it, else f32.
DType slab_type(DType source) {
  return source == DType::i8 || source == DType::bf16 || source == DType::f32 ? source : DType::f32;
}

CudaLinear::CudaLinear(const Context& context, const LinearSource& source, LinearFormat wanted, LinearProduct product,
                       bool older_kernels)
    : product_(product), older_kernels_(older_kernels) {
  name = source.name;
  format = wanted;
  out_features = source.weight.shape[0];
  in_features = source.weight.shape[1];
  const bool int8 = wanted == LinearFormat::int8_tiles;
  const int64_t depth_tiles = (in_features + kTile - 1) / kTile, row_tiles = (out_features + kTile - 1) / kTile;
  depth_ = int8 ? in_features : round_up(in_features, kRowElements);
  const DType type = int8 ? DType::i8 : wanted == LinearFormat::bf16 ? DType::bf16 : DType::f32;
  weights_ = context.allocate(type, {out_features, depth_}, MemoryUse::weights);
  if (int8) scales_ = context.allocate(DType::f32, {row_tiles, depth_tiles}, MemoryUse::weights);
  if (source.bias) bias_ = context.allocate(DType::f32, {out_features}, MemoryUse::weights);
  resident_bytes = weights_.bytes() + (int8 ? scales_.bytes() : 0) + (bias_.defined() ? bias_.bytes() : 0);
  const DType from = source.weight.type;
  if (context.work)
    context.work->of(int8                  ? (from == DType::i8 ? Effort::weights_int8 : Effort::weights_quantized)
                     : type == DType::bf16 ? Effort::weights_bf16
                                           : Effort::weights_f32) += static_cast<double>(source.weight.count());
  if (from == type && depth_ == in_features) {
    if (!context.dry_run) upload(context, source);
    return;
  }
  const auto row_bytes = in_features * static_cast<int64_t>(dtype_size(slab_type(from)));
  const int64_t slab_rows =
      std::min(round_up(out_features, kTile), std::max<int64_t>(kTile, kSlabBytes / row_bytes / kTile * kTile));
  const Tensor slab = context.allocate(slab_type(from), {slab_rows, in_features});
  Tensor scales;
  if (from == DType::i8) scales = context.allocate(DType::f32, {row_tiles, depth_tiles});
  if (!context.dry_run) upload_slabs(context, source, slab, scales);
}

void CudaLinear::upload(const Context& context, const LinearSource& source) const {
  context.device->upload(weights_.raw(), source.weight.data, weights_.bytes());
  if (scales_.defined()) context.device->upload(scales_.raw(), source.scale->data, scales_.bytes());
  if (!bias_.defined()) return;
  std::vector<float> bias(out_features);
  to_float(*source.bias, bias);
  context.device->upload(bias_.raw(), bias.data(), bias_.bytes());
}

// Some rows at a time: uploaded as they are (types that no kernel reads become f32 on the host), then quantized,
// widened or rounded by the card.
void CudaLinear::upload_slabs(const Context& context, const LinearSource& source, const Tensor& slab,
                              const Tensor& scales) const {
  if (scales.defined()) context.device->upload(scales.raw(), source.scale->data, scales.bytes());
  if (bias_.defined()) {
    std::vector<float> bias(out_features);
    to_float(*source.bias, bias);
    context.device->upload(bias_.raw(), bias.data(), bias_.bytes());
  }
  const int64_t depth_tiles = (in_features + kTile - 1) / kTile, slab_rows = slab.size(0);
  const bool as_it_is = slab.type() == source.weight.type;
  Tensor widened;
  if (!as_it_is) widened = context.on_host().allocate(DType::f32, {slab_rows, in_features});
  for (int64_t first = 0; first < out_features; first += slab_rows) {
    context.check_cancelled();
    const int64_t rows = std::min(slab_rows, out_features - first);
    TensorView part = source.weight;
    part.shape = {rows, in_features};
    part.data += first * in_features * static_cast<int64_t>(dtype_size(part.type));
    if (as_it_is) {
      context.device->upload(slab.raw(), part.data, part.bytes());
    } else {
      const std::span values(widened.data<float>(), static_cast<size_t>(part.count()));
      to_float(part, values);
      if (source.scale) {
        const float scale = whole_scale(source);
        for (float& value : values) value *= scale;
      }
      context.device->upload(slab.raw(), widened.raw(), static_cast<uint64_t>(part.count()) * sizeof(float));
    }
    if (format == LinearFormat::int8_tiles)
      cuda::launch_quantize(context.device->stream(), slab.raw(), slab.type() == DType::bf16, false, rows, in_features,
                            weights_.data<int8_t>() + first * in_features,
                            scales_.data<float>() + first / kTile * depth_tiles);
    else
      cuda::launch_convert(
          context.device->stream(), slab.type(), slab.raw(),
          scales.defined() ? scales.data<float>() + first / kTile * depth_tiles : nullptr, depth_tiles, weight_type(),
          weights_.raw() + first * depth_ * static_cast<int64_t>(dtype_size(weight_type())), rows, in_features, depth_);
  }
}

LinearChoice CudaLinear::choose(const Context& context, int64_t rows) const {
  DeviceInfo card = context.device->info();
  if (older_kernels_ && card.architecture >= 90 && card.architecture < 100) card.architecture = 80;
  return cuda::choose_linear(card, product_, {rows, out_features, in_features});
}

int64_t CudaLinear::chunk_rows(const DeviceInfo& card) const {
  const double each = 2.0 * static_cast<double>(in_features) * static_cast<double>(out_features);
  const double most = product_ == LinearProduct::f32 ? kFmaOperations : kTensorOperations;
  const auto by_work = static_cast<int64_t>(most / each) / kTile * kTile;
  return std::max<int64_t>(kTile, std::min(by_work, cuda::linear_chunk_rows(card, product_, in_features)));
}

void CudaLinear::count(const Context& context, const Tensor& x, const Tensor& out, const Epilogue& epilogue) const {
  if (!context.work) return;
  WorkCount& work = *context.work;
  const auto rows = static_cast<double>(x.size(0));
  const bool int8 = product_ == LinearProduct::int8, bf16 = product_ == LinearProduct::bf16;
  (int8   ? work.int8_ops
   : bf16 ? work.bf16_ops
          : work.f32_ops) += 2.0 * rows * static_cast<double>(in_features) * static_cast<double>(out_features);
  const LinearChoice choice = choose(context, x.size(0));
  work.of(int8   ? Effort::linear_int8
          : bf16 ? Effort::linear_bf16
                 : Effort::linear_f32) += 2.0 * static_cast<double>(choice.padded_rows()) *
                                          static_cast<double>(depth_) * static_cast<double>(choice.padded_outputs());
  work.of(int8 ? Effort::rows_int8 : bf16 ? Effort::rows_bf16 : Effort::rows_f32) += static_cast<double>(x.count());
  work.of(Effort::outputs) += static_cast<double>(out.count());
  if (epilogue.activation != Activation::none) work.of(Effort::activations) += static_cast<double>(out.count());
}

/// `addend`: the epilogue's, of the rows of `out`; may be undefined.
cuda::LinearOutput output_of(const Tensor& out, const Tensor& bias, const Epilogue& epilogue, const Tensor& addend) {
  cuda::LinearOutput output = {};
  output.bias = bias.defined() ? bias.data<float>() : nullptr;
  output.gate = epilogue.gate ? epilogue.gate->data<float>() : nullptr;
  output.addend = addend.defined() ? addend.raw() : nullptr;
  output.addend_is_bf16 = addend.defined() && addend.type() == DType::bf16;
  output.out = out.raw();
  output.rows = static_cast<int>(out.size(0));
  output.outputs = static_cast<int>(out.size(1));
  output.activation = static_cast<int>(epilogue.activation);
  output.accumulate = epilogue.accumulate;
  output.is_bf16 = out.type() == DType::bf16;
  constexpr int kBytes = sizeof(float);
  output.in_fours = cuda::choose_run(4, output.outputs, {{output.bias, kBytes}, {output.gate, kBytes}}) == 4 &&
                    moves(4, out) && (!addend.defined() || moves(4, addend));
  return output;
}

void CudaLinear::launch_plain(const Context& context, const LinearChoice& choice, const Tensor& x,
                              const cuda::LinearOutput& output) const {
  cuda::PlainOperands operands = {};
  operands.x = x.raw();
  operands.weights = weights_.raw();
  operands.x_stride = in_features;
  operands.weight_stride = depth_;
  operands.depth = static_cast<int>(in_features);
  operands.x_is_bf16 = x.type() == DType::bf16;
  operands.weight_is_bf16 = weight_type() == DType::bf16;
  operands.round_x = product_ == LinearProduct::bf16;
  operands.x_in_fours = moves(4, x);
  operands.weight_in_fours = 1;
  operands.row_tiles = static_cast<int>(choice.row_tiles);
  operands.column_tiles = static_cast<int>(choice.column_tiles);
  operands.band = choice.band;
  const auto launch = choice.tile.kernel == LinearKernel::dot ? cuda::launch_dot_linear : cuda::launch_fma_linear;
  launch(context.device->stream(), choice, operands, output);
}

void CudaLinear::run(const Context& context, const Tensor& x, Tensor& out, const Epilogue& epilogue) const {
  count(context, x, out, epilogue);
  const int64_t rows = x.size(0), most = std::min(rows, chunk_rows(context.device->info()));
  const bool int8 = product_ == LinearProduct::int8;
  const bool few = choose(context, rows).tile.kernel == LinearKernel::dot;
  const bool packed = product_ == LinearProduct::bf16 && !few &&
                      (x.type() != DType::bf16 || depth_ != in_features || !moves(kRowElements, x));
  Tensor operand, row_scales;  // rows of x as the product takes them, where x is not that itself
  if (int8) {
    operand = context.allocate(DType::i8, {most, in_features});
    row_scales = context.allocate(DType::f32, {(most + kTile - 1) / kTile, in_features / kTile});
  } else if (packed) {
    operand = context.allocate(DType::bf16, {most, depth_});
  }
  if (context.dry_run) return;
  context.check_cancelled();
  void* stream = context.device->stream();
  const double each = 2.0 * static_cast<double>(in_features) * static_cast<double>(out_features);
  double asked = 0;  // operations since the host last waited
  for (int64_t first = 0; first < rows; first += most) {
    const Tensor x_part = x.rows(first, std::min(rows, first + most));
    const Tensor out_part = out.rows(first, std::min(rows, first + most));
    const Tensor addend = epilogue.addend ? epilogue.addend->rows(first, std::min(rows, first + most)) : Tensor();
    const int64_t part_rows = x_part.size(0);
    // A layer's few rows are few in every part; a last part of few rows still goes where the others went.
    const LinearChoice choice = choose(context, few ? part_rows : std::max<int64_t>(part_rows, cuda::kDotRows + 1));
    const cuda::LinearOutput output = output_of(out_part, bias_, epilogue, addend);
    if (few || product_ == LinearProduct::f32) {
      launch_plain(context, choice, x_part, output);
    } else {
      if (int8)
        cuda::launch_quantize(stream, x_part.raw(), x.type() == DType::bf16, true, part_rows, in_features,
                              operand.data<int8_t>(), row_scales.data<float>());
      else if (packed)
        cuda::launch_convert(stream, x.type(), x_part.raw(), nullptr, 0, DType::bf16, operand.raw(), part_rows,
                             in_features, depth_);
      cuda::LinearOperands operands = {};
      operands.x = operand.defined() ? operand.raw() : x_part.raw();
      operands.weights = weights_.raw();
      operands.x_stride = operands.weight_stride = depth_ * static_cast<int64_t>(dtype_size(weight_type()));
      operands.depth_bytes = static_cast<int>(operands.weight_stride);
      if (int8) {
        operands.row_scales = row_scales.data<float>();
        operands.column_scales = scales_.data<float>();
      }
      operands.row_tiles = static_cast<int>(choice.row_tiles);
      operands.column_tiles = static_cast<int>(choice.column_tiles);
      operands.band = choice.band;
      const auto launch =
          choice.tile.kernel == LinearKernel::wgmma ? cuda::launch_wgmma_linear : cuda::launch_mma_linear;
      launch(stream, choice, product_, operands, output);
    }
    asked += each * static_cast<double>(part_rows);
    if (first + most < rows) {
      if (asked >= 0.5 * (product_ == LinearProduct::f32 ? kFmaOperations : kTensorOperations)) {
        context.device->synchronize();
        asked = 0;
      }
      context.check_cancelled();
    }
  }
}

template <LinearFormat kFormat, LinearProduct kProduct, bool kOlderKernels>
std::shared_ptr<RunnableLinear> make(const Context& context, const LinearSource& source) {
  return std::make_shared<CudaLinear>(context, source, kFormat, kProduct, kOlderKernels);
}

constexpr Backend kCuda = Backend::cuda;

KernelInfo info(std::string_view operation, std::string_view name, int least, int last = 9999) {
  KernelInfo out{operation, name, kCuda};
  out.least_architecture = least;
  out.last_architecture = last;
  return out;
}

}  // namespace

std::vector<Kernel<MakeLinear>> f32_linear_cuda_kernels() {
  return {{info("f32 linear", "f32_linear_cuda", 80), make<LinearFormat::f32, LinearProduct::f32, true>}};
}

std::vector<Kernel<MakeLinear>> bf16_linear_cuda_kernels(DType compute) {
  constexpr LinearFormat kFormat = LinearFormat::bf16;
  if (compute != DType::bf16)
    return {{info("bf16 linear", "bf16_linear_f32_cuda", 80), make<kFormat, LinearProduct::f32, true>}};
  return {{info("bf16 linear", "bf16_linear_mma", 80), make<kFormat, LinearProduct::bf16, true>},
          {info("bf16 linear", "bf16_linear_wgmma", 90, 99), make<kFormat, LinearProduct::bf16, false>}};
}

std::vector<Kernel<MakeLinear>> int8_linear_cuda_kernels() {
  constexpr LinearFormat kFormat = LinearFormat::int8_tiles;
  return {{info("int8 linear", "int8_linear_mma", 80), make<kFormat, LinearProduct::int8, true>},
          {info("int8 linear", "int8_linear_wgmma", 90, 99), make<kFormat, LinearProduct::int8, false>}};
}

void quantize_tiles_cuda(const Context& context, const Tensor& x, Tensor& q, Tensor& scale) {
  cuda::launch_quantize(context.device->stream(), x.raw(), x.type() == DType::bf16, true, x.size(0), x.size(1),
                        q.data<int8_t>(), scale.data<float>());
}

}  // namespace rushes
