// What inspect says of the published models, from sparse files with complete headers, and of what is none of them.
#include "engine/inspect.h"

#include <doctest/doctest.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "files/refusals.h"
#include "fixtures/model_files.h"
#include "models/umt5/umt5_tensors.h"
#include "models/wan_dit/wan_dit_tensors.h"
#include "models/wan_vae/wan_vae_tensors.h"
#include "project_paths.h"

using namespace rushes;
using namespace rushes::fixtures;
using nlohmann::json;

namespace {

json report_of(const std::filesystem::path& path) { return json::parse(inspect_report(path)); }

const WanDitConfig kSmall = {
    .dim = 1536, .heads = 12, .ffn = 8960, .layers = 30, .in_channels = 16, .out_channels = 16, .text_dim = 4096};
const WanDitConfig kLarge = {
    .dim = 5120, .heads = 40, .ffn = 13824, .layers = 40, .in_channels = 16, .out_channels = 16, .text_dim = 4096};
const WanDitConfig kImage = {
    .dim = 5120, .heads = 40, .ffn = 13824, .layers = 40, .in_channels = 36, .out_channels = 16, .text_dim = 4096};

}  // namespace

TEST_CASE("inspect: sparse files with complete headers of 1.3B, 14B and A14B in every form") {
  struct Model {
    const WanDitConfig* config;
    const char* architecture;
    size_t base, with_sla, quantized;
    int64_t parameters, sla_parameters;
    const char* use;
  };
  const int64_t projection = 128 * 128 + 128;
  const Model models[] = {{&kSmall, "Wan2.1 T2V 1.3B", 825, 885, 1185, 1'418'996'800, 30 * projection, "text to video"},
                          {&kLarge, "Wan T2V 14B (2.1, or one expert of 2.2 A14B)", 1095, 1175, 1575, 14'288'491'584,
                           40 * projection, "text to video"},
                          {&kImage, "Wan2.2 I2V A14B (one expert)", 1095, 1175, 1575, 14'288'901'184, 40 * projection,
                           "image to video, high- or low-noise expert"}};
  const TemporaryFolder folder;
  for (const Model& model : models) {
    for (const char* name : {"model.pth", "model.safetensors"}) {
      for (const bool diffusers : {false, true}) {
        for (const int kind : {0, 1, 2}) {  // as first published; with SLA; int8 with SLA
          const ModelFile form = {.tensors = wan_dit_tensors(*model.config),
                                  .rename = diffusers ? wan_dit_diffusers_name : nullptr,
                                  .quantized = kind == 2,
                                  .with_sla = kind > 0,
                                  .conv_patch = kind == 0,
                                  .holes = true};
          write_model(folder / name, form);
          const auto begin = std::chrono::steady_clock::now();
          const json report = report_of(folder / name);
          const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
          CAPTURE(report.dump());
          CHECK(report["family"] == "wan-dit");
          CHECK(report["architecture"] == model.architecture);
          CHECK(report["layout"] == (diffusers ? "Diffusers" : "original"));
          CHECK(report["tensors"] == (kind == 0 ? model.base : kind == 1 ? model.with_sla : model.quantized));
          CHECK(report["parameters"] == model.parameters + (kind > 0 ? model.sla_parameters : 0));
          CHECK(report["sla"] == (kind > 0));
          CHECK(report["quantization"] == (kind == 2 ? "int8 (TurboDiffusion)" : "none"));
          CHECK(report["quantizedLayers"] == (kind == 2 ? 10 * model.config->layers : 0));
          CHECK(report["complete"] == true);
          CHECK(report["missing"].empty());
          CHECK(report["unexpected"].empty());
          CHECK(report["uses"] == json::array({model.use}));
          CHECK(report["refused"] == "");
          CHECK(report["sizes"]["dim"] == model.config->dim);
          CHECK(report["sizes"]["inChannels"] == model.config->in_channels);
          CHECK(report["bytes"].get<int64_t>() > (kind == 2 ? 1 : 2) * model.parameters);
          CHECK(seconds < 60);  // a bound against reading the data, not a benchmark
        }
      }
    }
  }
}

TEST_CASE("inspect: a 14B .pth needs zip64 and is read") {
  const TemporaryFolder folder;
  write_model(folder / "model.pth", {.tensors = wan_dit_tensors(kLarge), .holes = true});
  CHECK(std::filesystem::file_size(folder / "model.pth") > (uint64_t{28} << 30) / 2 * 2 - (uint64_t{2} << 30));
  const auto file = Checkpoint::open(folder / "model.pth");
  const TensorView last = file->view(*file->find("head.head.weight"));
  CHECK(last.data[last.bytes() - 1] == std::byte{0});
}

TEST_CASE("inspect: encoder and VAE at their published sizes") {
  const TemporaryFolder folder;
  const Umt5Config xxl = {.dim = 4096, .heads = 64, .ffn = 10240, .layers = 24, .vocabulary = 256384};
  for (const bool other : {false, true}) {
    write_model(folder / "encoder.safetensors",
                {.tensors = umt5_tensors(xxl), .rename = other ? umt5_hugging_face_name : nullptr, .holes = true});
    const json report = report_of(folder / "encoder.safetensors");
    CHECK(report["family"] == "umt5");
    CHECK(report["architecture"] == "umT5-XXL encoder");
    CHECK(report["layout"] == (other ? "Hugging Face" : "original"));
    CHECK(report["parameters"] == 5'680'910'336);
    CHECK(report["tensors"] == 242);
    CHECK(report["complete"] == true);
    write_model(folder / "vae.pth", {.tensors = wan_vae_tensors({.base = 96}),
                                     .rename = other ? wan_vae_diffusers_name : nullptr,
                                     .holes = true,
                                     .type = DType::f32});
    const json vae = report_of(folder / "vae.pth");
    CHECK(vae["family"] == "wan-vae");
    CHECK(vae["architecture"] == "Wan2.1 VAE");
    CHECK(vae["layout"] == (other ? "Diffusers" : "original"));
    CHECK(vae["tensors"] == 194);
    CHECK(vae["complete"] == true);
  }
}

TEST_CASE("inspect: what is missing or unexpected is grouped, what cannot run is said") {
  const TemporaryFolder folder;
  auto tensors = model_tensors({.tensors = wan_dit_tensors(kSmall), .with_sla = false, .holes = true});
  std::erase_if(tensors, [](const TensorSource& tensor) { return tensor.name.starts_with("blocks.7."); });
  tensors.push_back(hole("extra.one", DType::f32, {1}));
  write_safetensors_sparse(folder / "part.safetensors", tensors);
  json report = report_of(folder / "part.safetensors");
  CHECK(report["complete"] == false);
  CHECK(report["missing"] == json::array({"blocks.7.*: 27"}));
  CHECK(report["unexpected"] == json::array({"extra.one"}));
  CHECK(report["summary"].get<std::string>().find("27 tensors are missing (blocks.7.*: 27), 1 is unexpected") !=
        std::string::npos);

  WanDitConfig image = kImage;
  image.has_image_branch = true;
  write_model(folder / "i2v.safetensors", {.tensors = wan_dit_tensors(image), .with_sla = false, .holes = true});
  report = report_of(folder / "i2v.safetensors");
  CHECK(report["architecture"] == "Wan2.1 I2V 14B");
  CHECK(report["tensors"] == 1303);
  CHECK(report["complete"] == true);
  CHECK(report["refused"].get<std::string>().find("CLIP") != std::string::npos);

  const WanDitConfig both = {
      .dim = 3072, .heads = 24, .ffn = 14336, .layers = 30, .in_channels = 48, .out_channels = 48, .text_dim = 4096};
  write_model(folder / "5b.safetensors", {.tensors = wan_dit_tensors(both), .with_sla = false, .holes = true});
  report = report_of(folder / "5b.safetensors");
  CHECK(report["architecture"] == "Wan2.2 TI2V 5B");
  CHECK(report["parameters"] == 4'999'787'712);
  CHECK(report["refused"].get<std::string>().find("Wan2.2 VAE") != std::string::npos);

  write_safetensors_sparse(folder / "lora.safetensors",
                           {hole("diffusion_model.blocks.0.ffn.0.lora_A.weight", DType::f32, {4, 8})});
  report = report_of(folder / "lora.safetensors");
  CHECK(report["family"] == "lora");
  CHECK(report["architecture"] == "LoRA");
  CHECK(report["complete"] == false);
  CHECK(report["refused"] == "lora.safetensors is damaged: of blocks.0.ffn.0 only one of two matrices is there");
  write_safetensors_sparse(folder / "lora.safetensors",
                           {hole("diffusion_model.blocks.0.ffn.0.lora_A.weight", DType::f32, {4, 8}),
                            hole("diffusion_model.blocks.0.ffn.0.lora_B.weight", DType::f32, {8, 4})});
  report = report_of(folder / "lora.safetensors");
  CHECK(report["layout"] == "ComfyUI");
  CHECK(report["architecture"] == "LoRA of rank 4 on 1 layer");
  CHECK(report["sizes"] == json{{"rank", 4}, {"layers", 1}});
  CHECK(report["complete"] == true);
  CHECK(report["refused"] == "");
  write_safetensors_sparse(folder / "other.safetensors", {hole("x", DType::f32, {4, 4})});
  CHECK(report_of(folder / "other.safetensors")["architecture"] == "unknown");
}

TEST_CASE("inspect: the demo model's files") {
  const std::filesystem::path demo = check::demo_folder();
  REQUIRE(std::filesystem::exists(demo / "demo-t2v.pth"));
  const json plain = report_of(demo / "demo-t2v.pth"), quantized = report_of(demo / "demo-t2v-quant.pth");
  for (const json& report : {plain, quantized}) {
    CHECK(report["container"] == "PyTorch (zip)");
    CHECK(report["family"] == "wan-dit");
    CHECK(report["sla"] == true);
    CHECK(report["complete"] == true);
    CHECK(report["uses"] == json::array({"text to video"}));
  }
  CHECK(plain["quantizedLayers"] == 0);
  CHECK(quantized["quantizedLayers"] == 10 * quantized["sizes"]["layers"].get<int>());
  CHECK(report_of(demo / "demo-vae.pth")["complete"] == true);
  CHECK(report_of(demo / "demo-umt5.pth")["complete"] == true);
}
