// A model in use: its opened files, what is packed and warm, and the one job that runs at a time.
#pragma once
#include <mutex>

#include "engine/plan.h"
#include "engine/stages.h"

namespace rushes {

struct GenerateRequest {
  rushes_settings settings{};
  std::vector<int32_t> ids;
  JobPaths paths;
};

/// What a run did. json() is rushes_generate's report.
struct GenerateReport {
  rushes_settings settings{};
  std::vector<StageCost> stages;
  Plan plan;
  Int8Sum int8;
  std::vector<std::string> int8_names;  // "blocks.0.self_attn.q [1536x1536]"
  std::vector<std::string> warnings;
  int64_t frames = 0;
  nlohmann::json json() const;
};

/// Not thread-safe but for `busy`: one call at a time, from one thread at a time.
class Session {
 public:
  explicit Session(const ModelPaths& paths);
  Plan plan(const rushes_settings& settings, size_t id_count);
  GenerateReport generate(const GenerateRequest& request, const Observer& observer);
  /// Saved latents -> frames, without sampling.
  GenerateReport decode(const std::filesystem::path& latents, const rushes_settings& settings,
                        const Observer& observer);

 private:
  class Run;
  WarmStart warm_start(bool embedding_kept) const;
  ModelFiles files_;
  MemoryCounter memory_;
  LoadedParts parts_;
  nlohmann::json parts_key_;  // the settings the parts were packed for
};

}  // namespace rushes
