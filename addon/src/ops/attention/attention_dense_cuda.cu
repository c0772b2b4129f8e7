// Dense attention for bf16 on a GPU, head sizes up to 128 (padded to 64 or 128): every block owns a tile of query rows
// of one head and walks over all keys, 64 at a time (Dao 2023, "FlashAttention-2: Faster Attention with Better
// Parallelism"). Scores and probabilities never leave registers. Larger heads: attention_wide_cuda.cu; f32:
// attention_f32_cuda.cu.
#include "cuda/launch.h"
#include "ops/attention/attention_cuda.h"
#include "ops/attention/attention_dense_cuda.h"
#include "ops/attention/attention_tile_cuda.h"

namespace rushes::cuda {
namespace {

constexpr int kKeys = 64;

/// kBuffers 2: the next tile's keys and values arrive while this one's are used, one barrier a tile. 1: values arrive
/// under the scores and the next keys under softmax and values; half the shared memory, two barriers, for cards where
/// two blocks then fit a multiprocessor.
template <int kHead, int kRowTiles, int kWarps, int kBuffers, bool kBias>
RUSHES_KERNEL(kWarps * 32, kRowTiles == 2 || kWarps == 4 ? 2 : 1)
dense_attention_bf16(DenseCall call) {
  constexpr int kRows = kWarps * kRowTiles * 16, kThreads = kWarps * 32, kSteps = kHead / 16;
  constexpr int kQueryBytes = kRows * kHead * 2, kTileBytes = kKeys * kHead * 2;
  const int head = block_y(), first = block_x() * kRows, tiles = (call.keys + kKeys - 1) / kKeys;
  const int64_t column = static_cast<int64_t>(head) * call.head_size;
  const auto queries = shared_memory<uint16_t>(0, kRows * kHead);
  const auto keys = [](int buffer) {
    return shared_memory<uint16_t>(kQueryBytes + buffer * kTileBytes, kKeys * kHead);
  };
  const auto values = [](int buffer) {
    return shared_memory<uint16_t>(kQueryBytes + (kBuffers + buffer) * kTileBytes, kKeys * kHead);
  };
  const TileLoad<kKeys, kHead, kThreads> load(static_cast<int>(call.stride), call.head_size);
  const auto load_tile = [&](Shared<uint16_t> tile, const void* from, int index) {
    const int row = index * kKeys;
    load.start(tile, static_cast<const uint16_t*>(from) + column + row * call.stride, call.keys - row);
  };

  TileLoad<kRows, kHead, kThreads>(static_cast<int>(call.stride), call.head_size)
      .start(queries, static_cast<const uint16_t*>(call.q) + column + first * call.stride, call.queries - first);
  load_tile(keys(0), call.k, 0);
  if constexpr (kBuffers == 2) load_tile(values(0), call.v, 0);
  copy_async_commit();

  // From the thread's number: cheap to make again, where every register is taken.
  const int warp_row = (thread_index() >> 5) * kRowTiles * 16;
  // One row tile's queries stay in registers; two would not leave enough for the sums.
  constexpr bool kHeld = kRowTiles == 1;
  uint32_t held[kHeld ? kSteps : 1][4];
  float output[kRowTiles][kHead / 8][4];
  clear(output);
  SoftmaxRows<kRowTiles> softmax;

  for (int tile = 0; tile < tiles; ++tile) {
    const int buffer = kBuffers == 2 ? tile & 1 : 0;
    copy_async_wait<0>();
    sync_block();  // this tile is there for all, and all are done with the tile before
    if constexpr (kBuffers == 2) {
      if (tile + 1 < tiles) {
        load_tile(keys(buffer ^ 1), call.k, tile + 1);
        load_tile(values(buffer ^ 1), call.v, tile + 1);
      }
    } else {
      load_tile(values(0), call.v, tile);
    }
    copy_async_commit();
    if constexpr (kHeld)
      if (tile == 0)
#pragma unroll
        for (int step = 0; step < kSteps; ++step) query_fragments<kRows>(held[step], queries, warp_row, step);

    float scores[kRowTiles][kKeys / 8][4];
    clear(scores);
    add_scores<kRowTiles, kKeys, kSteps>(
        scores,
        [&](uint32_t(&a)[4], int m, int step) {
          if constexpr (kHeld)
#pragma unroll
            for (int i = 0; i < 4; ++i) a[i] = held[step][i];
          else
            query_fragments<kRows>(a, queries, warp_row + m * 16, step);
        },
        keys(buffer));
    if constexpr (kBias)
      add_relative_bias(scores, call.factor, call.bias + static_cast<int64_t>(head) * (call.queries + call.keys - 1),
                        call.queries, call.keys, first + warp_row, tile * kKeys);
    if (call.keys - tile * kKeys < kKeys) mask_keys(scores, call.keys - tile * kKeys);
    if constexpr (kBuffers == 1) {
      copy_async_wait<0>();
      sync_block();  // the values are there, and all are done with the keys
      if (tile + 1 < tiles) load_tile(keys(0), call.k, tile + 1);
      copy_async_commit();
    }
    softmax_step(scores, kBias ? 1.0f : call.factor, softmax, output);
    add_values<kRowTiles, kKeys>(output, scores, values(buffer));
  }

  finish_rows(softmax);
  const int64_t out_first = (first + warp_row) * call.stride + column;
  const int rows = call.queries - first - warp_row;
  if (call.out_bf16)
    store_rows_bf16<kRows>(output, softmax.sum, queries, warp_row, static_cast<uint16_t*>(call.out) + out_first,
                           call.stride, rows, call.head_size);
  else
    store_rows_f32(output, softmax.sum, static_cast<float*>(call.out) + out_first, call.stride, rows, call.head_size);
}

using TileKernel = void (*)(DenseCall);

/// Of kTileForms[kForm].
template <int kHead, int kForm, bool kBias = false>
constexpr TileKernel kTileKernel =
    dense_attention_bf16<kHead, kTileForms[kForm].row_tiles, kTileForms[kForm].warps, kTileForms[kForm].buffers, kBias>;
constexpr TileKernel kTileKernels[2][kTileFormCount] = {
    {kTileKernel<64, 0>, kTileKernel<64, 1>, kTileKernel<64, 2>, kTileKernel<64, 3>},
    {kTileKernel<128, 0>, kTileKernel<128, 1>, kTileKernel<128, 2>, kTileKernel<128, 3>}};

void launch_tiles(StreamHandle stream, const AttentionChoice& choice, const DenseCall& call) {
  int form = 0;
  while (kTileForms[form].row_tiles != choice.row_tiles || kTileForms[form].warps != choice.warps ||
         kTileForms[form].buffers != choice.buffers)
    ++form;
  TileKernel kernel = kTileKernels[choice.padded_head == 128][form];
  if (call.bias) kernel = choice.padded_head == 128 ? kTileKernel<128, 3, true> : kTileKernel<64, 3, true>;
  launch(stream, "dense attention", kernel,
         Grid{(call.queries + choice.query_rows - 1) / choice.query_rows, call.heads}, choice.warps * 32,
         choice.shared_bytes, call);
}

void run(const Context& context, const attention::DenseProblem& problem, const AttentionChoice& choice) {
  if (context.dry_run) return;
  const DenseCall call{problem.q.raw(),
                       problem.k.raw(),
                       problem.v.raw(),
                       problem.out.raw(),
                       problem.relative_bias ? problem.relative_bias->data<float>() : nullptr,
                       problem.heads * problem.head_size,
                       static_cast<int>(problem.heads),
                       static_cast<int>(problem.queries),
                       static_cast<int>(problem.keys),
                       static_cast<int>(problem.head_size),
                       problem.scale * kLog2E,
                       problem.out.type() == DType::bf16};
  const StreamHandle stream = context.device->stream();
  switch (choice.kernel) {
    case AttentionKernel::tiles:
      return launch_tiles(stream, choice, call);
    case AttentionKernel::wide:
      return launch_wide_attention(stream, choice, call);
    case AttentionKernel::f32:
      return launch_f32_attention(stream, choice, call);
  }
}

AttentionShape shape_of(const attention::DenseProblem& problem) {
  return {problem.q.type(), problem.heads, problem.head_size,
          problem.queries,  problem.keys,  problem.relative_bias != nullptr};
}

void run_chosen(const Context& context, const attention::DenseProblem& problem) {
  run(context, problem, choose_attention(shape_of(problem), context.device->info()));
}
template <int kForm>
void run_form(const Context& context, const attention::DenseProblem& problem) {
  run(context, problem, choose_attention(shape_of(problem), kForm));
}

}  // namespace
}  // namespace rushes::cuda

namespace rushes::attention {

std::vector<Kernel<DenseFunction>> dense_cuda_kernels(DType input) {
  using namespace cuda;
  const auto entry = [](const char* name, DenseFunction run) {
    return Kernel<DenseFunction>{
        {.operation = "dense_attention", .name = name, .backend = Backend::cuda, .least_architecture = 80}, run};
  };
  if (input == DType::f32) return {entry("dense_attention_f32_cuda", run_chosen)};
  // The last one runs and takes one of the others' forms; those are listed to be checked and timed.
  return {entry("dense_attention_bf16_cuda_32_rows_a_warp_one_buffer", run_form<0>),
          entry("dense_attention_bf16_cuda_32_rows_a_warp", run_form<1>),
          entry("dense_attention_bf16_cuda_8_warps", run_form<2>),
          entry("dense_attention_bf16_cuda_4_warps", run_form<3>), entry("dense_attention_bf16_cuda", run_chosen)};
}

}  // namespace rushes::attention
