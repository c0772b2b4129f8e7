#include "engine/bench/random_model.h"

#include <unistd.h>

#include <algorithm>
#include <random>

#include "files/safetensors_writer.h"

namespace rushes {
namespace {

Shape scale_shape(const Shape& weight) { return {(weight[0] + 127) / 128, (weight[1] + 127) / 128}; }

// Values that are drawn; then they come again. Prime, so that rows of a matrix differ.
constexpr size_t kPeriod = 4194301;

// The random values all tensors are cut from.
struct RandomBlock {
  std::vector<bf16> values;
  std::vector<int8_t> codes;
  std::vector<float> scales;

  RandomBlock(int64_t count, bool with_codes)
      : values(static_cast<size_t>(count)),
        codes(with_codes ? static_cast<size_t>(count) : 0),
        scales(static_cast<size_t>(count / (128 * 128) + 1), 0.04f / 128) {
    std::minstd_rand engine(7);
    for (size_t i = 0; i < values.size(); ++i) {
      if (i >= kPeriod) {
        values[i] = values[i - kPeriod];
        if (with_codes) codes[i] = codes[i - kPeriod];
        continue;
      }
      const auto draw = static_cast<float>(engine()) / static_cast<float>(std::minstd_rand::max()) - 0.5f;
      values[i] = bf16(draw * 0.08f);
      if (with_codes) codes[i] = static_cast<int8_t>(draw * 250);
    }
  }
};

template <class Values>
const std::byte* bytes_of(const Values& values) {
  return reinterpret_cast<const std::byte*>(values.data());
}

}  // namespace

WanDitConfig wan_dit_1_3b(int64_t layers) {
  WanDitConfig config;
  config.dim = 1536;
  config.heads = 12;
  config.ffn = 8960;
  config.layers = layers;
  config.in_channels = config.out_channels = 16;
  config.text_dim = 4096;
  config.has_sla = true;
  return config;
}

void write_random_model(const std::filesystem::path& path, const std::vector<ExpectedTensor>& tensors, bool quantized) {
  int64_t largest = 0;
  for (const ExpectedTensor& tensor : tensors) largest = std::max(largest, element_count(tensor.shape));
  const RandomBlock block(largest, quantized);
  std::vector<TensorView> views;
  for (const ExpectedTensor& tensor : tensors) {
    if (quantized && tensor.quantizable) {
      const std::string module = tensor.name.substr(0, tensor.name.rfind('.'));
      views.push_back({module + ".int8_weight", DType::i8, tensor.shape, bytes_of(block.codes)});
      views.push_back({module + ".scale", DType::f32, scale_shape(tensor.shape), bytes_of(block.scales)});
    } else {
      views.push_back({tensor.name, DType::bf16, tensor.shape, bytes_of(block.values)});
    }
  }
  write_safetensors(path, views);
}

uint64_t random_model_bytes(const std::vector<ExpectedTensor>& tensors, bool quantized) {
  uint64_t bytes = 0;
  for (const ExpectedTensor& tensor : tensors) {
    const auto count = static_cast<uint64_t>(element_count(tensor.shape));
    bytes += quantized && tensor.quantizable
                 ? count + 4 * static_cast<uint64_t>(element_count(scale_shape(tensor.shape)))
                 : 2 * count;
  }
  return bytes;
}

RandomCheckpoint::RandomCheckpoint(const std::vector<ExpectedTensor>& tensors, bool quantized) {
  static int count = 0;
  path_ = std::filesystem::temp_directory_path() /
          ("rushes-bench-" + std::to_string(getpid()) + "-" + std::to_string(++count) + ".safetensors");
  write_random_model(path_, tensors, quantized);
}

RandomCheckpoint::~RandomCheckpoint() {
  std::error_code ignored;
  std::filesystem::remove(path_, ignored);
}

}  // namespace rushes
