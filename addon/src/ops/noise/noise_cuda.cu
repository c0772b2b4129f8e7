// Noise on a GPU: a thread makes the four values of one counter. Bound by float64, of which a consumer card has one
// unit for 64 of float32: about 160 operations a pair.
#include "cuda/access_choice.h"
#include "cuda/launch.h"
#include "ops/noise/noise_bits.h"
#include "ops/noise/noise_cuda.h"

namespace rushes::cuda {
namespace {

constexpr int kThreads = 256;

struct Ieee {
  RUSHES_DEVICE static double add(double a, double b) { return cuda::add(a, b); }
  RUSHES_DEVICE static double multiply(double a, double b) { return cuda::multiply(a, b); }
  RUSHES_DEVICE static double divide(double a, double b) { return cuda::divide(a, b); }
  RUSHES_DEVICE static double square_root(double value) { return cuda::square_root(value); }
};

RUSHES_KERNEL(kThreads, 2) normal_noise(uint64_t seed, uint32_t draw, float* out, int64_t count, bool aligned) {
  const int64_t group = static_cast<int64_t>(block_x()) * kThreads + thread_index(), first = group * 4;
  if (first >= count) return;
  const noise_bits::Normals normals = noise_bits::normals<Ieee>(static_cast<uint64_t>(group), draw, seed);
  if (aligned && first + 4 <= count) {
    Words4 words;
    for (int i = 0; i < 4; ++i) words.word[i] = float_bits(normals.value[i]);
    *reinterpret_cast<Words4*>(out + first) = words;
  } else {
    for (int i = 0; i < 4 && first + i < count; ++i) out[first + i] = normals.value[i];
  }
}

void run(const NoiseCall& call) {
  if (call.count == 0) return;
  const int64_t groups = (call.count + 3) / 4;
  launch(call.device->stream(), "noise", normal_noise, Grid{static_cast<int>((groups + kThreads - 1) / kThreads)},
         kThreads, 0, call.seed, call.draw, call.out, call.count, choose_run(4, 4, {{call.out, sizeof(float)}}) == 4);
}

}  // namespace
}  // namespace rushes::cuda

namespace rushes {

std::vector<Kernel<NoiseFunction>> noise_cuda_kernels() {
  return {{{.operation = "noise", .name = "noise_f64_cuda", .backend = Backend::cuda, .least_architecture = 80},
           cuda::run}};
}

}  // namespace rushes
