// The tables of attention kernels: what is listed here can run and is checked.
#include "ops/attention/attention_cuda.h"
#include "ops/attention/attention_kernels.h"

namespace rushes::attention {
namespace {

template <const CpuMath& kMath>
void dense(const Context& context, const DenseProblem& problem) {
  dense_cpu(context, problem, kMath);
}
template <const CpuMath& kMath>
void sparse(const Context& context, const SparseProblem& problem) {
  sparse_cpu(context, problem, kMath);
}

constexpr CpuMath kPortable{kBlockMathPortable, kBlockMathPortable, kInt8MathPortable};
#if defined(__x86_64__)
constexpr CpuMath kAvx2{kBlockMathAvx2, kBlockMathAvx2, kInt8MathAvx2};
constexpr CpuMath kAvxVnni{kBlockMathAvx2, kBlockMathAvx2, kInt8MathAvxVnni};
constexpr CpuMath kAvx512{kBlockMathAvx512, kBlockMathAvx512, kInt8MathAvx2};
constexpr CpuMath kAvx512Vnni{kBlockMathAvx512, kBlockMathAvx512, kInt8MathAvx512Vnni};
constexpr CpuMath kAvx512Bf16{kBlockMathAvx512Bf16, kBlockMathAvx512, kInt8MathAvx512Vnni};
constexpr CpuMath kAmx{kBlockMathAmx, kBlockMathAvx512, kInt8MathAmx};
#endif

template <class Function>
std::vector<Kernel<Function>> with(std::vector<Kernel<Function>> kernels, const std::vector<Kernel<Function>>& cuda) {
  kernels.insert(kernels.end(), cuda.begin(), cuda.end());
  return kernels;
}

}  // namespace

const std::vector<Kernel<DenseFunction>>& dense_kernels(DType input) {
  static const auto f32 = with<DenseFunction>(
      {
        {{"dense_attention", "dense_attention_f32_reference", Backend::reference, Isa::portable}, dense_reference},
            {{"dense_attention", "dense_attention_f32_portable", Backend::cpu, Isa::portable}, dense<kPortable>},
#if defined(__x86_64__)
            {{"dense_attention", "dense_attention_f32_avx2", Backend::cpu, Isa::avx2}, dense<kAvx2>},
            {{"dense_attention", "dense_attention_f32_avx512", Backend::cpu, Isa::avx512}, dense<kAvx512>},
#endif
      },
      dense_cuda_kernels(DType::f32));
  // Without bf16 instructions the products of bf16 input are f32 products of its exact values.
  static const auto bf16 = with<DenseFunction>(
      {
        {{"dense_attention", "dense_attention_bf16_reference", Backend::reference, Isa::portable}, dense_reference},
            {{"dense_attention", "dense_attention_bf16_portable", Backend::cpu, Isa::portable}, dense<kPortable>},
#if defined(__x86_64__)
            {{"dense_attention", "dense_attention_bf16_avx2", Backend::cpu, Isa::avx2}, dense<kAvx2>},
            {{"dense_attention", "dense_attention_bf16_avx512", Backend::cpu, Isa::avx512}, dense<kAvx512>},
            {{"dense_attention", "dense_attention_bf16_avx512_bf16", Backend::cpu, Isa::avx512_bf16},
             dense<kAvx512Bf16>},
            {{"dense_attention", "dense_attention_bf16_amx", Backend::cpu, Isa::amx}, dense<kAmx>},
#endif
      },
      dense_cuda_kernels(DType::bf16));
  return input == DType::bf16 ? bf16 : f32;
}

const std::vector<Kernel<SparseFunction>>& sparse_kernels(DType input, AttentionType type) {
  static const auto sla_f32 = with<SparseFunction>(
      {
        {{"sparse_attention", "sla_f32_reference", Backend::reference, Isa::portable}, sparse_reference},
            {{"sparse_attention", "sla_f32_portable", Backend::cpu, Isa::portable}, sparse<kPortable>},
#if defined(__x86_64__)
            {{"sparse_attention", "sla_f32_avx2", Backend::cpu, Isa::avx2}, sparse<kAvx2>},
            {{"sparse_attention", "sla_f32_avx512", Backend::cpu, Isa::avx512}, sparse<kAvx512>},
#endif
      },
      sparse_cuda_kernels(DType::f32, AttentionType::sla));
  static const auto sla_bf16 = with<SparseFunction>(
      {
        {{"sparse_attention", "sla_bf16_reference", Backend::reference, Isa::portable}, sparse_reference},
            {{"sparse_attention", "sla_bf16_portable", Backend::cpu, Isa::portable}, sparse<kPortable>},
#if defined(__x86_64__)
            {{"sparse_attention", "sla_bf16_avx2", Backend::cpu, Isa::avx2}, sparse<kAvx2>},
            {{"sparse_attention", "sla_bf16_avx512", Backend::cpu, Isa::avx512}, sparse<kAvx512>},
            {{"sparse_attention", "sla_bf16_avx512_bf16", Backend::cpu, Isa::avx512_bf16}, sparse<kAvx512Bf16>},
            {{"sparse_attention", "sla_bf16_amx", Backend::cpu, Isa::amx}, sparse<kAmx>},
#endif
      },
      sparse_cuda_kernels(DType::bf16, AttentionType::sla));
  static const auto sage_f32 = with<SparseFunction>(
      {
        {{"sparse_attention", "sagesla_int8_qk_f32_v_reference", Backend::reference, Isa::portable}, sparse_reference},
            {{"sparse_attention", "sagesla_int8_qk_f32_v_portable", Backend::cpu, Isa::portable}, sparse<kPortable>},
#if defined(__x86_64__)
            {{"sparse_attention", "sagesla_int8_qk_f32_v_avx2", Backend::cpu, Isa::avx2}, sparse<kAvx2>},
            {{"sparse_attention", "sagesla_int8_qk_f32_v_avxvnni", Backend::cpu, Isa::avxvnni}, sparse<kAvxVnni>},
            {{"sparse_attention", "sagesla_int8_qk_f32_v_avx512", Backend::cpu, Isa::avx512}, sparse<kAvx512>},
            {{"sparse_attention", "sagesla_int8_qk_f32_v_avx512_vnni", Backend::cpu, Isa::avx512_vnni},
             sparse<kAvx512Vnni>},
#endif
      },
      sparse_cuda_kernels(DType::f32, AttentionType::sagesla));
  static const auto sage_bf16 = with<SparseFunction>(
      {
        {{"sparse_attention", "sagesla_int8_qk_bf16_v_reference", Backend::reference, Isa::portable}, sparse_reference},
            {{"sparse_attention", "sagesla_int8_qk_bf16_v_portable", Backend::cpu, Isa::portable}, sparse<kPortable>},
#if defined(__x86_64__)
            {{"sparse_attention", "sagesla_int8_qk_bf16_v_avx2", Backend::cpu, Isa::avx2}, sparse<kAvx2>},
            {{"sparse_attention", "sagesla_int8_qk_bf16_v_avxvnni", Backend::cpu, Isa::avxvnni}, sparse<kAvxVnni>},
            {{"sparse_attention", "sagesla_int8_qk_bf16_v_avx512", Backend::cpu, Isa::avx512}, sparse<kAvx512>},
            {{"sparse_attention", "sagesla_int8_qk_bf16_v_avx512_vnni", Backend::cpu, Isa::avx512_vnni},
             sparse<kAvx512Vnni>},
            {{"sparse_attention", "sagesla_int8_qk_bf16_v_avx512_bf16", Backend::cpu, Isa::avx512_bf16},
             sparse<kAvx512Bf16>},
            {{"sparse_attention", "sagesla_int8_qk_bf16_v_amx", Backend::cpu, Isa::amx}, sparse<kAmx>},
#endif
      },
      sparse_cuda_kernels(DType::bf16, AttentionType::sagesla));
  if (type == AttentionType::sagesla) return input == DType::bf16 ? sage_bf16 : sage_f32;
  return input == DType::bf16 ? sla_bf16 : sla_f32;
}

}  // namespace rushes::attention
