// Every patch kernel against the reference on grids of odd sizes: nothing is computed, so nothing may differ.
#include "ops/check_context.h"
#include "ops/patches/patches_kernels.h"
#include "runtime/random.h"

namespace rushes {
namespace {

struct Case {
  int64_t channels;
  TokenGrid grid;
};
constexpr Case kCases[] = {{16, {1, 1, 1}}, {16, {3, 5, 7}}, {5, {2, 3, 9}}, {48, {1, 4, 6}}};

std::string text_of(const Case& c) {
  return "channels " + std::to_string(c.channels) + " grid " + shape_text({c.grid.frames, c.grid.height, c.grid.width});
}

void append(const CpuFeatures& features, const std::vector<Kernel<PatchFunction>>& table,
            std::initializer_list<DType> types, Tensor (*run)(const Context&, const Tensor&, const TokenGrid&),
            Shape (*shape)(const Case&), std::vector<KernelCheck>& checks) {
  for (const auto& kernel : table)
    for (const Case& c : kCases)
      for (const DType type : types)
        if (check::can_check(kernel.info, features))
          checks.push_back({kernel.info, text_of(c) + " " + std::string(dtype_name(type)), 0,
                            [info = kernel.info, c, type, run, shape](int threads) {
                              const Context tested = check::context_for(info, threads, type),
                                            plain = check::context_for({{}, {}, Backend::reference}, 1, type);
                              const Tensor x = check::random_tensor(plain, shape(c), 1);
                              return check::relative_error(run(tested, to_device(tested, x), c.grid),
                                                           run(plain, x, c.grid));
                            }});
}

}  // namespace

void append_patches_checks(const CpuFeatures& features, std::vector<KernelCheck>& checks) {
  append(
      features, patches_of_kernels(), {DType::f32, DType::bf16}, patches_of,
      [](const Case& c) {
        return Shape{c.channels, c.grid.frames, 2 * c.grid.height, 2 * c.grid.width};
      },
      checks);
  append(
      features, latents_of_kernels(), {DType::f32}, latents_of,
      [](const Case& c) {
        return Shape{c.grid.count(), 4 * c.channels};
      },
      checks);
}

}  // namespace rushes
