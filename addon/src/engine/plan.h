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

/// Resolves every "auto" and predicts the bytes and seconds of each stage. `held_bytes` are the session's own, free
/// again for this job. With a memory budget the budget counts, else 90% of the free memory. Throws settings.invalid;
/// and memory.exhausted (needed, free, and the smallest change that fits) when even one part at a time does not fit.
Plan make_plan(const ModelFiles& files, const rushes_settings& settings, size_t id_count, uint64_t held_bytes);

/// Bytes for a person: "1.39 GB" (10^9), "12.6 MB".
std::string bytes_text(uint64_t bytes);

/// "int8 on 300 linear layers, 2.78 GB -> 1.39 GB"; "" when there is none.
std::string int8_text(const Int8Sum& sum);

}  // namespace rushes
