#include "models/low_rank.h"

#include <cmath>
#include <span>

#include "files/refusal.h"
#include "ops/elementwise/elementwise.h"
#include "runtime/transfer.h"

namespace rushes {
namespace {

// As f32, times `factor`, every value checked.
void read_scaled(const LoraFile& lora, const TensorView& view, double factor, std::span<float> out) {
  to_float(view, out);
  bool finite = true;
  for (float& value : out) {
    value = static_cast<float>(value * factor);
    finite = finite && std::isfinite(value);
  }
  if (!finite) refuse_corrupt(lora.file().path(), printable(view.name) + " holds a value that is not a number");
}

// A matrix of the file, its rows apart in memory: no copy of the whole beside it.
void read_rows(const LoraFile& lora, const TensorView& tensor, double factor, int64_t rows, float* out,
               int64_t stride) {
  const TensorView all = lora.file().view(tensor);
  const int64_t columns = tensor.count() / rows;
  TensorView row{tensor.name, tensor.type, {columns}, all.data};
  for (int64_t n = 0; n < rows; ++n, row.data += row.bytes())
    read_scaled(lora, row, factor, {out + n * stride, static_cast<size_t>(columns)});
}

// Of a layer's change, ranks of both kinds.
int64_t ranks_of(const LoraChange& change, const ChangeableLayer& layer) {
  return change.rank() + (change.full ? std::min(layer.in_features, layer.out_features) : 0);
}

TensorView view_of(const Tensor& tensor) { return {"", tensor.type(), tensor.shape(), tensor.raw()}; }

}  // namespace

std::shared_ptr<const LowRankChange> LowRankChange::pack(const Context& context, const ChangeableLayer& layer,
                                                         const std::vector<Weighted>& changes, LinearFormat format) {
  if (changes.empty()) return nullptr;
  int64_t rank = 0;
  bool has_bias = false;
  for (const Weighted& weighted : changes) {
    rank += ranks_of(weighted.change, layer);
    has_bias = has_bias || weighted.change.bias;
  }
  rank = std::max<int64_t>(rank, 1);  // a bias alone: one rank of zeros
  const Context host = context.on_host();
  Tensor down = host.allocate(DType::f32, {rank, layer.in_features});
  Tensor up = host.allocate(DType::f32, {layer.out_features, rank});
  Tensor bias = has_bias ? host.allocate(DType::f32, {layer.out_features}) : Tensor();
  if (!context.dry_run) {
    std::fill_n(down.data<float>(), down.count(), 0.0f);
    std::fill_n(up.data<float>(), up.count(), 0.0f);
    if (has_bias) std::fill_n(bias.data<float>(), bias.count(), 0.0f);
  }
  int64_t first = 0;
  std::vector<float> values;
  for (const auto& [file, change, strength] : changes) {
    if (context.work)
      for (const TensorView* tensor : {change.down, change.up, change.full, change.bias})
        if (tensor) context.work->file_bytes += static_cast<double>(tensor->bytes());
    if (context.dry_run) continue;
    const int64_t own = change.rank();
    if (own > 0) {
      read_rows(*file, *change.down, 1, own, down.data<float>() + first * layer.in_features, layer.in_features);
      read_rows(*file, *change.up, strength * change.scale, layer.out_features, up.data<float>() + first, rank);
      first += own;
    }
    if (change.full) {  // ones on the narrower side, the difference on the other
      const int64_t ones = std::min(layer.in_features, layer.out_features);
      struct Side {
        float* begin;
        int64_t stride;
      };
      const Side of_down{down.data<float>() + first * layer.in_features, layer.in_features},
          of_up{up.data<float>() + first, rank};
      const bool down_is_ones = layer.in_features <= layer.out_features;
      const auto [diagonal, step] = down_is_ones ? of_down : of_up;
      const auto [difference, stride] = down_is_ones ? of_up : of_down;
      for (int64_t i = 0; i < ones; ++i) diagonal[i * step + i] = 1;
      read_rows(*file, *change.full, strength, layer.out_features, difference, stride);
      first += ones;
    }
    if (change.bias) {
      values.resize(static_cast<size_t>(layer.out_features));
      read_scaled(*file, file->file().view(*change.bias), strength * change.bias_scale, values);
      for (int64_t n = 0; n < layer.out_features; ++n) bias.data<float>()[n] += values[static_cast<size_t>(n)];
    }
  }
  auto out = std::make_shared<LowRankChange>();
  out->down_ = prepare_linear(context, {layer.name + " (LoRA, down)", view_of(down), {}, {}}, format);
  LinearSource source{layer.name + " (LoRA, up)", view_of(up), {}, {}};
  if (has_bias) source.bias = view_of(bias);
  out->up_ = prepare_linear(context, source, format);
  return out;
}

LoraChanges::LoraChanges(const std::vector<ChangeableLayer>& layers, const std::vector<AppliedLora>& loras) {
  for (const auto& [file, strength, expert] : loras) {
    if (strength == 0) continue;
    const LoraFile::Match match = file->match(layers, expert);
    for (const ChangeableLayer& layer : layers)
      if (const auto found = match.changes.find(layer.name); found != match.changes.end()) {
        auto& [of_layer, weighted] = changes_[layer.name];
        of_layer = layer;
        weighted.push_back({file.get(), found->second, strength});
      }
  }
}

std::shared_ptr<const LowRankChange> LoraChanges::pack(const Context& context, const std::string& layer,
                                                       LinearFormat format) const {
  const auto found = changes_.find(layer);
  if (found == changes_.end()) return nullptr;
  return LowRankChange::pack(context, found->second.first, found->second.second, format);
}

Tensor LoraChanges::difference(const Context& context, const AdaptedVector& vector) const {
  // "blocks.0.norm3.weight" and ".bias" are of the layer "blocks.0.norm3", "blocks.0.modulation" is one of its own.
  std::string_view layer = vector.name;
  const bool is_bias = layer.ends_with(".bias");
  if (is_bias || layer.ends_with(".weight")) layer = layer.substr(0, layer.rfind('.'));
  const auto found = changes_.find(layer);
  if (found == changes_.end()) return {};
  Tensor sum;
  std::vector<float> values(static_cast<size_t>(vector.values.count()));
  for (const auto& [file, change, strength] : found->second.second) {
    const TensorView* tensor = is_bias ? change.bias : change.full;
    if (!tensor) continue;
    if (!sum.defined()) {
      sum = context.on_host().allocate(DType::f32, vector.values.shape());
      if (!context.dry_run) std::fill_n(sum.data<float>(), sum.count(), 0.0f);
    }
    if (context.work) context.work->file_bytes += static_cast<double>(tensor->bytes());
    if (context.dry_run) continue;
    read_scaled(*file, file->file().view(*tensor), strength * (is_bias ? change.bias_scale : 1), values);
    for (size_t i = 0; i < values.size(); ++i) sum.data<float>()[i] += values[i];
  }
  return sum.defined() ? to_device(context, sum, MemoryUse::weights) : sum;
}

Tensor AdaptedVector::adapted(const Context& context) const {
  if (!change.defined()) return values;
  Tensor out = context.allocate(DType::f32, values.shape());
  add(context, values, change, out);
  return out;
}

void linear(const Context& context, const Tensor& x, const AdaptedLinear& layer, Tensor& out,
            const Epilogue& epilogue) {
  if (!layer.change) {
    linear(context, x, *layer.weights, out, epilogue);
    return;
  }
  const LowRank change = layer.change->product();
  Epilogue with = epilogue;
  with.low_rank = &change;
  linear(context, x, *layer.weights, out, with);
}

}  // namespace rushes
