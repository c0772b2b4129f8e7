// The patch operations' argument checks, kernel tables, and the loops of the CPU.
#include "ops/patches/patches.h"

#include "ops/expect.h"
#include "ops/patches/patches_cuda.h"
#include "ops/patches/patches_kernels.h"

namespace rushes {
namespace {

// Calls visit(token, row, column, place in one channel's plane) for every latent cell.
template <class Visit>
void for_cells(const PatchCall& call, Visit visit) {
  const TokenGrid& grid = call.grid;
#pragma omp parallel for num_threads(call.threads) schedule(static)
  for (int64_t token = 0; token < grid.count(); ++token) {
    const int64_t x = token % grid.width, line = token / grid.width;  // line = frame * height + y
    for (int64_t row = 0; row < 2; ++row)
      for (int64_t column = 0; column < 2; ++column)
        visit(token, row, column, (line * 2 + row) * grid.width * 2 + x * 2 + column);
  }
}

template <class Element>
void patches_into(const PatchCall& call) {
  const int64_t channels = call.channels, plane = call.grid.count() * 4;
  for_cells(call, [&](int64_t token, int64_t row, int64_t column, int64_t place) {
    Element* to = static_cast<Element*>(call.tokens) + token * channels * 4 + row * 2 + column;
    for (int64_t c = 0; c < channels; ++c) to[c * 4] = Element(call.latents[c * plane + place]);
  });
}

void patches_of_loops(const PatchCall& call) {
  call.tokens_bf16 ? patches_into<bf16>(call) : patches_into<float>(call);
}

void latents_of_loops(const PatchCall& call) {
  const int64_t channels = call.channels, plane = call.grid.count() * 4;
  for_cells(call, [&](int64_t token, int64_t row, int64_t column, int64_t place) {
    const float* from = static_cast<const float*>(call.tokens) + (token * 4 + row * 2 + column) * channels;
    for (int64_t c = 0; c < channels; ++c) call.latents[c * plane + place] = from[c];
  });
}

// The loops are plain enough to be both the reference and the portable kernel.
std::vector<Kernel<PatchFunction>> table_of(std::string_view operation, std::string_view reference,
                                            std::string_view portable, PatchFunction loops,
                                            const std::vector<Kernel<PatchFunction>>& cuda) {
  std::vector<Kernel<PatchFunction>> table{{{operation, reference, Backend::reference}, loops},
                                           {{operation, portable, Backend::cpu}, loops}};
  table.insert(table.end(), cuda.begin(), cuda.end());
  return table;
}

void run(const Context& context, const std::vector<Kernel<PatchFunction>>& table, const Tensor& latents,
         const Tensor& tokens, const TokenGrid& grid) {
  context.check_cancelled();
  if (context.work) context.work->pass(static_cast<double>(latents.bytes() + tokens.bytes()));
  if (context.dry_run) return;
  choose_kernel(table, context)
      .run({latents.data<float>(), tokens.raw(), tokens.type() == DType::bf16, latents.size(0), grid, context.threads,
            context.device});
}

}  // namespace

const std::vector<Kernel<PatchFunction>>& patches_of_kernels() {
  static const auto table = table_of("patches_of", "patches_of_reference", "patches_of_portable", patches_of_loops,
                                     patches_of_cuda_kernels());
  return table;
}
const std::vector<Kernel<PatchFunction>>& latents_of_kernels() {
  static const auto table = table_of("latents_of", "latents_of_reference", "latents_of_portable", latents_of_loops,
                                     latents_of_cuda_kernels());
  return table;
}

Tensor patches_of(const Context& context, const Tensor& latents, const TokenGrid& grid) {
  expect(latents.rank() == 4 && latents.type() == DType::f32 &&
             latents.shape() == Shape{latents.size(0), grid.frames, grid.height * 2, grid.width * 2},
         "patches_of", "latents must be f32 [channels, frames, 2 height, 2 width] of the grid");
  Tensor tokens = context.allocate(context.compute, {grid.count(), latents.size(0) * 4});
  run(context, patches_of_kernels(), latents, tokens, grid);
  return tokens;
}

Tensor latents_of(const Context& context, const Tensor& tokens, const TokenGrid& grid) {
  expect(tokens.rank() == 2 && tokens.type() == DType::f32 && tokens.size(0) == grid.count() && tokens.size(1) % 4 == 0,
         "latents_of", "tokens must be f32 [tokens of the grid, 4 channels]");
  Tensor latents = context.allocate(DType::f32, {tokens.size(1) / 4, grid.frames, grid.height * 2, grid.width * 2});
  run(context, latents_of_kernels(), latents, tokens, grid);
  return latents;
}

}  // namespace rushes
