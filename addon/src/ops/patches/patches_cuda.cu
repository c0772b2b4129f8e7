// Latents to tokens and back on a GPU. A thread moves the four cells of one patch and channel, pairs of a row together;
// neighbouring threads take neighbouring channels of a token, and a block enough tokens that whole sectors of every
// plane are used while they are in its cache.
#include "cuda/elements.h"
#include "cuda/launch.h"
#include "ops/patches/patches_cuda.h"

namespace rushes {
namespace {
using namespace cuda;

constexpr int kThreads = 256;

struct Cells {
  int64_t token, channel;
  float *upper, *lower;  // the patch's two rows of two cells
};

/// False beyond the last patch.
RUSHES_DEVICE bool cells_of(const PatchCall& call, Cells& out) {
  const int64_t index = static_cast<int64_t>(block_x()) * kThreads + thread_index();
  const int64_t tokens = call.grid.frames * call.grid.height * call.grid.width;
  if (index >= tokens * call.channels) return false;
  out.token = index / call.channels;
  out.channel = index % call.channels;
  const int64_t line = out.token / call.grid.width, x = out.token % call.grid.width, row = 2 * call.grid.width;
  out.upper = call.latents + out.channel * tokens * 4 + line * 2 * row + 2 * x;
  out.lower = out.upper + row;
  return true;
}

/// Both rows lie on 8 bytes: a plane holds a multiple of four cells, a row an even number.
RUSHES_DEVICE void load_pair(float& left, float& right, const float* from) {
  const Words2 pair = *reinterpret_cast<const Words2*>(from);
  left = bits_float(pair.word[0]);
  right = bits_float(pair.word[1]);
}
RUSHES_DEVICE void store_pair(float* to, float left, float right) {
  *reinterpret_cast<Words2*>(to) = Words2{{float_bits(left), float_bits(right)}};
}

/// Tokens (channel, row, column).
template <class Out>
RUSHES_KERNEL(kThreads, 4)
cells_to_tokens(PatchCall call) {
  Cells cells;
  if (!cells_of(call, cells)) return;
  float cell[4];
  load_pair(cell[0], cell[1], cells.upper);
  load_pair(cell[2], cell[3], cells.lower);
  auto* tokens = static_cast<typename Out::Type*>(call.tokens);
  store_elements<Out>(tokens + (cells.token * call.channels + cells.channel) * 4, cell);
}

/// Tokens (row, column, channel).
RUSHES_KERNEL(kThreads, 4) tokens_to_cells(PatchCall call) {
  Cells cells;
  if (!cells_of(call, cells)) return;
  const float* from = static_cast<const float*>(call.tokens) + cells.token * 4 * call.channels + cells.channel;
  store_pair(cells.upper, from[0], from[call.channels]);
  store_pair(cells.lower, from[2 * call.channels], from[3 * call.channels]);
}

void start(const PatchCall& call, const char* name, void (*kernel)(PatchCall)) {
  const int64_t count = call.grid.count() * call.channels;
  launch(call.device->stream(), name, kernel, Grid{static_cast<int>((count + kThreads - 1) / kThreads)}, kThreads, 0,
         without_device(call));
}

void to_tokens(const PatchCall& call) {
  start(call, "patches_of", call.tokens_bf16 ? cells_to_tokens<Bf16> : cells_to_tokens<F32>);
}
void to_cells(const PatchCall& call) { start(call, "latents_of", tokens_to_cells); }

}  // namespace

std::vector<Kernel<PatchFunction>> patches_of_cuda_kernels() {
  return {{{"patches_of", "patches_of_cuda", Backend::cuda}, to_tokens}};
}
std::vector<Kernel<PatchFunction>> latents_of_cuda_kernels() {
  return {{{"latents_of", "latents_of_cuda", Backend::cuda}, to_cells}};
}

}  // namespace rushes
