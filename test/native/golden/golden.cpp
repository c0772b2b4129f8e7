// Finds the case folders, runs each by its kind, prints and counts.
#include "golden/golden.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>

#include "cuda/cuda_device.h"
#include "golden/golden_case.h"
#include "runtime/status.h"
#include "runtime/tensor_view.h"

namespace rushes {
namespace golden {
namespace {

Device* card = nullptr;

const std::map<std::string, void (*)(const Case&, Report&)>& kinds() {
  static const std::map<std::string, void (*)(const Case&, Report&)> table = {
      {"noise", run_noise},
      {"time_steps", run_time_steps},
      {"int8_linear", run_int8_linear},
      {"sla", run_sla},
      {"umt5", run_umt5},
      {"dit", run_dit},
      {"vae_encode", run_vae_encode},
      {"vae_decode", run_vae_decode},
      {"t2v", run_t2v},
      {"i2v", run_i2v},
  };
  return table;
}

void run_case(const std::filesystem::path& folder, Report& report) {
  try {
    const Case golden(folder);
    const auto kind = kinds().find(golden.kind());
    if (kind == kinds().end()) throw Error("engine.internal", "The kind \"" + golden.kind() + "\" is not known.");
    kind->second(golden, report);
  } catch (const std::exception& error) {
    report.fail(folder.filename().string(), error.what());
  }
}

}  // namespace

Context Setup::context() const {
  Context context;
  context.backend = backend;
  context.compute = compute;
  context.threads = CpuFeatures::host().cores;
  if (backend == Backend::cuda) context.device = card;
  return context;
}

std::string Setup::text() const { return std::string(backend_name(backend)) + " " + std::string(dtype_name(compute)); }

void run_on(Device* device) { card = device; }

Setup computing_setup() { return {card ? Backend::cuda : Backend::cpu, DType::f32}; }

std::vector<Setup> exact_setups() {
  if (card) return {computing_setup()};
  return {{Backend::reference, DType::f32}, computing_setup()};
}

std::vector<Setup> bf16_setups() {
  if (card) return {{Backend::cuda, DType::bf16}};
  if (!CpuFeatures::host().avx512_bf16) return {};
  return {{Backend::cpu, DType::bf16}};
}

void Report::line(const std::string& name, const Setup& setup, std::string_view variant, double value,
                  const char* relation, double bound, bool ok) {
  ++(ok ? passed : failed);
  std::printf("%-6s %-28s %-14s %-22s %9.3g %s %.3g\n", ok ? "ok" : "FAILED", name.c_str(), setup.text().c_str(),
              std::string(variant).c_str(), value, relation, bound);
  std::fflush(stdout);
}

void Report::check(const std::string& name, const Setup& setup, std::string_view variant, double error,
                   double tolerance) {
  line(name, setup, variant, error, "<=", tolerance, error <= tolerance);
}

void Report::check_at_least(const std::string& name, const Setup& setup, std::string_view variant, double value,
                            double bound) {
  line(name, setup, variant, value, ">=", bound, value >= bound);
}

void Report::skip(const std::string& name, std::string_view variant, std::string_view reason) {
  ++skipped;
  std::printf("%-6s %-28s %-14s %-22s skipped: %s\n", "-", name.c_str(), "", std::string(variant).c_str(),
              std::string(reason).c_str());
}

void Report::fail(const std::string& name, std::string_view what) {
  ++failed;
  std::printf("%-6s %-28s %s\n", "FAILED", name.c_str(), std::string(what).c_str());
}

Case::Case(const std::filesystem::path& folder) : folder_(folder) {
  std::ifstream stream(folder / "case.json");
  info_ = nlohmann::json::parse(stream);
  tensors_ = Checkpoint::open(folder / "tensors.safetensors");
}

TensorView Case::view(std::string_view name) const {
  const TensorView* found = tensors_->find(name);
  if (!found) throw Error("engine.internal", "tensors.safetensors has no \"" + std::string(name) + "\".");
  return tensors_->view(*found);
}

Tensor Case::tensor(std::string_view name, bool unbatched) const {
  const Tensor whole = load_tensor(Context(), view(name));
  if (!unbatched) return whole;
  return whole.reshaped(Shape(whole.shape().begin() + 1, whole.shape().end()));
}

std::vector<int32_t> Case::ids() const {
  const TensorView stored = view("ids");
  std::vector<int32_t> ids(static_cast<size_t>(stored.count()));
  std::memcpy(ids.data(), stored.data, stored.bytes());
  while (!ids.empty() && ids.back() == 0) ids.pop_back();
  return ids;
}

std::shared_ptr<const Checkpoint> Case::file_at(const std::string& path) const {
  return Checkpoint::open(folder_ / path);
}

}  // namespace golden

int run_golden(int count, char** arguments) {
  std::unique_ptr<Device> card;
  if (count > 0 && std::string_view(arguments[0]) == "--cuda") {
    const cuda::Discovery found = cuda::discover();
    if (found.devices.empty()) {
      std::printf("skipped: no GPU (%s)\n0 passed, 0 failed, 1 skipped\n", found.problem.c_str());
      return 0;
    }
    card = cuda::open_cuda_device(0);
    std::printf("on %s\n", card->info().name.c_str());
    --count, ++arguments;
  }
  golden::run_on(card.get());
  std::vector<std::filesystem::path> cases;
  for (int i = 0; i < count; ++i) {
    const std::filesystem::path folder = arguments[i];
    if (std::filesystem::exists(folder / "case.json"))
      cases.push_back(folder);
    else if (std::filesystem::is_directory(folder))
      for (const auto& entry : std::filesystem::directory_iterator(folder))
        if (std::filesystem::exists(entry.path() / "case.json")) cases.push_back(entry.path());
  }
  std::sort(cases.begin(), cases.end());
  golden::Report report;
  for (const auto& folder : cases) golden::run_case(folder, report);
  if (cases.empty()) report.fail("golden", "no folder with a case.json was given");
  std::printf("%d passed, %d failed, %d skipped\n", report.passed, report.failed, report.skipped);
  golden::run_on(nullptr);
  return report.failed == 0 ? 0 : 1;
}

}  // namespace rushes
