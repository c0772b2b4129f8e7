// Dense attention on the cpu backend: keys and values are packed once a head, then every query block of 128 rows walks
// over all key blocks with an online softmax. Units of work are outputs, so the thread count never changes a sum.
#include <omp.h>

#include <algorithm>

#include "ops/attention/attention_cpu.h"

namespace rushes::attention {

void dense_cpu(const Context& context, const DenseProblem& problem, const CpuMath& math) {
  const int64_t size = problem.head_size, padded = round_up(size, kColumnStep);
  const int64_t panels = key_blocks(problem.keys), blocks = query_blocks(problem.queries);
  const int64_t group = heads_at_once(context, problem.heads, blocks), bytes = panel_bytes(math.packed, padded);
  const int64_t thread_bytes = scratch_bytes(padded, 0);
  Tensor keys = context.allocate(DType::u8, {group, panels, bytes});
  Tensor values = context.allocate(DType::u8, {group, panels, bytes});
  Tensor scratch = context.allocate(DType::u8, {context.threads, thread_bytes});
  if (context.dry_run) return;

  for (int64_t first = 0; first < problem.heads; first += group) {
    const int64_t heads = std::min(group, problem.heads - first);
#pragma omp parallel num_threads(context.threads)
    {
      const ProductSession session(math);
      const ThreadScratch own = place_scratch(scratch.raw() + omp_get_thread_num() * thread_bytes, padded, 0);
#pragma omp for schedule(dynamic)
      for (int64_t unit = 0; unit < heads * panels; ++unit) {
        if (context.is_cancelled()) continue;
        const int64_t panel = unit % panels, column = (first + unit / panels) * size;
        const int64_t row = panel * kPanelKeys, rows = std::min(kPanelKeys, problem.keys - row);
        load_head_rows(math.packed, problem.k, row, rows, column, size, own.rows, kPanelKeys, padded);
        pack_key_panel(math.packed, own.rows, padded, own.packed, keys.raw() + unit * bytes);
        load_head_rows(math.packed, problem.v, row, rows, column, size, own.rows, kPanelKeys, padded);
        math.packed.pack_right(own.rows, kPanelKeys, padded, values.raw() + unit * bytes);
      }
#pragma omp for schedule(dynamic)
      for (int64_t unit = 0; unit < heads * blocks; ++unit) {
        if (context.is_cancelled()) continue;
        const int64_t head = unit / blocks, row = unit % blocks * kQueryRows, column = (first + head) * size;
        QueryBlock block{std::min(kQueryRows, problem.queries - row), problem.scale, nullptr, 1.0f};
        if (problem.relative_bias)
          block.bias = problem.relative_bias->data<float>() + (first + head) * (problem.queries + problem.keys - 1) +
                       problem.queries - 1 - row;
        const PackedHead packed{keys.raw() + head * panels * bytes, values.raw() + head * panels * bytes, bytes, bytes,
                                nullptr};
        load_head_rows(math.packed, problem.q, row, block.rows, column, size, own.rows, block.rows, padded);
        math.packed.store_elements(own.rows, padded, block.rows, padded, own.packed);
        attend(context, math, packed, nullptr, panels, problem.keys, padded, block, own);
        for (int64_t r = 0; r < block.rows; ++r) own.row_sum[r] = 1.0f / own.row_sum[r];
        write_head_rows(math.packed, own.out, padded, block.rows, own.row_sum, nullptr, problem.out, row, column, size);
      }
    }
    context.check_cancelled();
  }
}

}  // namespace rushes::attention
