// Takes a transformer's tensors out of the file one by one, packed for the context's kernels, and gives the pages back.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "models/low_rank.h"
#include "models/weights.h"
#include "ops/linear/linear.h"

namespace rushes {

class WanDitLoader {
 public:
  /// `ahead` reads the tensors from the disk, in the order in which they will be asked for; `asked` gets that order.
  WanDitLoader(const Context& context, const WeightSet& weights, ReadAhead* ahead = nullptr,
               std::vector<std::string>* asked = nullptr)
      : context_(context), weights_(weights), ahead_(ahead), asked_(asked) {}

  const Context& context() const { return context_; }

  /// A small tensor as f32.
  Tensor tensor(const std::string& name) const { return tensor(context_, name); }
  /// The same in host memory, where it can be changed.
  Tensor host_tensor(const std::string& name) const { return tensor(context_.on_host(), name); }

  /// layer.weight (or its int8 form) and layer.bias. `with_bias` false leaves the bias to the caller.
  std::shared_ptr<Linear> linear(const std::string& layer, LinearFormat format, bool with_bias = true) const {
    context_.check_cancelled();
    const bool quantized = weights_.has(layer + ".int8_weight");
    const std::string weight = layer + (quantized ? ".int8_weight" : ".weight");
    LinearSource source{layer, view(weight), {}, {}};
    source.scale =
        quantized ? std::optional(view(layer + ".scale")) : weights_.scale_of(layer, !asked_ && !context_.dry_run);
    if (with_bias) source.bias = view(layer + ".bias");
    auto out = prepare_linear(context_, source, format);
    release(weight);
    return out;
  }

  AdaptedVector vector(const std::string& name) const { return {name, tensor(name)}; }

  AdaptedLinear adapted(const std::string& layer, LinearFormat format) const { return {linear(layer, format)}; }

  /// The format of layers that are never quantized: that of the activations.
  LinearFormat plain_format() const { return context_.compute == DType::bf16 ? LinearFormat::bf16 : LinearFormat::f32; }

 private:
  Tensor tensor(const Context& context, const std::string& name) const {
    Tensor out = load_tensor(context, view(name));
    release(name);
    return out;
  }

  TensorView view(const std::string& name) const {
    if (asked_) {  // only the order is wanted: asking for the data would have the system read the whole file
      asked_->push_back(name);
      return weights_.description(name);
    }
    weights_.count_reading(context_, name);
    if (context_.dry_run) return weights_.description(name);
    const std::byte* data = ahead_ ? ahead_->wait(context_, name) : nullptr;
    if (!data) return weights_.view(name);
    TensorView out = weights_.description(name);
    out.data = data;
    return out;
  }
  void release(const std::string& name) const {
    if (ahead_) ahead_->used(name);
    weights_.release(name);
  }

  const Context& context_;
  const WeightSet& weights_;
  ReadAhead* const ahead_;
  std::vector<std::string>* const asked_;
};

}  // namespace rushes
