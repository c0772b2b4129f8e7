// The LoRA files of a job: opened, and found to be for its model.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "engine/model_files.h"
#include "models/low_rank.h"

namespace rushes {

/// One as a job asks for it.
struct LoraRequest {
  std::filesystem::path path;
  double strength = 1;  // -2 to 2
  LoraExpert expert = LoraExpert::both;
};

/// What each transformer of a model is adapted with. `warnings`: sentences about files of which a part fits nothing.
struct Loras {
  std::vector<AppliedLora> dit, dit_low;
  std::vector<std::string> warnings;
};

/// Files stay open for the next plan or job while they are the same on the disk. Thread-safe. Errors: LoraFile::open's
/// and LoraFile::match's; settings.invalid for a strength out of its range, or one of two experts where there is one.
Loras open_loras(const std::vector<LoraRequest>& requests, const ModelFiles& files);
/// Closes them; what uses them keeps its own.
void forget_loras();

}  // namespace rushes
