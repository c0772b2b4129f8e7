// One golden case, what it compares and where the outcome goes. The kinds are in golden_<subject>.cpp.
#pragma once
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "files/checkpoint.h"
#include "ops/attention/attention.h"
#include "runtime/context.h"
#include "runtime/transfer.h"

namespace rushes::golden {

/// How a case is run: a backend and the type of its activations.
struct Setup {
  Backend backend;
  DType compute;
  Context context() const;
  std::string text() const;  // "cpu bf16"
};

/// Prints a line per comparison and counts.
class Report {
 public:
  void check(const std::string& name, const Setup& setup, std::string_view variant, double error, double tolerance);
  /// The same for a measure that must not be too low: a peak signal-to-noise ratio in dB.
  void check_at_least(const std::string& name, const Setup& setup, std::string_view variant, double value,
                      double bound);
  void skip(const std::string& name, std::string_view variant, std::string_view reason);
  void fail(const std::string& name, std::string_view what);
  int passed = 0, failed = 0, skipped = 0;

 private:
  void line(const std::string& name, const Setup& setup, std::string_view variant, double value, const char* relation,
            double bound, bool ok);
};

class Case {
 public:
  explicit Case(const std::filesystem::path& folder);
  std::string name() const { return folder_.filename().string(); }
  const nlohmann::json& info() const { return info_; }
  std::string kind() const { return info_.at("kind"); }
  double tolerance() const { return info_.at("tolerance"); }
  bool has(std::string_view tensor) const { return tensors_->find(tensor) != nullptr; }
  /// With data; the type as stored.
  TensorView view(std::string_view tensor) const;
  /// As f32, without the leading batch axis of 1 when `unbatched`.
  Tensor tensor(std::string_view name, bool unbatched = false) const;
  /// ids i32 [1, text_len] up to the last that is not padding.
  std::vector<int32_t> ids() const;
  /// A weights file that case.json names relative to the folder.
  std::shared_ptr<const Checkpoint> file(const char* key) const { return file_at(info_.at(key)); }
  /// The same by its path.
  std::shared_ptr<const Checkpoint> file_at(const std::string& path) const;

 private:
  std::filesystem::path folder_;
  nlohmann::json info_;
  std::shared_ptr<const Checkpoint> tensors_;
};

/// The card that all cases run on from now on instead of this computer's processor; null: none.
void run_on(Device* card);
/// reference f32 and cpu f32; cuda f32 where cases run on a card.
std::vector<Setup> exact_setups();
/// cpu bf16, or nothing where the CPU has none; cuda bf16.
std::vector<Setup> bf16_setups();
/// The exact one that is not the reference.
Setup computing_setup();
/// bf16 stays below this relative error in every stage.
constexpr double kBf16Tolerance = 2e-2;

void run_noise(const Case& golden, Report& report);
void run_time_steps(const Case& golden, Report& report);
void run_int8_linear(const Case& golden, Report& report);
void run_sla(const Case& golden, Report& report);
void run_umt5(const Case& golden, Report& report);
void run_dit(const Case& golden, Report& report);
void run_vae_encode(const Case& golden, Report& report);
void run_vae_decode(const Case& golden, Report& report);
void run_t2v(const Case& golden, Report& report);
void run_i2v(const Case& golden, Report& report);

}  // namespace rushes::golden
