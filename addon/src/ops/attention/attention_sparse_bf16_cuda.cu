// SLA on tensor cores in bf16: flash attention of a query block over its chosen key blocks, with the linear branch
// added before anything is written. One block of threads owns one query block of one head, a warp 16 or 32 of its rows;
// keys and values of the next step are copied while this one is multiplied. Cost follows the number of chosen blocks.
#include "cuda/launch.h"
#include "ops/attention/attention_sparse_epilogue_cuda.h"

namespace rushes::attention {

using namespace cuda;

namespace {

template <int kSize, int kRowTiles, int kKeys>
struct Bf16Form {
  static constexpr int kThreads = kBlockQueries / (16 * kRowTiles) * 32;
  static constexpr int kQueryElements = kBlockQueries * kSize, kKeyElements = kKeys * kSize;
  static constexpr int kSteps = kBlockKeys / kKeys;  // of one key block
};

template <int kSize, int kRowTiles, int kKeys>
RUSHES_KERNEL((Bf16Form<kSize, kRowTiles, kKeys>::kThreads), kRowTiles)
attend_bf16_kernel(SparseSizes sizes, SparseScratch scratch, SparseOutput output, float factor, const uint16_t* q,
                   const uint16_t* k, const uint16_t* v) {
  using Form = Bf16Form<kSize, kRowTiles, kKeys>;
  const int query_block = block_x(), head = block_y(), first = warp_index() * kRowTiles * 16;
  const int64_t column = static_cast<int64_t>(head) * sizes.head_size;
  const EpilogueRows place{static_cast<int64_t>(query_block) * kBlockQueries * sizes.stride + column,
                           smaller(kBlockQueries, sizes.length - query_block * kBlockQueries)};
  const Shared<uint16_t> queries = shared_memory<uint16_t>(0, Form::kQueryElements);
  const auto stage = [](int i) {
    return shared_memory<uint16_t>(2 * (Form::kQueryElements + i % 2 * 2 * Form::kKeyElements), 2 * Form::kKeyElements);
  };

  const int32_t* list = scratch.chosen + (static_cast<int64_t>(head) * sizes.query_blocks + query_block) * sizes.kept;
  const int steps = sizes.kept * Form::kSteps;
  const TileLoad<kKeys, kSize, Form::kThreads> key_load(sizes.stride, sizes.head_size);
  const auto load = [&](int step, int token) {
    const int64_t from = static_cast<int64_t>(token) * sizes.stride + column;
    const Shared<uint16_t> to = stage(step);
    key_load.start(to, k + from, sizes.length - token);
    key_load.start(to.part(Form::kKeyElements), v + from, sizes.length - token);
  };
  const auto first_token = [&](int step) {
    return list[step / Form::kSteps] * kBlockKeys + step % Form::kSteps * kKeys;
  };
  {
    const TileLoad<kBlockQueries, kSize, Form::kThreads> query_load(sizes.stride, sizes.head_size);
    query_load.start(queries, q + place.offset, place.rows);
  }
  int token = first_token(0), next_token = steps > 1 ? first_token(1) : 0;
  load(0, token);
  copy_async_commit();

  float o[kRowTiles][kSize / 8][4];
  clear(o);
  SoftmaxRows<kRowTiles> rows;
  for (int step = 0; step < steps; ++step) {
    copy_async_wait<0>();
    sync_block();  // this step's tiles are there, and nobody reads the other stage any more
    const int later_token = step + 2 < steps ? first_token(step + 2) : 0;
    if (step + 1 < steps) load(step + 1, next_token);
    copy_async_commit();
    const Shared<uint16_t> tile = stage(step);
    float s[kRowTiles][kKeys / 8][4];
    clear(s);
    add_scores<kRowTiles, kKeys, kSize / 16>(
        s,
        [&](uint32_t(&a)[4], int m, int depth) { query_fragments<kBlockQueries>(a, queries, first + 16 * m, depth); },
        tile);
    if (token + kKeys > sizes.length) mask_keys(s, sizes.length - token);
    softmax_step(s, factor, rows, o);
    add_values<kRowTiles, kKeys>(o, s, tile.part(Form::kKeyElements));
    token = next_token;
    next_token = later_token;
  }
  finish_rows(rows);
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int n = 0; n < kSize / 8; ++n)
#pragma unroll
      for (int e = 0; e < 4; ++e) o[m][n][e] *= rows.sum[m][e / 2];

  // phi(q) takes the place of q: a lane writes what it alone has read.
  const Shared<Words4> from = queries.template as<Words4>();
  sync_warp();
  query_features<kSize, kRowTiles>(
      [&](int row, int chunk) -> Words4 { return from[panel_offset<kBlockQueries>(row, chunk) / 8]; }, queries,
      scratch.feature_sum + head * sizes.padded, sizes.head_size, first);
  add_linear_branch<kSize, kRowTiles, Form::kThreads>(
      sizes, static_cast<const uint16_t*>(scratch.state) + static_cast<int64_t>(head) * kSize * kSize, output, place,
      queries, stage(0), first, o);
}

}  // namespace

void attend_chosen_bf16(StreamHandle stream, const SparseSizes& sizes, const SparseScratch& scratch,
                        const SparseCudaChoice& choice, const void* q, const void* k, const void* v, float scale,
                        const SparseOutput& output) {
  const auto start = [&](auto kernel) {
    launch(stream, "sla_attend_bf16", kernel, Grid{sizes.query_blocks, sizes.heads, 1},
           kBlockQueries / (16 * choice.warp_tiles) * 32,
           attend_shared_bytes(choice.arithmetic, choice.padded_size, choice.step_keys), sizes, scratch, output,
           scale * attention::kLog2E, static_cast<const uint16_t*>(q), static_cast<const uint16_t*>(k),
           static_cast<const uint16_t*>(v));
  };
  if (choice.padded_size == 128) {
    if (choice.warp_tiles == 1)
      start(attend_bf16_kernel<128, 1, 64>);
    else if (choice.step_keys == 64)
      start(attend_bf16_kernel<128, 2, 64>);
    else
      start(attend_bf16_kernel<128, 2, 32>);
  } else if (choice.warp_tiles == 1) {
    start(attend_bf16_kernel<64, 1, 64>);
  } else if (choice.step_keys == 64) {
    start(attend_bf16_kernel<64, 2, 64>);
  } else {
    start(attend_bf16_kernel<64, 2, 32>);
  }
}

}  // namespace rushes::attention
