// The linear operation's door: argument checks and the choice of a kernel.
#include "ops/linear/linear.h"

#include "ops/linear/linear_cuda.h"
#include "ops/linear/packed_linear.h"
#include "ops/linear/panel_kernels.h"

namespace rushes {
namespace {

template <const PanelKernel& kKernel>
std::shared_ptr<RunnableLinear> panel(const Context& context, const LinearSource& source) {
  return make_panel_linear(context, source, kKernel);
}
template <LinearFormat kFormat>
std::shared_ptr<RunnableLinear> reference(const Context& context, const LinearSource& source) {
  return make_reference_linear(context, source, kFormat);
}

constexpr Backend kCpu = Backend::cpu;

const std::vector<Kernel<MakeLinear>> kF32Kernels = {
    {{"f32 linear", "f32_linear_reference", Backend::reference}, reference<LinearFormat::f32>},
    {{"f32 linear", "f32_linear_portable", kCpu}, panel<kF32Portable>},
    {{"f32 linear", "f32_linear_avx2", kCpu, Isa::avx2}, panel<kF32Avx2>},
    {{"f32 linear", "f32_linear_avx512", kCpu, Isa::avx512}, panel<kF32Avx512>},
};
const std::vector<Kernel<MakeLinear>> kBf16WidenedKernels = {
    {{"bf16 linear", "bf16_linear_reference", Backend::reference}, reference<LinearFormat::bf16>},
    {{"bf16 linear", "bf16_linear_f32_portable", kCpu}, panel<kBf16WidenedPortable>},
    {{"bf16 linear", "bf16_linear_f32_avx2", kCpu, Isa::avx2}, panel<kBf16WidenedAvx2>},
    {{"bf16 linear", "bf16_linear_f32_avx512", kCpu, Isa::avx512}, panel<kBf16WidenedAvx512>},
};
const std::vector<Kernel<MakeLinear>> kBf16Kernels = [] {
  auto kernels = kBf16WidenedKernels;
  kernels.push_back({{"bf16 linear", "bf16_linear_avx512_bf16", kCpu, Isa::avx512_bf16}, panel<kBf16Avx512Bf16>});
  kernels.push_back({{"bf16 linear", "bf16_linear_amx", kCpu, Isa::amx}, panel<kBf16Amx>});
  return kernels;
}();
const std::vector<Kernel<MakeLinear>> kInt8Kernels = {
    {{"int8 linear", "int8_linear_reference", Backend::reference}, reference<LinearFormat::int8_tiles>},
    {{"int8 linear", "int8_linear_portable", kCpu}, panel<kInt8Portable>},
    {{"int8 linear", "int8_linear_avx2", kCpu, Isa::avx2}, panel<kInt8Avx2>},
    {{"int8 linear", "int8_linear_avxvnni", kCpu, Isa::avxvnni}, panel<kInt8AvxVnni>},
    {{"int8 linear", "int8_linear_avx512_vnni", kCpu, Isa::avx512_vnni}, panel<kInt8Avx512Vnni>},
    {{"int8 linear", "int8_linear_amx", kCpu, Isa::amx}, panel<kInt8Amx>},
};

std::vector<Kernel<MakeLinear>> with(std::vector<Kernel<MakeLinear>> kernels,
                                     const std::vector<Kernel<MakeLinear>>& cuda) {
  kernels.insert(kernels.end(), cuda.begin(), cuda.end());
  return kernels;
}

void require(bool holds, const std::string& what) {
  if (!holds) throw Error("engine.internal", "A linear layer was called wrongly: " + what + ".");
}

void check_source(const LinearSource& source, LinearFormat format) {
  const TensorView& weight = source.weight;
  require(weight.shape.size() == 2 && weight.shape[0] > 0 && weight.shape[1] > 0,
          source.name + " has no [N, K] weight");
  const int64_t rows = weight.shape[0], depth = weight.shape[1];
  const Shape tiles = {(rows + kTile - 1) / kTile, (depth + kTile - 1) / kTile};
  if (weight.type == DType::i8)
    require(source.scale && source.scale->type == DType::f32 && source.scale->shape == tiles,
            source.name + " is int8 and needs f32 scales " + shape_text(tiles));
  else if (source.scale)
    require(dtype_size(weight.type) == 1 && source.scale->type == DType::f32 && source.scale->count() == 1,
            source.name + " is floating and takes one f32 scale, and only of f8");
  require(!source.bias || source.bias->count() == rows, source.name + " has a bias of another length than its rows");
  if (format == LinearFormat::int8_tiles && depth % kTile != 0)
    throw Error(
        "settings.invalid",
        "The layer " + source.name + " has " + std::to_string(depth) + " inputs; int8 tiles need a multiple of 128.",
        "Leave this layer unquantized.");
}

// Numbers that the file holds in 16 bits stay there, at half of the memory: widened where they are multiplied, they
// give the same sums.
LinearFormat held_format(const Context& context, const LinearSource& source, LinearFormat wanted) {
  const bool widened = context.backend == Backend::cpu && context.compute == DType::f32;
  return wanted == LinearFormat::f32 && widened && source.weight.type == DType::bf16 ? LinearFormat::bf16 : wanted;
}

}  // namespace

// On a card in the type of the model's other values: a change has as many as the layer's outputs.
Tensor LowRank::operator()(const Context& context, const Tensor& x) const {
  Tensor narrow = narrow_rows(context, x.size(0));
  linear(context, x, *down, narrow);
  const DType type = context.backend == Backend::cuda ? narrow.type() : DType::f32;
  Tensor out = context.allocate(type, {x.size(0), up->out_features});
  linear(context, narrow, *up, out);
  return out;
}

Tensor LowRank::narrow_rows(const Context& context, int64_t rows) const {
  return context.allocate(down->format == LinearFormat::f32 ? DType::f32 : context.compute, {rows, down->out_features});
}

const std::vector<Kernel<MakeLinear>>& linear_kernels(LinearFormat format, DType compute) {
  static const auto f32 = with(kF32Kernels, f32_linear_cuda_kernels());
  static const auto bf16_widened = with(kBf16WidenedKernels, bf16_linear_cuda_kernels(DType::f32));
  static const auto bf16 = with(kBf16Kernels, bf16_linear_cuda_kernels(DType::bf16));
  static const auto int8 = with(kInt8Kernels, int8_linear_cuda_kernels());
  switch (format) {
    case LinearFormat::f32:
      return f32;
    case LinearFormat::bf16:
      return compute == DType::bf16 ? bf16 : bf16_widened;
    case LinearFormat::int8_tiles:
      return int8;
  }
  return f32;
}

std::shared_ptr<Linear> prepare_linear(const Context& context, const LinearSource& source, LinearFormat wanted) {
  const LinearFormat format = held_format(context, source, wanted);
  check_source(source, format);
  context.check_cancelled();
  if (format == LinearFormat::int8_tiles && context.debug && !context.dry_run)
    context.debug("Int8 linear: " + source.name + " [" + std::to_string(source.weight.shape[0]) + "x" +
                  std::to_string(source.weight.shape[1]) + "]");
  const auto& kernel = choose_kernel(linear_kernels(format, context.compute), context);
  if (!source.in_file || kernel.info.backend == Backend::cpu) return kernel.run(context, source);
  LinearSource opened = source;
  opened.weight = source.in_file->view(context);
  opened.in_file.reset();
  auto layer = kernel.run(context, opened);
  source.in_file->release();
  return layer;
}

void linear(const Context& context, const Tensor& x, const Linear& weights, Tensor& out, const Epilogue& epilogue) {
  require(x.rank() == 2 && x.size(1) == weights.in_features, weights.name + " was given x " + shape_text(x.shape()));
  require(out.rank() == 2 && out.size(0) == x.size(0) && out.size(1) == weights.out_features,
          weights.name + " was given out " + shape_text(out.shape()));
  const auto floating = [](const Tensor& t) { return t.type() == DType::f32 || t.type() == DType::bf16; };
  require(floating(x) && floating(out), weights.name + " takes and gives f32 or bf16");
  require(!epilogue.accumulate || out.type() == DType::f32, weights.name + " adds to f32 only");
  require(!epilogue.gate || (epilogue.accumulate && epilogue.gate->type() == DType::f32 &&
                             epilogue.gate->count() == weights.out_features),
          weights.name + " takes a f32 gate of its width, with accumulate only");
  require(!epilogue.addend || (floating(*epilogue.addend) && epilogue.addend->shape() == out.shape()),
          weights.name + " adds f32 or bf16 of the shape of its outputs");
  require(!epilogue.low_rank || (!epilogue.addend && epilogue.low_rank->down->in_features == weights.in_features &&
                                 epilogue.low_rank->up->out_features == weights.out_features &&
                                 epilogue.low_rank->down->out_features == epilogue.low_rank->up->in_features),
          weights.name + " adds a change of its own form, and not with an addend");
  if (x.size(0) == 0) return;
  const auto& layer = static_cast<const RunnableLinear&>(weights);
  if (!epilogue.low_rank || layer.adds(*epilogue.low_rank)) {
    layer.run(context, x, out, epilogue);
    return;
  }
  const Tensor change = (*epilogue.low_rank)(context, x);
  Epilogue with = epilogue;
  with.low_rank = nullptr;
  with.addend = &change;
  layer.run(context, x, out, with);
}

}  // namespace rushes
