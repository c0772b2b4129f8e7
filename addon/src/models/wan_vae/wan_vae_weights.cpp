// Packing the VAE's weights, by their original names.
#include "models/wan_vae/wan_vae_weights.h"

#include <algorithm>

namespace rushes::wan_vae {
namespace {

class Loader {
 public:
  Loader(const Context& context, const WeightSet& weights) : context_(context), weights_(weights) {}

  bool has(const std::string& name) const { return weights_.has(name); }

  ConvolutionPtr convolution(const std::string& name) const {
    return rows(name, 0, weights_.description(name + ".weight").shape[0], true);
  }

  /// Outputs [begin, end) of a convolution. `last` use of the name: its mapped pages may go.
  ConvolutionPtr rows(const std::string& name, int64_t begin, int64_t end, bool last) const {
    context_.check_cancelled();
    TensorView weight = cut(view(name + ".weight"), begin, end), bias = cut(view(name + ".bias"), begin, end);
    auto packed = prepare_convolution(context_, weight, &bias);
    if (last) {
      weights_.count_reading(context_, name + ".weight");
      weights_.release(name + ".weight");
      weights_.release(name + ".bias");
    }
    return packed;
  }

  Tensor gamma(const std::string& name) const {
    Tensor values = load_tensor(context_, view(name));
    weights_.release(name);
    return values.reshaped({values.count()});
  }

  ResidualStage residual(const std::string& name) const {
    return {gamma(name + ".residual.0.gamma"), gamma(name + ".residual.3.gamma"), convolution(name + ".residual.2"),
            convolution(name + ".residual.6"),
            has(name + ".shortcut.weight") ? convolution(name + ".shortcut") : nullptr};
  }

  void middle(const std::string& name, std::vector<Stage>& stages) const {
    stages.push_back(residual(name + ".0"));
    const std::string attention = name + ".1";
    const int64_t channels = weights_.description(attention + ".proj.weight").shape[0];
    const std::string qkv = attention + ".to_qkv";
    stages.push_back(AttentionStage{gamma(attention + ".norm.gamma"), rows(qkv, 0, channels, false),
                                    rows(qkv, channels, 2 * channels, false),
                                    rows(qkv, 2 * channels, 3 * channels, true), convolution(attention + ".proj")});
    stages.push_back(residual(name + ".2"));
  }

 private:
  // Without the data while planning: asking for it may copy it out of the file.
  TensorView view(const std::string& name) const {
    return context_.dry_run ? weights_.description(name) : weights_.view(name);
  }
  static TensorView cut(TensorView view, int64_t begin, int64_t end) {
    const auto row = static_cast<int64_t>(view.bytes()) / std::max<int64_t>(view.shape[0], 1);
    if (view.data) view.data += begin * row;
    view.shape[0] = end - begin;
    return view;
  }

  const Context& context_;
  const WeightSet& weights_;
};

}  // namespace

Half load_decoder(const Context& context, const WeightSet& weights) {
  const Loader loader(context, weights);
  Half half;
  half.entry = loader.convolution("conv2");
  half.first = loader.convolution("decoder.conv1");
  loader.middle("decoder.middle", half.stages);
  for (int i = 0;; ++i) {
    const std::string name = "decoder.upsamples." + std::to_string(i);
    if (loader.has(name + ".residual.0.gamma")) {
      half.stages.push_back(loader.residual(name));
    } else if (loader.has(name + ".resample.1.weight")) {
      if (half.coarse == 0) half.coarse = half.stages.size();
      UpsampleStage stage;
      stage.space = loader.convolution(name + ".resample.1");
      if (const std::string time = name + ".time_conv"; loader.has(time + ".weight")) {
        const int64_t outputs = weights.description(time + ".weight").shape[0];
        stage.even = loader.rows(time, 0, outputs / 2, false);
        stage.odd = loader.rows(time, outputs / 2, outputs, true);
      }
      half.stages.push_back(stage);
    } else {
      break;
    }
  }
  half.last_norm = loader.gamma("decoder.head.0.gamma");
  half.last = loader.convolution("decoder.head.2");
  return half;
}

Half load_encoder(const Context& context, const WeightSet& weights, const WanVaeConfig& config) {
  const Loader loader(context, weights);
  Half half;
  half.first = loader.convolution("encoder.conv1");
  for (int i = 0;; ++i) {
    const std::string name = "encoder.downsamples." + std::to_string(i);
    if (loader.has(name + ".residual.0.gamma")) {
      half.stages.push_back(loader.residual(name));
    } else if (loader.has(name + ".resample.1.weight")) {
      half.stages.push_back(
          DownsampleStage{loader.convolution(name + ".resample.1"),
                          loader.has(name + ".time_conv.weight") ? loader.convolution(name + ".time_conv") : nullptr});
    } else {
      break;
    }
  }
  loader.middle("encoder.middle", half.stages);
  half.last_norm = loader.gamma("encoder.head.0.gamma");
  half.last = loader.convolution("encoder.head.2");
  half.exit = loader.rows("conv1", 0, config.latent_channels, true);
  return half;
}

}  // namespace rushes::wan_vae
