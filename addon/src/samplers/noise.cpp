// Noise for spans of host memory, by the kernels of ops/noise.
#include "samplers/noise.h"

#include "ops/noise/noise.h"
#include "ops/noise/noise_kernels.h"

namespace rushes {

void philox_normal(uint64_t seed, uint32_t draw, std::span<float> out) { philox_normal(Context(), seed, draw, out); }

void philox_normal(const Context& context, uint64_t seed, uint32_t draw, std::span<float> out) {
  const auto count = static_cast<int64_t>(out.size());
  if (context.backend != Backend::cuda) {
    choose_kernel(noise_kernels(), context).run({seed, draw, out.data(), count, context.threads});
    return;
  }
  Tensor made = context.allocate(DType::f32, {count});
  normal_noise(context, seed, draw, made);
  if (!context.dry_run && count) context.device->download(out.data(), made.raw(), made.bytes());
}

}  // namespace rushes
