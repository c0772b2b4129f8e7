// Models of random weights and real sizes: what speed is measured with where no real checkpoint is at hand.
#pragma once
#include <filesystem>
#include <vector>

#include "models/wan_dit/wan_dit.h"
#include "models/weights.h"

namespace rushes {

/// Wan2.1 T2V 1.3B with SLA's projections, of so many layers (really 30).
WanDitConfig wan_dit_1_3b(int64_t layers);

/// Writes the tensors as bf16, or with `quantized` those that may be as TurboDiffusion's int8 tiles. The same bytes
/// every time; one block of random values serves every tensor.
void write_random_model(const std::filesystem::path& path, const std::vector<ExpectedTensor>& tensors, bool quantized);

/// Bytes of its tensors, header not counted.
uint64_t random_model_bytes(const std::vector<ExpectedTensor>& tensors, bool quantized);

/// A file of random weights that is gone when this is.
class RandomCheckpoint {
 public:
  RandomCheckpoint(const std::vector<ExpectedTensor>& tensors, bool quantized);
  ~RandomCheckpoint();
  RandomCheckpoint(const RandomCheckpoint&) = delete;
  RandomCheckpoint& operator=(const RandomCheckpoint&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace rushes
