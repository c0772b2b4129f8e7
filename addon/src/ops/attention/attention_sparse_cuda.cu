// Sparse attention on the cuda backend: scratch and the order of the stages. Passes over memory, with k, v and q read
// from the tensors as they are:
//   sum_keys          k and v once: block sums for pooling and the mean, phi(k)^T v, phi(k) and the values' range
//   finish_key_sums   the block sums once (1/64 of k)
//   fold_projection   the partial sums once
//   quantize, convert sagesla only: k and v once, int8 keys and f16 or e4m3 values written
//   choose_key_blocks q once; block scores never leave shared memory
//   attend_chosen     q once (sagesla: twice), the chosen blocks' keys and values, out written once
// By multiply-adds there is one more pass over k and one over q, for the rows of phi.
#include <cmath>

#include "cuda/host.h"
#include "ops/attention/attention_cuda.h"
#include "ops/attention/attention_sparse_stages_cuda.h"
#include "ops/attention/block_selection.h"

namespace rushes::attention {
namespace {

template <class T>
T* address(const Tensor& tensor) {
  return tensor.count() > 0 ? reinterpret_cast<T*>(tensor.raw()) : nullptr;
}

template <SparseArithmetic kArithmetic>
void sparse_cuda(const Context& context, const SparseProblem& problem) {
  const DType input = problem.q.type();
  const SparseCudaChoice choice =
      choose_sparse_cuda(context.device->info(), kArithmetic, problem.heads, problem.head_size, problem.length);
  const bool sage = problem.settings.type == AttentionType::sagesla, fma = choice.arithmetic == SparseArithmetic::fma,
             e4m3 = choice.arithmetic == SparseArithmetic::int8_e4m3, converts = sage && !fma;
  const int64_t heads = problem.heads, size = problem.head_size, length = problem.length, padded = choice.padded_size;
  const int64_t key_blocks = (length + kPanelKeys - 1) / kPanelKeys,
                query_blocks = (length + kQueryRows - 1) / kQueryRows;
  const int64_t chunks = (key_blocks + choice.chunk_blocks - 1) / choice.chunk_blocks;
  const int64_t kept = kept_blocks(problem.settings.top_k, length);

  const Tensor block_sums = context.allocate(DType::f32, {heads, key_blocks, size});
  const Tensor partial = context.allocate(DType::f32, {heads * chunks, padded + 1, padded});
  const Tensor range = context.allocate(DType::f32, {converts ? heads * chunks : 0, 2, padded});
  const Tensor vectors = context.allocate(DType::f32, {4, heads, padded});
  const Tensor state = context.allocate(fma ? DType::f32 : DType::bf16, {heads, padded, padded});
  const Tensor chosen = context.allocate(DType::i32, {heads, query_blocks, kept});
  const Tensor keys = context.allocate(DType::i8, {sage ? heads * key_blocks : 0, kPanelKeys, padded});
  const Tensor values =
      context.allocate(e4m3 ? DType::u8 : DType::u16, {converts ? heads * key_blocks : 0, kPanelKeys, padded});
  const Tensor queries = context.allocate(DType::i8, {sage && fma ? heads * query_blocks : 0, kQueryRows, padded});
  const Tensor scales = context.allocate(DType::f32, {sage ? heads : 0, key_blocks + query_blocks});
  const Tensor rows = context.allocate(DType::f32, {fma ? 2 : 0, heads, length, 2});
  if (context.dry_run) return;
  context.check_cancelled();

  const auto whole = [](int64_t x) { return static_cast<int>(x); };
  const SparseSizes sizes{whole(length),       whole(heads), whole(size),         whole(padded), whole(key_blocks),
                          whole(query_blocks), whole(kept),  choice.chunk_blocks, whole(chunks), whole(heads * size)};
  SparseScratch scratch{};
  scratch.block_sums = address<float>(block_sums);
  scratch.partial = address<float>(partial);
  scratch.partial_sum = scratch.partial + heads * chunks * padded * padded;
  scratch.value_range = address<float>(range);
  scratch.mean = address<float>(vectors);
  scratch.feature_sum = scratch.mean + heads * padded;
  scratch.value_shift = scratch.feature_sum + heads * padded;
  scratch.value_scale = scratch.value_shift + heads * padded;
  scratch.state = state.raw();
  scratch.chosen = address<int32_t>(chosen);
  scratch.keys = address<int8_t>(keys);
  scratch.values = address<void>(values);
  scratch.queries = address<int8_t>(queries);
  scratch.key_scales = address<float>(scales);
  scratch.query_scales = sage ? scratch.key_scales + heads * key_blocks : nullptr;
  scratch.key_rows = address<float>(rows);
  scratch.query_rows = fma ? scratch.key_rows + heads * length * 2 : nullptr;

  const cuda::StreamHandle stream = context.device->stream();
  const bool bf16 = input == DType::bf16;
  const void *q = problem.q.raw(), *k = problem.k.raw(), *v = problem.v.raw();
  if (fma) {
    feature_rows(stream, sizes, scratch, k, bf16, false);
    sum_keys_fma(stream, sizes, scratch, k, v, bf16);
  } else {
    sum_keys(stream, sizes, scratch, k, v);
  }
  finish_key_sums(stream, sizes, scratch, !converts ? 0.0f : e4m3 ? kE4m3Limit : kF16Limit);
  fold_projection(stream, sizes, scratch, problem.settings.projection_weight->data<float>(), !fma);
  if (sage) quantize_blocks(stream, sizes, scratch, q, k, bf16);
  if (converts) convert_values(stream, sizes, scratch, v, e4m3);
  choose_key_blocks(stream, sizes, scratch, q, bf16, choice.selection_tile);
  if (problem.parts.chosen) context.device->copy(problem.parts.chosen->raw(), chosen.raw(), chosen.bytes());

  const Tensor *sparse = problem.parts.sparse, *linear = problem.parts.linear;
  const SparseOutput output{problem.out.raw(), problem.out.type() == DType::bf16,
                            sparse ? sparse->data<float>() : nullptr, linear ? linear->data<float>() : nullptr,
                            problem.settings.projection_bias->data<float>()};
  const float scale = 1.0f / std::sqrt(static_cast<float>(size));
  if (fma) {
    feature_rows(stream, sizes, scratch, q, bf16, true);
    attend_chosen_fma(stream, sizes, scratch, q, k, v, bf16, scale, output);
  } else if (sage) {
    attend_chosen_int8(stream, sizes, scratch, choice, q, scale, output);
  } else {
    attend_chosen_bf16(stream, sizes, scratch, choice, q, k, v, scale, output);
  }
}

constexpr std::string_view kOperation = "sparse_attention";

}  // namespace

std::vector<Kernel<SparseFunction>> sparse_cuda_kernels(DType input, AttentionType type) {
  using enum SparseArithmetic;
  const bool sage = type == AttentionType::sagesla;
  if (input == DType::f32)
    return {
        {{kOperation, sage ? "sagesla_int8_qk_f32_v_cuda_fma" : "sla_f32_cuda_fma", Backend::cuda}, sparse_cuda<fma>}};
  if (!sage) return {{{kOperation, "sla_bf16_cuda_mma", Backend::cuda}, sparse_cuda<bf16>}};
  // mma.sync of e4m3 exists on 89 and 120 only: elsewhere ptxas makes it of f16 products and conversions, so that f16
  // values are faster there as well as finer.
  constexpr std::string_view kE4m3 = "sagesla_int8_qk_e4m3_v_cuda_mma";
  return {{{kOperation, "sagesla_int8_qk_f16_v_cuda_mma", Backend::cuda}, sparse_cuda<int8_f16>},
          {{kOperation, kE4m3, Backend::cuda, Isa::portable, 89, 89}, sparse_cuda<int8_e4m3>},
          {{kOperation, kE4m3, Backend::cuda, Isa::portable, 120}, sparse_cuda<int8_e4m3>}};
}

}  // namespace rushes::attention
