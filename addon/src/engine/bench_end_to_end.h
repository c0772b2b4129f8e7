// The whole program's benchmark: a clip made with random weights of Wan2.1-1.3B's, umT5-XXL's and the VAE's sizes, each
// stage against what its products and memory passes take at this machine's ceilings, measured in the same run.
#pragma once
#include <filesystem>
#include <functional>
#include <string>

namespace rushes {

struct EndToEndOptions {
  std::filesystem::path folder;  // keeps the model files: 13 GB in full, 1.5 GB of them the transformer in int8
  int layers = 30;               // of the transformer; fewer make smaller files and shorter runs
  int text_layers = 24;          // of the text encoder; lowered when the disk has no room for all, and said
  int width = 832, height = 480, frames = 17, steps = 4;
  int threads = 0;  // 0 = all usable cores
  std::function<void(const std::string& line)> on_line;
};

/// From the JSON of rushes_bench_end_to_end. Throws settings.invalid.
EndToEndOptions end_to_end_options(const std::string& json);

/// Writes what is missing in the folder, runs one job and returns {"machine", "threads", "clip", "layers",
/// "textLayers", "notes": [..], "stages": [{"stage", "seconds", "processorSeconds", "floorSeconds", "plannedSeconds",
/// "plannedProcessorSeconds", "peakBytes", "plannedPeakBytes", "fileBytes", "diskBytes", "ratio", "processorRatio",
/// "plannedShare", "plannedHolds", "plannedProcessorShare", "plannedProcessorHolds"}], "weights": {
/// "cachedBytesPerSecond", "freshBytesPerSecond", "diskBytesPerSecond"}, "sum": the same of all}. Ratios are to the
/// floors; processorRatio is what is left when other programs' time is taken off. plannedShare is the plan against the
/// clock, plannedHolds whether that is within 20%; the same of the processor's time, in which no waiting for the disk
/// is. fileBytes are the weights' that a stage reads, diskBytes those that were not in the page cache when it was
/// planned. Throws disk.full with what is needed, and what a job throws.
std::string bench_end_to_end(const EndToEndOptions& options);

}  // namespace rushes
