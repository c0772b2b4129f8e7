// Two experts of random weights in the form of Wan2.2 I2V A14B, and a picture for them to start from.
#pragma once
#include <string>
#include <vector>

#include "engine/demo_run.h"
#include "fixtures/model_files.h"
#include "models/wan_dit/wan_dit_tensors.h"

namespace rushes::check {

inline constexpr int64_t kChannels = 16, kMask = 4;

/// To be used with the demo's VAE and text encoder; removed with the object.
class ExpertPair {
 public:
  ExpertPair() : high_(write("high.safetensors", {})), low_(write("low.safetensors", {.seed = 2})) {}
  DemoFiles files() const { return of(high_, low_); }
  DemoFiles of(const std::string& high, const std::string& low) const {
    DemoFiles files;
    files.dit = high;
    files.low = low;
    return files;
  }
  const std::string& high() const { return high_; }
  const std::string& low() const { return low_; }

  struct Form {
    uint64_t seed = 1;
    int64_t layers = 2, in_channels = 2 * kChannels + kMask;
    bool quantized = false;
  };
  std::string write(const char* name, const Form& form) const {
    const WanDitConfig config{.dim = 128,
                              .heads = 1,
                              .ffn = 256,
                              .layers = form.layers,
                              .in_channels = form.in_channels,
                              .out_channels = kChannels,
                              .text_dim = 256};
    fixtures::ModelFile file;
    file.tensors = wan_dit_tensors(config);
    file.seed = form.seed;
    file.quantized = form.quantized;
    fixtures::write_model(folder_ / name, file);
    return (folder_ / name).string();
  }
  std::string path(const char* name) const { return (folder_ / name).string(); }

 private:
  fixtures::TemporaryFolder folder_;
  std::string high_, low_;
};

inline std::vector<uint8_t> picture_of(const rushes_settings& settings) {
  std::vector<uint8_t> rgb(static_cast<size_t>(settings.width * settings.height * 3));
  for (size_t i = 0; i < rgb.size(); ++i) rgb[i] = static_cast<uint8_t>(i * 7 + i / 64 * 13);
  return rgb;
}

}  // namespace rushes::check
