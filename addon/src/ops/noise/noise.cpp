// Noise on the CPU, and its table.
#include "ops/noise/noise.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "ops/check_context.h"
#include "ops/noise/noise_bits.h"
#include "ops/noise/noise_cuda.h"
#include "runtime/random.h"

namespace rushes {
namespace {

void noise_loops(const NoiseCall& call) {
  const int64_t groups = (call.count + 3) / 4;
#pragma omp parallel for num_threads(call.threads) schedule(static)
  for (int64_t group = 0; group < groups; ++group) {
    const auto normals =
        noise_bits::normals<noise_bits::ProcessorArithmetic>(static_cast<uint64_t>(group), call.draw, call.seed);
    std::copy_n(normals.value, std::min<int64_t>(4, call.count - group * 4), call.out + group * 4);
  }
}

// Zero when every bit is the loops' own, else one.
double difference(const Kernel<NoiseFunction>& kernel, uint64_t seed, uint32_t draw, int64_t count, int threads) {
  const Context context = check::context_for(kernel.info, threads), host = context.on_host();
  Tensor out = context.allocate(DType::f32, {count}), expected = host.allocate(DType::f32, {count});
  kernel.run({seed, draw, out.data<float>(), count, threads, context.device});
  noise_loops({seed, draw, expected.data<float>(), count});
  const Tensor made = to_host(context, out);
  return std::memcmp(made.raw(), expected.raw(), expected.bytes()) == 0 ? 0.0 : 1.0;
}

}  // namespace

const std::vector<Kernel<NoiseFunction>>& noise_kernels() {
  static const auto table = [] {
    std::vector<Kernel<NoiseFunction>> kernels{{{"noise", "noise_f64_reference", Backend::reference}, noise_loops},
                                               {{"noise", "noise_f64_portable", Backend::cpu}, noise_loops}};
    for (const auto& kernel : noise_cuda_kernels()) kernels.push_back(kernel);
    return kernels;
  }();
  return table;
}

void normal_noise(const Context& context, uint64_t seed, uint32_t draw, Tensor& out) {
  if (out.type() != DType::f32)
    throw Error("engine.internal", "Noise is made as float32.", {}, std::string(dtype_name(out.type())));
  if (context.work) context.work->pass(static_cast<double>(out.bytes()));
  if (context.dry_run) return;
  choose_kernel(noise_kernels(), context)
      .run({seed, draw, out.data<float>(), out.count(), context.threads, context.device});
}

void append_noise_checks(const CpuFeatures& features, std::vector<KernelCheck>& checks) {
  for (const auto& kernel : noise_kernels())
    for (const int64_t count : {1, 4099}) {
      if (kernel.info.backend == Backend::reference || !check::can_check(kernel.info, features)) continue;
      checks.push_back({kernel.info, "count " + std::to_string(count), 0.0, [&kernel, count](int threads) {
                          return difference(kernel, 0x123456789abcdef0u, 3, count, threads);
                        }});
    }
}

}  // namespace rushes
