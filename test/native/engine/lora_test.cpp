// LoRAs through the C interface: jobs and plans of the demo model with made-up ones.
#include <doctest/doctest.h>

#include <fstream>

#include "engine/demo_run.h"
#include "engine/expert_pair.h"
#include "fixtures/lora_file.h"
#include "fixtures/model_files.h"
#include "models/wan_dit/wan_dit_tensors.h"

using namespace rushes;
using namespace rushes::check;
using fixtures::TemporaryFolder;
using fixtures::TensorSource;

namespace {

std::vector<ChangeableLayer> layers_of(const std::string& transformer) {
  return wan_dit_layers(wan_dit_config(open_weights(Checkpoint::open(transformer), "wan-dit")));
}

struct MadeLora {
  TemporaryFolder folder;
  std::string path = (folder / "look.safetensors").string();
  explicit MadeLora(const std::string& transformer, int64_t rank = 4, float size = 0.3f) {
    fixtures::write_lora(path, fixtures::lora_tensors(layers_of(transformer), {.rank = rank, .size = size}));
  }
  rushes_lora at(double strength, rushes_lora_expert expert = RUSHES_LORA_BOTH) const {
    return {path.c_str(), strength, expert};
  }
};

std::string code_of(const Outcome& outcome) { return outcome.status.code; }

}  // namespace

TEST_CASE("a job's LoRA changes its video, and the next job without it has the model's own") {
  Demo demo;
  const MadeLora lora(DemoFiles().dit);
  const Outcome own = generate(demo, small_settings());
  REQUIRE_MESSAGE(own.status.code[0] == 0, own.status.sentence);
  const Outcome changed = generate(demo, small_settings(), {.loras = {lora.at(0.8)}});
  REQUIRE_MESSAGE(changed.status.code[0] == 0, changed.status.sentence);
  CHECK(changed.frames != own.frames);
  CHECK(changed.report["warnings"].empty());
  CHECK(generate(demo, small_settings(), {.loras = {lora.at(-0.8)}}).frames != changed.frames);
  CHECK(generate(demo, small_settings(), {.loras = {lora.at(0)}}).frames == own.frames);
  CHECK(generate(demo, small_settings()).frames == own.frames);
  // In a session of its own, the same as after others.
  Demo fresh;
  CHECK(generate(fresh, small_settings(), {.loras = {lora.at(0.8)}}).frames == changed.frames);
}

TEST_CASE("a job with a LoRA goes on from a step as if it had not stopped") {
  const TemporaryFolder folder;
  Demo demo;
  const MadeLora lora(DemoFiles().dit);
  const std::string prefix = (folder / "job").string();
  const Outcome whole = generate(demo, small_settings(), {.prefix = prefix, .loras = {lora.at(1)}});
  Demo later;
  const Outcome rest = generate(later, small_settings(),
                                {.resume = prefix + "-step1.safetensors", .start_step = 1, .loras = {lora.at(1)}});
  CHECK(rest.frames == whole.frames);
}

TEST_CASE("a plan with a LoRA of many ranks is within 5% of what the job takes") {
  const MadeLora lora(DemoFiles().dit, 160);
  Demo demo;
  const nlohmann::json without = plan(DemoFiles(), small_settings());
  const nlohmann::json planned = plan(DemoFiles(), small_settings(), nullptr, 5, {lora.at(1)});
  CHECK(planned["peakBytes"] > without["peakBytes"]);
  const Outcome outcome = generate(demo, small_settings(), {.loras = {lora.at(1)}});
  REQUIRE_MESSAGE(outcome.status.code[0] == 0, outcome.status.sentence);
  REQUIRE(outcome.stages.size() == planned["stages"].size());
  for (size_t i = 0; i < outcome.stages.size(); ++i)
    CHECK(static_cast<double>(outcome.stages[i].peak_bytes) ==
          doctest::Approx(planned["stages"][i]["peakBytes"].get<double>()).epsilon(0.05));
}

TEST_CASE("a job after one with a LoRA holds what its plan says in every stage") {
  const MadeLora first(DemoFiles().dit, 160), second(DemoFiles().dit, 160);
  Demo demo;
  for (const auto& loras : std::vector<std::vector<rushes_lora>>{
           {first.at(1)}, {first.at(1)}, {second.at(1)}, {first.at(0.5), second.at(1)}, {}}) {
    CAPTURE(loras.size());
    const Outcome outcome = generate(demo, small_settings(), {.loras = loras});
    REQUIRE_MESSAGE(outcome.status.code[0] == 0, outcome.status.sentence);
    for (size_t i = 0; i < outcome.stages.size(); ++i)
      CHECK(static_cast<double>(outcome.stages[i].peak_bytes) ==
            doctest::Approx(outcome.report["plan"]["stages"][i]["peakBytes"].get<double>()).epsilon(0.05));
  }
}

TEST_CASE("each of two experts takes the LoRAs that are for it") {
  const ExpertPair pair;
  const MadeLora lora(pair.high());
  Demo demo(pair.files());
  const auto run = [&](const std::vector<rushes_lora>& loras) {
    Job job;
    job.image = picture_of(small_settings());
    job.loras = loras;
    const Outcome outcome = generate(demo, small_settings(), job);
    REQUIRE_MESSAGE(outcome.status.code[0] == 0, outcome.status.sentence);
    return outcome.frames;
  };
  const auto own = run({}), high = run({lora.at(1, RUSHES_LORA_HIGH)}), low = run({lora.at(1, RUSHES_LORA_LOW)}),
             both = run({lora.at(1)});
  CHECK(high != own);
  CHECK(low != own);
  CHECK(high != low);
  CHECK(both != high);
  CHECK(run({lora.at(1, RUSHES_LORA_HIGH), lora.at(1, RUSHES_LORA_LOW)}) == both);
}

TEST_CASE("what one of two experts has no place for is told of once, whichever it is") {
  const ExpertPair pair;
  const TemporaryFolder folder;
  const std::vector<ChangeableLayer> layers = layers_of(pair.high());
  auto tensors = fixtures::lora_tensors(layers, {.rank = 2, .size = 0.3f, .form = fixtures::LoraForm::diffusers});
  for (TensorSource tensor : fixtures::lora_tensors({layers[6]}, {.rank = 2, .form = fixtures::LoraForm::diffusers})) {
    tensor.name = "transformer_2." + tensor.name.substr(std::string("transformer.").size());
    tensors.push_back(tensor);
  }
  for (const char* side : {"lora_A", "lora_B"})
    tensors.push_back(fixtures::tensor_of("transformer.blocks.9.attn1.to_q." + std::string(side) + ".weight",
                                          DType::f32, {1, 1}, {0}));
  const std::string path = (folder / "pair.safetensors").string();
  fixtures::write_lora(path, tensors);
  Demo demo(pair.files());
  Job job;
  job.image = picture_of(small_settings());
  job.loras = {{path.c_str(), 1, RUSHES_LORA_BOTH}};
  const Outcome outcome = generate(demo, small_settings(), job);
  REQUIRE_MESSAGE(outcome.status.code[0] == 0, outcome.status.sentence);
  REQUIRE(outcome.report["warnings"].size() == 1);
  CHECK(outcome.report["warnings"][0].get<std::string>().find("pair.safetensors: 2 tensors fit nothing") == 0);
}

TEST_CASE("a LoRA that cannot be used is refused before any work, in plans as in jobs") {
  Demo demo;
  const MadeLora lora(DemoFiles().dit);
  const TemporaryFolder folder;
  std::ofstream(folder / "text.safetensors") << "no weights at all";
  const std::string damaged = (folder / "text.safetensors").string(), absent = (folder / "absent.safetensors").string(),
                    model = DemoFiles().dit;
  const auto refused = [&](const rushes_lora& one) {
    const Outcome outcome = generate(demo, small_settings(), {.loras = {one}});
    CHECK(outcome.stages.empty());
    CHECK(outcome.status.advice[0] != 0);
    const DemoFiles names;
    const rushes_model_files files = names.pointers();
    const rushes_settings settings = small_settings();
    char* report = nullptr;
    const rushes_status status = rushes_plan(&files, nullptr, &settings, 5, &one, 1, &report);
    rushes_string_free(report);
    CHECK(std::string(status.code) == outcome.status.code);
    return code_of(outcome);
  };
  CHECK(refused(lora.at(3)) == "settings.invalid");
  CHECK(refused(lora.at(1, RUSHES_LORA_LOW)) == "settings.invalid");
  CHECK(refused(lora.at(1, static_cast<rushes_lora_expert>(RUSHES_LORA_LOW + 1))) == "settings.invalid");
  CHECK(refused({damaged.c_str(), 1, RUSHES_LORA_BOTH}) == "checkpoint.corrupt");
  CHECK(refused({absent.c_str(), 1, RUSHES_LORA_BOTH}) == "checkpoint.missing");
  CHECK(refused({model.c_str(), 1, RUSHES_LORA_BOTH}) == "checkpoint.unsupported");
}

TEST_CASE("a LoRA file that is replaced is read anew, and its parts that fit nothing are told of") {
  Demo demo;
  const MadeLora lora(DemoFiles().dit);
  const Outcome first = generate(demo, small_settings(), {.loras = {lora.at(1)}});
  auto tensors = fixtures::lora_tensors(layers_of(DemoFiles().dit), {.rank = 2, .seed = 9, .size = 0.3f});
  tensors.push_back(fixtures::tensor_of("diffusion_model.blocks.99.norm3.diff", DType::f32, {1}, {0}));
  fixtures::write_lora(lora.path + ".new", tensors);
  std::filesystem::rename(lora.path + ".new", lora.path);
  const Outcome second = generate(demo, small_settings(), {.loras = {lora.at(1)}});
  CHECK(second.frames != first.frames);
  REQUIRE(second.report["warnings"].size() == 1);
  CHECK(second.report["warnings"][0].get<std::string>().find("look.safetensors: 1 tensor fits nothing") == 0);
}
