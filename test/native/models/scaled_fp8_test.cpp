// ComfyUI's scaled fp8 files, made from the demo model: what they compute, what inspect says, and what is refused.
#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "engine/inspect.h"
#include "files/refusals.h"
#include "fixtures/model_files.h"
#include "models/umt5/umt5.h"
#include "models/umt5/umt5_tensors.h"
#include "models/wan_dit/wan_dit_tensors.h"
#include "project_paths.h"

using namespace rushes;
using fixtures::hole;
using fixtures::TemporaryFolder;
using fixtures::tensor_of;
using fixtures::TensorSource;
using test::Refusal;
using test::refusal_of;

namespace {

/// The code next to zero from a number of at most 448.
uint8_t f8_of(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const int exponent = static_cast<int>(bits >> 23 & 255) - 127 + 7;
  const uint32_t sign = bits >> 24 & 0x80;
  if (exponent < 1) return static_cast<uint8_t>(sign);
  return static_cast<uint8_t>(sign | static_cast<uint32_t>(exponent) << 3 | (bits >> 20 & 7));
}

TensorSource bytes_of(std::string name, DType type, Shape shape, std::vector<uint8_t> bytes) {
  return {std::move(name), type, std::move(shape), [bytes = std::move(bytes)](std::span<std::byte> out) {
            std::memcpy(out.data(), bytes.data(), bytes.size());
          }};
}

/// One file twice: as ComfyUI scales it, and with the numbers that stand for.
struct Pair {
  std::vector<TensorSource> scaled, plain;
};

Pair scaled_demo(bool hugging_face) {
  const auto file = Checkpoint::open(check::demo_folder() + "/demo-umt5.pth");
  const OpenedWeights opened = open_weights(file, "umt5");
  Pair out;
  for (const ExpectedTensor& tensor : opened.detected.expected) {
    const TensorView view = opened.weights.view(tensor.name);
    std::vector<float> values(static_cast<size_t>(view.count()));
    to_float(view, values);
    const std::string name = hugging_face ? umt5_hugging_face_name(tensor.name) : tensor.name;
    if (!tensor.scalable) {
      out.scaled.push_back(tensor_of(name, DType::f32, view.shape, values));
      out.plain.push_back(tensor_of(tensor.name, DType::f32, view.shape, values));
      continue;
    }
    float largest = 0;
    for (const float value : values) largest = std::max(largest, std::fabs(value));
    const float scale = largest / 448;
    std::vector<uint8_t> codes;
    for (const float value : values) codes.push_back(f8_of(value / scale));
    to_float({name, DType::f8_e4m3, view.shape, reinterpret_cast<const std::byte*>(codes.data())}, values);
    for (float& value : values) value *= scale;
    const std::string layer = name.substr(0, name.rfind('.'));
    out.scaled.push_back(bytes_of(name, DType::f8_e4m3, view.shape, std::move(codes)));
    out.scaled.push_back(tensor_of(layer + (hugging_face ? ".scale_weight" : ".weight_scale"), DType::f32,
                                   hugging_face ? Shape{} : Shape{1}, {scale}));
    out.scaled.push_back(tensor_of(layer + (hugging_face ? ".scale_input" : ".input_scale"), DType::f32, {}, {1.0f}));
    out.plain.push_back(tensor_of(tensor.name, DType::f32, view.shape, std::move(values)));
  }
  if (hugging_face) out.scaled.push_back(hole("scaled_fp8", DType::f8_e4m3, {2}));
  return out;
}

TensorSource& named(std::vector<TensorSource>& tensors, std::string_view ending) {
  for (TensorSource& tensor : tensors)
    if (tensor.name.ends_with(ending)) return tensor;
  throw std::logic_error("no such tensor");
}

std::shared_ptr<const Checkpoint> written(const TemporaryFolder& folder, const std::vector<TensorSource>& tensors) {
  fixtures::write_safetensors_sparse(folder / "model.safetensors", tensors);
  return Checkpoint::open(folder / "model.safetensors");
}

std::vector<float> embedding(const Context& context, std::shared_ptr<const Checkpoint> file, LinearFormat format) {
  const std::vector<int32_t> ids{17, 40, 3, 20, 20, 44, 1};
  const Tensor out = Umt5::load(context, std::move(file), format)->encode(context, ids, 16);
  return {out.data<float>(), out.data<float>() + out.count()};
}

Refusal refusal(const std::vector<TensorSource>& tensors) {
  const TemporaryFolder folder;
  return refusal_of([&] { embedding({}, written(folder, tensors), LinearFormat::f32); });
}

}  // namespace

TEST_CASE("a text encoder in scaled fp8 gives the embedding of the numbers it stands for") {
  for (const bool hugging_face : {false, true}) {
    const Pair pair = scaled_demo(hugging_face);
    const TemporaryFolder scaled, plain;
    const auto file = written(scaled, pair.scaled), wanted = written(plain, pair.plain);
    for (const Backend backend : {Backend::cpu, Backend::reference}) {
      for (const LinearFormat format : {LinearFormat::f32, LinearFormat::bf16, LinearFormat::int8_tiles}) {
        CAPTURE(static_cast<int>(backend));
        CAPTURE(static_cast<int>(format));
        Context context;
        context.backend = backend;
        CHECK(embedding(context, file, format) == embedding(context, wanted, format));
      }
    }
  }
}

TEST_CASE("inspect names scaled fp8 and counts its layers") {
  const TemporaryFolder folder;
  const auto report = nlohmann::json::parse(inspect_report(written(folder, scaled_demo(true).scaled)));
  CHECK(report["complete"] == true);
  CHECK(report["quantization"] == "fp8 scaled");
  CHECK(report["quantizedLayers"] == 0);
  CHECK(report["layout"] == "Hugging Face");
  CHECK(report["summary"].get<std::string>().find("scaled fp8 on ") != std::string::npos);
  const TemporaryFolder other;
  const auto original = nlohmann::json::parse(inspect_report(written(other, scaled_demo(false).scaled)));
  CHECK(original["complete"] == true);
  CHECK(original["layout"] == "original");
}

TEST_CASE("a transformer in scaled fp8 is whole, in both layouts") {
  fixtures::ModelFile model;
  model.tensors = wan_dit_tensors(
      {.dim = 256, .heads = 2, .ffn = 384, .layers = 2, .in_channels = 16, .out_channels = 16, .text_dim = 64});
  model.with_sla = false;
  for (const auto rename : {static_cast<decltype(model.rename)>(nullptr), &wan_dit_diffusers_name}) {
    model.rename = rename;
    std::vector<TensorSource> tensors;
    for (TensorSource& tensor : fixtures::model_tensors(model)) {
      const bool is_linear = tensor.shape.size() == 2 && tensor.name.ends_with("weight") &&
                             tensor.name.find("patch_embedding") == std::string::npos;
      if (is_linear) {
        tensors.push_back(hole(tensor.name, DType::f8_e4m3, tensor.shape));
        tensors.push_back(hole(tensor.name.substr(0, tensor.name.rfind('.')) + ".scale_weight", DType::f32, {}));
      } else {
        tensors.push_back(std::move(tensor));
      }
    }
    tensors.push_back(hole("scaled_fp8", DType::f8_e4m3, {0}));
    const TemporaryFolder folder;
    CHECK(open_weights(written(folder, tensors), "wan-dit").weights.report().scaled_layers == 26);
  }
}

TEST_CASE("damaged scales and forms of fp8 that cannot be read are refused with a reason") {
  const std::vector<TensorSource> whole = scaled_demo(true).scaled;
  std::vector<TensorSource> tensors = whole;
  TensorSource& scale = named(tensors, ".scale_weight");
  const std::string name = scale.name;

  scale = tensor_of(name, DType::f32, {}, {std::numeric_limits<float>::quiet_NaN()});
  CHECK_REFUSED(refusal(tensors), "checkpoint.corrupt", "is not a number");
  scale = tensor_of(name, DType::bf16, {}, {1.0f});
  CHECK_REFUSED(refusal(tensors), "checkpoint.incomplete", "scale_weight");
  scale = hole(name, DType::f32, {0});
  CHECK_REFUSED(refusal(tensors), "checkpoint.incomplete", "scale_weight");
  scale = hole(name, DType::f32, {64, 1});
  CHECK_REFUSED(refusal(tensors), "checkpoint.unsupported", "a scale for each row");
  std::erase_if(tensors, [&](const TensorSource& tensor) { return tensor.name == name; });
  CHECK_REFUSED(refusal(tensors), "checkpoint.incomplete", "scale_weight");

  tensors = whole;
  tensors.push_back(hole(name.substr(0, name.rfind('.')) + ".comfy_quant", DType::u8, {30}));
  CHECK_REFUSED(refusal(tensors), "checkpoint.unsupported", "comfy_quant");
  tensors = whole;
  TensorSource& weight = named(tensors, ".q.weight");
  weight = hole(weight.name, DType::i8, weight.shape);
  CHECK_REFUSED(refusal(tensors), "checkpoint.unsupported", "integers");
  weight = hole(weight.name, DType::bf16, weight.shape);
  CHECK_REFUSED(refusal(tensors), "checkpoint.incomplete", "unexpected");
}
