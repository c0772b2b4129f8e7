#include "models/low_rank.h"

#include <cmath>
#include <span>

#include "files/refusal.h"

namespace rushes {
namespace {

// As f32, times `factor`, every value checked.
void read_scaled(const LoraFile& lora, const TensorView& tensor, double factor, std::span<float> out) {
  to_float(lora.file().view(tensor), out);
  bool finite = true;
  for (float& value : out) {
    value = static_cast<float>(value * factor);
    finite = finite && std::isfinite(value);
  }
  if (!finite) refuse_corrupt(lora.file().path(), printable(tensor.name) + " holds a value that is not a number");
}

TensorView view_of(const Tensor& tensor) { return {"", tensor.type(), tensor.shape(), tensor.raw()}; }

}  // namespace

std::shared_ptr<const LowRankChange> LowRankChange::pack(const Context& context, const ChangeableLayer& layer,
                                                         const std::vector<Weighted>& changes, LinearFormat format) {
  if (changes.empty()) return nullptr;
  int64_t rank = 0;
  bool has_bias = false;
  for (const Weighted& weighted : changes) {
    rank += weighted.change.rank();
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
      for (const TensorView* tensor : {change.down, change.up, change.bias})
        if (tensor) context.work->file_bytes += static_cast<double>(tensor->bytes());
    if (context.dry_run) continue;
    const int64_t own = change.rank();
    if (own > 0) {
      read_scaled(*file, *change.down, 1,
                  {down.data<float>() + first * layer.in_features, static_cast<size_t>(own * layer.in_features)});
      values.resize(static_cast<size_t>(own * layer.out_features));
      read_scaled(*file, *change.up, strength * change.scale, values);
      for (int64_t n = 0; n < layer.out_features; ++n)
        std::copy_n(values.begin() + n * own, own, up.data<float>() + n * rank + first);
      first += own;
    }
    if (change.bias) {
      values.resize(static_cast<size_t>(layer.out_features));
      read_scaled(*file, *change.bias, strength * change.bias_scale, values);
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
