// What operations count about themselves, for plans, progress and benchmarks. What it costs on a machine is in
// engine/rates.h.
#pragma once
#include <array>
#include <cstddef>

namespace rushes {

/// What takes time, each in the unit whose cost is nearly the same for every shape. In the order in which their costs
/// are measured: a later one's sample may contain earlier ones.
enum class Effort {
  bytes,         // read plus written by plain passes
  norm_bytes,    // the same by the norms of the transformers
  channel_norm,  // elements through the VAE's norm
  norm_pixels,   // pixels through it
  linear_int8,   // operations on whole blocks, one multiply-add = 2
  linear_bf16,
  linear_f32,
  rows_int8,  // activations quantized or copied into panels
  rows_bf16,
  rows_f32,
  outputs,      // elements finished by a linear's epilogue
  activations,  // of these, through SiLU or GELU
  dense_bf16,   // operations of dense attention
  dense_f32,
  sla_bf16,  // operations of the chosen blocks
  sla_f32,
  sagesla_bf16,
  sagesla_f32,
  branch_bf16,  // elements of q through the linear branch, the pooling and the packing around chosen blocks
  branch_f32,
  convolution_bf16,  // operations on whole blocks of outputs
  convolution_f32,
  pixels_bf16,  // elements of x that a convolution reads for one block of outputs and one tap
  pixels_f32,
  sums_bf16,  // sums a convolution takes up for a kernel row and a step of channels, and what comes with them
  sums_f32,
  weights_int8,       // weights packed from int8
  weights_quantized,  // weights quantized and packed
  weights_bf16,       // packed as they are, or rounded
  weights_f32,
  weights_in_file,  // put in order in the cache, for one use
  filters,          // weights of convolutions packed
  frame_bytes,      // of RGB made of pixels, looked at and encoded
};
constexpr size_t kEffortCount = static_cast<size_t>(Effort::frame_bytes) + 1;

/// Work done, counted by the operations themselves (also while planning).
struct WorkCount {
  double int8_ops = 0, bf16_ops = 0, f32_ops = 0;  // needed products in linears, convolutions and attention, x 2
  double bytes = 0;                                // memory passes of everything else
  double file_bytes = 0;                           // of weights, read from their files
  double disk_bytes = 0;                           // of these, what the page cache did not hold; only while planning
  std::array<double, kEffortCount> efforts{};

  double& of(Effort effort) { return efforts[static_cast<size_t>(effort)]; }
  void pass(double byte_count) {
    bytes += byte_count;
    of(Effort::bytes) += byte_count;
  }
  WorkCount& operator+=(const WorkCount& other) {
    int8_ops += other.int8_ops;
    bf16_ops += other.bf16_ops;
    f32_ops += other.f32_ops;
    bytes += other.bytes;
    file_bytes += other.file_bytes;
    disk_bytes += other.disk_bytes;
    for (size_t i = 0; i < kEffortCount; ++i) efforts[i] += other.efforts[i];
    return *this;
  }
};

}  // namespace rushes
