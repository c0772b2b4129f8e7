// What a generation will need before it is run: the stages walked dry, on counters of their own.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/card.h"
#include "engine/disk_rate.h"
#include "engine/loras.h"
#include "engine/model_files.h"
#include "engine/settings.h"
#include "models/wan_dit/wan_dit.h"

namespace rushes {

struct StageCost {
  std::string stage;
  double seconds = 0;
  uint64_t peak_bytes = 0;
  WorkCount work{};                // of a plan's stage
  uint64_t device_peak_bytes = 0;  // of the card's memory; peak_bytes is the computer's
  DiskRate disk{};                 // of a plan's stage that reads from the disk
};

/// Linear layers held as int8, and what the same layers take at 16 bit.
struct Int8Sum {
  int64_t layers = 0;
  uint64_t bytes_16bit = 0, bytes = 0;
};

/// A change of settings with which a job fits.
struct PlanFix {
  std::string id;           // "tileDecode", "streamWeights", "int8TextEncoder", "int8", "fewerFrames", "removeBudget"
  nlohmann::json settings;  // the changed fields
  uint64_t peak_bytes = 0;  // what the job needs then
  std::string advice;       // one sentence
};

struct Plan {
  rushes_settings settings{};   // resolved
  bool resident = false;        // all parts together
  bool text_keys_kept = false;  // the text's keys and values are made once, not in every step
  bool fits = true;
  std::vector<StageCost> stages;
  bool streamed = false;  // the transformer's blocks stay in the computer's memory and pass through the card's
  uint64_t peak_bytes = 0;
  uint64_t free_bytes = 0;  // what it may use; 0 = unknown, no limit
  /// A job on a graphics card: the same for the card's memory.
  std::string device_name;  // "" without a card
  uint64_t device_peak_bytes = 0, device_free_bytes = 0;
  double seconds = 0;
  Int8Sum int8;
  std::vector<PlanFix> fixes;  // when it does not fit; the mildest first
  nlohmann::json json() const;
  std::string advice() const;
  /// Throws memory.exhausted (needed, free, and the mildest change that fits) unless it fits.
  void require_fit() const;
};

/// What a job finds when it starts: parts packed by earlier jobs (for `packing`, a packing_key), a kept embedding, the
/// step it goes on after, and the bytes the session holds, which are free again for this job. Transformers are adapted
/// with the job's own LoRAs or with none: others are dropped before the first stage.
struct WarmStart {
  nlohmann::json packing;
  bool streamed = false;  // the transformer was packed to stream
  bool text_encoder = false, dit = false, dit_low = false, vae = false, vae_encoder = false, embedding_kept = false;
  bool dit_adapted = false, dit_low_adapted = false;
  int start_step = 0;
  uint64_t held_bytes = 0;
};

/// Resolves every "auto" and predicts the bytes and seconds of each stage; of the decode alone when there are no ids.
/// With a memory budget the budget counts, else 90% of the free memory; on a card 95% of its own free memory counts
/// besides, and a budget limits that. `card`: the one a job with device auto or cuda would run on; it need not exist. A
/// job of which not even one part at a time fits is planned all the same, with `fits` false. Throws settings.invalid.
Plan make_plan(const ModelFiles& files, const rushes_settings& settings, size_t id_count, const WarmStart& start,
               const std::optional<Card>& card, const Loras& loras = {});

/// memory.exhausted for a whole job: what it needs and may use.
Error memory_shortage(uint64_t needed_bytes, uint64_t usable_bytes, bool of_card, const std::string& advice,
                      const std::string& detail = {});

/// Of `experts` transformers of one form.
Int8Sum int8_sum(const WanDit& dit, int experts);

/// A stage as plans and reports show it; `on_device` with the card's bytes.
nlohmann::json stage_json(const StageCost& stage, bool on_device);

/// Bytes for a person: "1.39 GB" (10^9), "12.6 MB".
std::string bytes_text(uint64_t bytes);

/// Memory for a person, as the window counts it: "9.1 GB" (2^30).
std::string memory_text(uint64_t bytes);

/// "int8 on 300 linear layers, 2.78 GB -> 1.39 GB"; "" when there is none.
std::string int8_text(const Int8Sum& sum);

}  // namespace rushes
