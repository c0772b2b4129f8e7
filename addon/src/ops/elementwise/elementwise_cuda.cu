// The elementwise operations on a GPU: every thread moves 8 neighbouring numbers, 16 bytes an instruction. What is left
// over at the end, and rows that do not begin on 16 bytes, move one by one.
#include "cuda/access_choice.h"
#include "cuda/elements.h"
#include "cuda/launch.h"
#include "ops/elementwise/elementwise_cuda.h"

namespace rushes {
namespace {
using namespace cuda;

constexpr int kThreads = 256;
constexpr int kVector = 8;

struct Copy {
  static constexpr bool kBinary = false;
  RUSHES_DEVICE static float of(float a, float) { return a; }
};
struct Sum {
  static constexpr bool kBinary = true;
  RUSHES_DEVICE static float of(float a, float b) { return add(a, b); }
};

/// e^x for x up to 88, more as 88; below -87 nearly nothing. x log2(e) is taken apart into its f32 value and what
/// rounding took from it, so that the error stays at the 2 units of exp2_quick.
RUSHES_DEVICE float exponential(float x) {
  constexpr float kLog2E = 1.44269504f, kLog2ERest = 1.925963033e-8f, kLn2 = 0.693147181f;
  x = x > 88.0f ? 88.0f : x < -87.0f ? -87.0f : x;
  const float turns = multiply(x, kLog2E);
  const float rest = fused(x, kLog2ERest, fused(x, kLog2E, -turns));
  const float power = exp2_quick(turns);
  return fused(power, rest * kLn2, power);
}

/// x / (1 + e^-x)
struct Silu {
  static constexpr bool kBinary = false;
  RUSHES_DEVICE static float of(float x, float) { return divide(x, 1.0f + exponential(-x)); }
};

/// up * 0.5 gate (1 + tanh u) = up * gate / (1 + e^(-2u)), u = sqrt(2 / pi) (gate + 0.044715 gate^3)
struct GatedGelu {
  static constexpr bool kBinary = true;
  RUSHES_DEVICE static float of(float gate, float up) {
    const float inner = fused(gate * gate, 0.044715f, 1.0f) * gate;
    return divide(gate, 1.0f + exponential(inner * -1.5957691216057308f)) * up;
  }
};

/// out = Operation(a, b) over `count` elements from `begin` on.
template <class Operation, class In, class Out, bool kAligned>
RUSHES_KERNEL(kThreads, 4)
elements(ElementSpans spans, int64_t begin, int64_t end) {
  const int64_t first = begin + (static_cast<int64_t>(block_x()) * kThreads + thread_index()) * kVector;
  const auto* a = static_cast<const typename In::Type*>(spans.a);
  const auto* b = static_cast<const typename In::Type*>(spans.b);
  auto* out = static_cast<typename Out::Type*>(spans.out);
  if (kAligned && first + kVector <= end) {
    float x[kVector], y[kVector];
    load_elements<In>(x, a + first);
    if constexpr (Operation::kBinary) load_elements<In>(y, b + first);
#pragma unroll
    for (int i = 0; i < kVector; ++i) x[i] = Operation::of(x[i], Operation::kBinary ? y[i] : 0.0f);
    store_elements<Out>(out + first, x);
    return;
  }
  for (int64_t i = first; i < first + kVector && i < end; ++i) {
    float x[1], y[1] = {0};
    load_elements<In>(x, a + i);
    if constexpr (Operation::kBinary) load_elements<In>(y, b + i);
    x[0] = Operation::of(x[0], y[0]);
    store_elements<Out>(out + i, x);
  }
}

Grid grid_of(int64_t count, int64_t of_block) { return {static_cast<int>((count + of_block - 1) / of_block)}; }

template <class Operation, class In, class Out>
void start(const ElementSpans& spans, int64_t begin, int64_t end, const char* name) {
  if (end <= begin) return;
  const auto place = [&]<class Element>(Element, const void* data) {
    return ArrayPlace{data ? static_cast<const typename Element::Type*>(data) + begin : nullptr,
                      static_cast<int>(sizeof(typename Element::Type))};
  };
  const bool aligned = choose_run(kVector, kVector,
                                  {place(In(), spans.a), place(In(), Operation::kBinary ? spans.b : nullptr),
                                   place(Out(), spans.out)}) == kVector;
  launch(spans.device->stream(), name,
         aligned ? elements<Operation, In, Out, true> : elements<Operation, In, Out, false>,
         grid_of(end - begin, kThreads * kVector), kThreads, 0, without_device(spans), begin, end);
}

void convert(const ElementSpans& spans, int64_t begin, int64_t end) {
  if (spans.in_bf16)
    spans.out_bf16 ? start<Copy, Bf16, Bf16>(spans, begin, end, "convert")
                   : start<Copy, Bf16, F32>(spans, begin, end, "convert");
  else
    spans.out_bf16 ? start<Copy, F32, Bf16>(spans, begin, end, "convert")
                   : start<Copy, F32, F32>(spans, begin, end, "convert");
}

void add_up(const ElementSpans& spans, int64_t begin, int64_t end) { start<Sum, F32, F32>(spans, begin, end, "add"); }
void silu(const ElementSpans& spans, int64_t begin, int64_t end) { start<Silu, F32, F32>(spans, begin, end, "silu"); }

void gated_gelu(const ElementSpans& spans, int64_t begin, int64_t end) {
  if (spans.in_bf16)
    spans.out_bf16 ? start<GatedGelu, Bf16, Bf16>(spans, begin, end, "gated_gelu")
                   : start<GatedGelu, Bf16, F32>(spans, begin, end, "gated_gelu");
  else
    spans.out_bf16 ? start<GatedGelu, F32, Bf16>(spans, begin, end, "gated_gelu")
                   : start<GatedGelu, F32, F32>(spans, begin, end, "gated_gelu");
}

constexpr int kWordsOfThread = 16;  // 64 bytes in four loads

/// Sets *found when one of the numbers, taken as words of 32 bits, has all bits of its exponent set. Only ones are ever
/// written, so the order of blocks is of no account.
template <class In>
RUSHES_DEVICE bool not_finite(uint32_t word) {
  if constexpr (In::kInWords4 == 4) return (word & 0x7f800000u) == 0x7f800000u;
  return (word & 0x7f80u) == 0x7f80u || (word & 0x7f800000u) == 0x7f800000u;
}

template <class In>
RUSHES_KERNEL(kThreads, 4)
find_not_finite(const typename In::Type* x, int64_t count, bool aligned, uint32_t* found) {
  constexpr int kInWord = In::kInWords4 / 4;
  const int64_t words = count / kInWord;
  const int64_t first = static_cast<int64_t>(block_x()) * kThreads * kWordsOfThread;
  bool bad = false;
  if (aligned && first + kThreads * kWordsOfThread <= words) {
    // Neighbouring threads read neighbouring 16 bytes.
    Words4 part[kWordsOfThread / 4];
#pragma unroll
    for (int i = 0; i < kWordsOfThread / 4; ++i)
      part[i] = *reinterpret_cast<const Words4*>(x + (first + (i * kThreads + thread_index()) * 4) * kInWord);
#pragma unroll
    for (int i = 0; i < kWordsOfThread / 4; ++i)
      for (int j = 0; j < 4; ++j) bad |= not_finite<In>(part[i].word[j]);
  } else {
    const int64_t end = (first + kThreads * kWordsOfThread) * kInWord;
    for (int64_t i = first * kInWord + thread_index(); i < end && i < count; i += kThreads) {
      float value[1];
      load_elements<In>(value, x + i);
      bad |= not_finite<F32>(float_bits(value[0]));
    }
  }
  if (warp_ballot(bad) != 0 && lane_index() == 0) atomic_or(found, 1);
}

bool all_finite(const ElementSpans& spans, int64_t begin, int64_t end) {
  if (end <= begin) return true;
  Device& device = *spans.device;
  const Storage flag(nullptr, MemoryUse::activations, sizeof(uint32_t), false, &device);
  device.zero(flag.data(), sizeof(uint32_t));
  auto* found = reinterpret_cast<uint32_t*>(flag.data());
  const StreamHandle stream = device.stream();
  const int64_t count = end - begin, of_block = kThreads * kWordsOfThread;
  const auto begin_at = [&]<class In>(In) {
    const auto* x = static_cast<const typename In::Type*>(spans.a) + begin;
    launch(stream, "all_finite", find_not_finite<In>, grid_of(count, of_block * In::kInWords4 / 4), kThreads, 0, x,
           count, choose_run(In::kInWords4, In::kInWords4, {{x, 16 / In::kInWords4}}) > 1, found);
  };
  spans.in_bf16 ? begin_at(Bf16()) : begin_at(F32());
  uint32_t answer = 0;
  device.download(&answer, found, sizeof answer);
  return answer == 0;
}

template <class Function>
std::vector<Kernel<Function>> one(std::string_view operation, std::string_view name, Function run) {
  return {{{operation, name, Backend::cuda}, run}};
}

}  // namespace

std::vector<Kernel<ElementFunction>> convert_cuda_kernels() { return one("convert", "convert_f32_cuda", convert); }
std::vector<Kernel<ElementFunction>> add_cuda_kernels() { return one("add", "add_f32_cuda", add_up); }
std::vector<Kernel<ElementFunction>> silu_cuda_kernels() { return one("silu", "silu_f32_cuda", silu); }
std::vector<Kernel<ElementFunction>> gated_gelu_cuda_kernels() {
  return one("gated_gelu", "gated_gelu_f32_cuda", gated_gelu);
}
std::vector<Kernel<FiniteFunction>> all_finite_cuda_kernels() {
  return one("all_finite", "all_finite_f32_cuda", all_finite);
}

}  // namespace rushes
