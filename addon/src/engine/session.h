// A model in use: its opened files, what is packed and warm, and the one job that runs at a time.
#pragma once
#include <mutex>

#include "engine/plan.h"
#include "engine/stages.h"
#include "models/wan_vae/latent_colours.h"

namespace rushes {

struct GenerateRequest {
  rushes_settings settings{};
  std::vector<int32_t> ids;
  std::vector<uint8_t> picture;  // RGB of the settings' size, where the model starts from one
  JobPaths paths;
  std::vector<LoraRequest> loras{};
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
  int kept_step = 0;  // of latents whose sampling was ended early; else 0
  nlohmann::json json() const;
};

/// One call at a time; what plans ask for may be read by any thread meanwhile.
class Session {
 public:
  explicit Session(const ModelPaths& paths);
  /// What a job of those files would find after the running one: this session's parts, if it is of the same files, and
  /// its bytes, which are free again then. Thread-safe.
  WarmStart warm_start_for(const ModelPaths& paths) const;
  /// Thread-safe.
  uint64_t held_bytes() const { return memory_.current(); }
  GenerateReport generate(const GenerateRequest& request, const Observer& observer);
  /// Saved latents -> frames, without sampling.
  GenerateReport decode(const std::filesystem::path& latents, const rushes_settings& settings,
                        const Observer& observer);

 private:
  class Run;
  WarmStart warm_start(bool embedding_kept, int start_step = 0, const Loras* loras = nullptr) const;
  void publish();
  GenerateReport generate_once(const GenerateRequest& request, const Observer& observer);
  void require_request(const GenerateRequest& request) const;
  void require_picture(const GenerateRequest& request) const;
  GenerateReport decode_once(const std::filesystem::path& latents, const rushes_settings& settings,
                             const Observer& observer);
  /// Runs a job, with the files as they are on the disk: replaced ones are opened anew. When it loses the card, or
  /// finds a file torn, what it made of them is given up, and the next job opens them again. Whatever else goes wrong
  /// with a torn file, the file is what is said.
  template <class Work>
  GenerateReport keeping_order(Work&& work) {
    if (files_.torn() || files_stamp(paths_) != stamp_) open_files_again();
    try {
      return work();
    } catch (const Error& error) {
      if (error.code() == "gpu.lost" || files_.torn()) leave_parts();
      if (error.code() == "gpu.lost") device_.reset();
      if (error.code() != "job.cancelled") files_.require_whole();
      throw;
    }
  }
  std::optional<Card> open_card(const rushes_settings& settings);
  void open_files_again();
  void leave_parts();
  ModelPaths paths_;
  std::string stamp_;  // of the files when they were opened; written under mutex_
  ModelFiles files_;
  ModelFiles headers_;  // the same, for plans
  MemoryCounter memory_, device_memory_;
  std::unique_ptr<Device> device_;  // the card, once a job ran on it
  int device_ordinal_ = 0;
  LoadedParts parts_;
  std::shared_ptr<const LatentColours> colours_;  // once previews needed them
  nlohmann::json parts_key_;                      // the settings the parts were packed for
  bool parts_streamed_ = false;                   // and whether the transformer's blocks stream
  mutable std::mutex mutex_;
  WarmStart published_;  // under mutex_: the parts as they were at the end of the last stage
};

}  // namespace rushes
