#include "fuzz/exercise.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "engine/inspect.h"
#include "fixtures/model_files.h"
#include "fixtures/tensor_source.h"
#include "models/umt5/umt5_tensors.h"
#include "models/wan_dit/wan_dit_tensors.h"
#include "models/wan_vae/wan_vae_tensors.h"

namespace rushes::fuzz {
namespace {

using namespace fixtures;

std::vector<std::byte> bytes_of(const std::string& text) {
  std::vector<std::byte> out(text.size());
  std::memcpy(out.data(), text.data(), text.size());
  return out;
}

std::string exercise(std::span<const std::byte> bytes) {
  constexpr uint64_t kMostBytes = 16 << 20;
  try {
    const auto file = Checkpoint::open_bytes(bytes, "fuzz.bin");
    uint64_t read = 0;
    unsigned sum = 0;
    for (const TensorView& tensor : file->tensors()) {
      if (!file->find(tensor.name)) throw std::logic_error("a listed tensor is not found");
      if ((read += tensor.bytes()) > kMostBytes) break;
      const TensorView view = file->view(tensor);
      for (uint64_t i = 0; i < view.bytes(); ++i) sum += static_cast<unsigned>(view.data[i]);
      file->release(tensor);
    }
    static volatile unsigned sink;
    sink = sum;  // the reads must happen
    const StrippedNames names = strip_prefix(*file);
    for (const Family& family : families()) {
      const auto detected = family.detect(names);
      if (!detected) continue;
      const WeightSet weights = WeightSet::bind(file, detected->expected, detected->to_original);
      if (weights.report().summary().size() > 100'000) throw std::logic_error("a summary is not one line");
      for (const ExpectedTensor& tensor : detected->expected)
        if (weights.report().complete() && weights.has(tensor.name) && element_count(tensor.shape) < (1 << 20))
          weights.view(tensor.name);
    }
    if (inspect_report(file).empty()) throw std::logic_error("an empty report");
  } catch (const Error& error) {
    if (!error.code().starts_with("checkpoint.")) throw std::logic_error("the code " + error.code());
    if (error.sentence().empty() || error.sentence().size() > 500) throw std::logic_error("not one sentence");
    return error.code();
  }
  return "";
}

const WanDitConfig kDit = {.dim = 128,
                           .heads = 1,
                           .ffn = 128,
                           .layers = 1,
                           .in_channels = 1,
                           .out_channels = 1,
                           .text_dim = 8,
                           .frequency_dim = 8};
const WanVaeConfig kVae = {.base = 1};
const Umt5Config kText = {.dim = 8, .heads = 1, .head_size = 4, .ffn = 8, .layers = 1, .vocabulary = 8};

std::vector<std::vector<TensorSource>> seed_tensors() {
  std::vector<std::vector<TensorSource>> out;
  out.push_back({tensor_of("a", DType::f32, {2, 2}, {1, 2, 3, 4}), tensor_of("b", DType::bf16, {3}, {1, 2, 3}),
                 tensor_of("s", DType::i64, {}, {5}), hole("e", DType::u8, {0})});
  out.push_back(model_tensors({.tensors = umt5_tensors(kText), .holes = true}));
  out.push_back(model_tensors({.tensors = umt5_tensors(kText), .rename = umt5_hugging_face_name, .holes = true}));
  out.push_back(model_tensors({.tensors = wan_vae_tensors(kVae), .holes = true}));
  out.push_back(model_tensors({.tensors = wan_dit_tensors(kDit), .prefix = "net.", .quantized = true, .holes = true}));
  out.push_back(model_tensors({.tensors = wan_dit_tensors(kDit), .rename = wan_dit_diffusers_name, .holes = true}));
  return out;
}

std::vector<TensorSource> views_of_one_storage() {
  std::vector<TensorSource> out;
  const auto add = [&](const char* name, Shape shape, std::vector<int64_t> strides, int64_t offset) {
    out.push_back({.name = name,
                   .type = DType::f32,
                   .shape = std::move(shape),
                   .strides = std::move(strides),
                   .offset = offset,
                   .storage_count = 12,
                   .storage_key = "0"});
  };
  add("whole", {12}, {1}, 0);
  add("transposed", {3, 4}, {1, 3}, 0);
  add("expanded", {5, 2}, {0, 1}, 3);
  return out;
}

}  // namespace

std::string exercise_file(std::span<const std::byte> bytes) { return exercise(bytes); }

std::string exercise_pickle(std::span<const std::byte> pickle) {
  const std::string text(reinterpret_cast<const char*>(pickle.data()), pickle.size());
  return exercise(archive_of(text, {{"0", std::string(4096, '\1')}, {"1", std::string(64, '\2')}, {"2", ""}}));
}

std::string exercise_header(std::span<const std::byte> header) {
  constexpr size_t kMostBytes = 1 << 16;
  const std::string text(reinterpret_cast<const char*>(header.data()), header.size());
  // The number before the last "]" of data_offsets, if it reads as one.
  size_t data_bytes = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    size_t number = 0, digits = 0;
    for (; i < text.size() && text[i] >= '0' && text[i] <= '9' && digits < 6; ++i, ++digits)
      number = number * 10 + static_cast<size_t>(text[i] - '0');
    if (digits && number <= kMostBytes) data_bytes = std::max(data_bytes, number);
  }
  return exercise(safetensors_with_header(text, data_bytes));
}

std::vector<std::vector<std::byte>> safetensors_seeds() {
  std::vector<std::vector<std::byte>> out;
  for (const auto& tensors : seed_tensors()) out.push_back(safetensors_bytes(tensors, {{"format", "pt"}}));
  return out;
}

std::vector<std::vector<std::byte>> pytorch_seeds() {
  std::vector<std::vector<std::byte>> out;
  for (const auto& tensors : seed_tensors()) out.push_back(pth_bytes(tensors));
  const auto small = seed_tensors()[0];
  out.push_back(pth_bytes(small, {.wrappers = {"state_dict"}, .byte_order = "little"}));
  out.push_back(pth_bytes(small, {.ordered_dict = false, .force_zip64 = true, .parameters = true}));
  out.push_back(pth_bytes({hole("x", DType::f8_e4m3, {4})}, {.version3 = true}));
  out.push_back(pth_bytes(views_of_one_storage()));
  return out;
}

std::vector<std::vector<std::byte>> pickle_seeds() {
  std::vector<std::vector<std::byte>> out;
  for (const auto& tensors : seed_tensors()) out.push_back(bytes_of(pickle_of(tensors)));
  out.push_back(
      bytes_of(pickle_of({tensor_of("a", DType::f32, {4}, {})}, {.wrappers = {"model"}, .parameters = true})));
  out.push_back(bytes_of(pickle_of({hole("x", DType::f8_e4m3, {4})}, {.version3 = true})));
  out.push_back(bytes_of(pickle_of(views_of_one_storage())));
  return out;
}

std::vector<std::vector<std::byte>> header_seeds() {
  std::vector<std::vector<std::byte>> out;
  for (const auto& file : safetensors_seeds()) {
    uint64_t length = 0;
    std::memcpy(&length, file.data(), 8);
    out.emplace_back(file.begin() + 8, file.begin() + 8 + static_cast<std::ptrdiff_t>(length));
  }
  return out;
}

}  // namespace rushes::fuzz
