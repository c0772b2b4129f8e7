// What LoRAs add to a linear layer, beside its weights: x -> up(down(x)). The weights stay as they are, so int8 layers
// lose nothing of a change that is smaller than their step, and any strength is a matter of milliseconds.
#pragma once
#include <memory>
#include <vector>

#include "models/lora_file.h"
#include "ops/linear/linear.h"

namespace rushes {

/// A file at a strength, for one transformer.
struct AppliedLora {
  std::shared_ptr<const LoraFile> file;
  double strength = 1;
  LoraExpert expert = LoraExpert::both;  // the transformer that it is applied to, where a model has two
  bool operator==(const AppliedLora&) const = default;
};

/// All LoRAs' changes of one layer as one product of their ranks' sum; a whole difference is a product with ones, of as
/// many ranks as the layer's narrower side. Immutable.
class LowRankChange {
 public:
  /// Null when none of `changes` is of this layer. `format`: LinearFormat::f32 or bf16, of both matrices; strengths and
  /// scales are in `up`, multiplied in f32. Throws checkpoint.corrupt for values that are not finite.
  struct Weighted {
    const LoraFile* file;
    LoraChange change;
    double strength;
  };
  static std::shared_ptr<const LowRankChange> pack(const Context& context, const ChangeableLayer& layer,
                                                   const std::vector<Weighted>& changes, LinearFormat format);
  LowRank product() const { return {down_.get(), up_.get()}; }
  int64_t rank() const { return down_->out_features; }

 private:
  std::shared_ptr<Linear> down_, up_;
};

/// A norm's weight or bias or a table, f32, under its tensor's name, and what LoRAs add to it.
struct AdaptedVector {
  std::string name;
  Tensor values, change{};
  /// The values with the change added.
  Tensor adapted(const Context& context) const;
};

/// The changes of all layers and vectors of one transformer, matched once.
class LoraChanges {
 public:
  LoraChanges(const std::vector<ChangeableLayer>& layers, const std::vector<AppliedLora>& loras);
  std::shared_ptr<const LowRankChange> pack(const Context& context, const std::string& layer,
                                            LinearFormat format) const;
  /// f32 of the vector's shape; undefined when nothing is added. Throws checkpoint.corrupt for values that are not
  /// finite.
  Tensor difference(const Context& context, const AdaptedVector& vector) const;

 private:
  std::map<std::string, std::pair<ChangeableLayer, std::vector<LowRankChange::Weighted>>, std::less<>> changes_;
};

/// A linear layer and what LoRAs add to it.
struct AdaptedLinear {
  std::shared_ptr<Linear> weights;
  std::shared_ptr<const LowRankChange> change{};
};
/// linear() with the change added before the activation.
void linear(const Context& context, const Tensor& x, const AdaptedLinear& layer, Tensor& out,
            const Epilogue& epilogue = {});

}  // namespace rushes
