// What a generation will need before it is run: the stages walked dry, on counters of their own.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/model_files.h"
#include "engine/settings.h"

namespace rushes {

struct StageCost {
  std::string stage;
  double seconds = 0;
  uint64_t peak_bytes = 0;
};

/// Linear layers held as int8, and what the same layers take at 16 bit.
struct Int8Sum {
  int64_t layers = 0;
  uint64_t bytes_16bit = 0, bytes = 0;
};

struct Plan {
  rushes_settings settings{};  // resolved
  bool resident = false;       // all parts together
  std::vector<StageCost> stages;
  uint64_t peak_bytes = 0, free_bytes = 0;
  double seconds = 0;
  Int8Sum int8;
  nlohmann::json json() const;
};

/// What a job finds when it starts: parts packed by earlier jobs (for `packing`, a packing_key), a kept embedding, and
/// the bytes the session holds, which are free again for this job.
struct WarmStart {
  nlohmann::json packing;
  bool text_encoder = false, dit = false, vae = false, embedding_kept = false;
  uint64_t held_bytes = 0;
};

/// Resolves every "auto" and predicts the bytes and seconds of each stage. With a memory budget the budget counts, else
/// 90% of the free memory. Throws settings.invalid; and memory.exhausted (needed, free, and the smallest change that
/// fits) when even one part at a time does not fit.
Plan make_plan(const ModelFiles& files, const rushes_settings& settings, size_t id_count, const WarmStart& start);

/// Bytes for a person: "1.39 GB" (10^9), "12.6 MB".
std::string bytes_text(uint64_t bytes);

/// "int8 on 300 linear layers, 2.78 GB -> 1.39 GB"; "" when there is none.
std::string int8_text(const Int8Sum& sum);

}  // namespace rushes
