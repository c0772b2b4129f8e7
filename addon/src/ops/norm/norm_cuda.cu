// The norms on a GPU: a row's numbers stay in the registers of a warp or a block from the one read of x to the one
// write of out, so that mean and variance are taken in two passes (no cancellation) without a second read. Sums are
// f32, in an order that depends on the width only.
#include "cuda/access_choice.h"
#include "cuda/elements.h"
#include "cuda/launch.h"
#include "ops/norm/norm_choice.h"
#include "ops/norm/norm_cuda.h"

namespace rushes {
namespace {
using namespace cuda;

enum class Norm { layer, rms, rms_rotary };

constexpr int kWarp = 32;
constexpr int kRowsOfWarps = 4;  // rows a block takes when a warp is enough for each
constexpr int kMostThreads = kNormMostThreads;
constexpr int kSharedFloats = 2 * kMostThreads / kWarp;  // a sum of every warp, for each of the two passes

RUSHES_DEVICE float warp_sum(float value) {
  // The butterfly adds the same pairs in every lane, so all lanes hold the same bits.
  for (int mask = kWarp / 2; mask > 0; mask /= 2) value = add(value, shuffle_xor(value, mask));
  return value;
}

RUSHES_DEVICE float round_bf16(float value) { return from_bf16(to_bf16(value)); }

/// The sum over all threads of the row; `sums` [warps] is not used again before the kernel's end.
template <bool kWarpRow>
RUSHES_DEVICE float row_sum(float value, Shared<float> sums) {
  value = warp_sum(value);
  if constexpr (kWarpRow) return value;
  if (lane_index() == 0) sums[warp_index()] = value;
  sync_block();
  float total = 0;
  for (int warp = 0; warp < block_threads() / kWarp; ++warp) total = add(total, sums[warp]);
  return total;
}

/// One row for each warp (kWarpRow) or block. A thread holds kSteps vectors of kVector neighbouring numbers.
template <Norm kNorm, class In, class Out, int kVector, int kSteps, bool kWarpRow>
RUSHES_KERNEL(kMostThreads, 1)
norm_rows(NormRows rows, int64_t begin, int64_t end) {
  const int threads = kWarpRow ? kWarp : block_threads();
  const int thread = kWarpRow ? lane_index() : thread_index();
  const int64_t row =
      begin + (kWarpRow ? static_cast<int64_t>(block_x()) * kRowsOfWarps + warp_index() : int64_t{block_x()});
  if (row >= end) return;
  const Shared<float> sums = shared_memory<float>(0, kSharedFloats);
  const int width = static_cast<int>(rows.width);
  const auto* x = static_cast<const typename In::Type*>(rows.x) + row * width;
  auto* out = static_cast<typename Out::Type*>(rows.out) + row * width;

  float value[kSteps][kVector];
  float sum = 0;
#pragma unroll
  for (int step = 0; step < kSteps; ++step) {
    const int i = (step * threads + thread) * kVector;
    if (i < width) {
      load_elements<In>(value[step], x + i);
    } else {
#pragma unroll
      for (int j = 0; j < kVector; ++j) value[step][j] = 0;
    }
  }
  float mean = 0;
  if constexpr (kNorm == Norm::layer) {
#pragma unroll
    for (int step = 0; step < kSteps; ++step)
#pragma unroll
      for (int j = 0; j < kVector; ++j) sum += value[step][j];
    mean = row_sum<kWarpRow>(sum, sums) / static_cast<float>(width);
  }
  float squares = 0;
#pragma unroll
  for (int step = 0; step < kSteps; ++step) {
    // Beyond the row there are zeros, whose distance from the mean must not count.
    if ((step * threads + thread) * kVector >= width) break;
#pragma unroll
    for (int j = 0; j < kVector; ++j) {
      const float distance = value[step][j] - mean;
      squares = fused(distance, distance, squares);
    }
  }
  squares = row_sum<kWarpRow>(squares, kWarpRow ? sums : sums.part(kSharedFloats / 2));
  const float inverse = divide(1.0f, square_root(squares / static_cast<float>(width) + rows.epsilon));

#pragma unroll
  for (int step = 0; step < kSteps; ++step) {
    const int i = (step * threads + thread) * kVector;
    if (i >= width) break;
    float scale[kVector], result[kVector];
    load_elements<F32>(scale, rows.scale + i);
    if constexpr (kNorm == Norm::layer) {
      float shift[kVector];
      load_elements<F32>(shift, rows.shift + i);
#pragma unroll
      for (int j = 0; j < kVector; ++j) result[j] = fused((value[step][j] - mean) * inverse, scale[j], shift[j]);
    } else {
#pragma unroll
      for (int j = 0; j < kVector; ++j) {
        const float normal = value[step][j] * inverse;
        result[j] = rows.round_each ? round_bf16(round_bf16(normal) * scale[j]) : normal * scale[j];
      }
    }
    if constexpr (kNorm == Norm::rms_rotary) {
      const int pairs = static_cast<int>(rows.head_size) / 2;
      const int64_t angle = row * pairs + i / 2 % pairs;
      float cosine[kVector / 2], sine[kVector / 2];
      load_elements<F32>(cosine, rows.cosine + angle);
      load_elements<F32>(sine, rows.sine + angle);
#pragma unroll
      for (int j = 0; j < kVector; j += 2) {
        const float a = result[j], b = result[j + 1];
        result[j] = a * cosine[j / 2] - b * sine[j / 2];
        result[j + 1] = a * sine[j / 2] + b * cosine[j / 2];
      }
    }
    store_elements<Out>(out + i, result);
  }
}

constexpr const char* name_of(Norm norm) {
  return norm == Norm::layer ? "layer_norm" : norm == Norm::rms ? "rms_norm" : "rms_norm_rotary";
}

template <Norm kNorm, class In, class Out, int kVector, int kElements, bool kWarpRow>
void start(const NormRows& rows, int64_t begin, int64_t end) {
  constexpr int kSteps = kElements / kVector;
  constexpr int kSharedBytes = kSharedFloats * static_cast<int>(sizeof(float));
  const int threads = NormRowChoice{kElements, kWarpRow}.threads(rows.width) * (kWarpRow ? kRowsOfWarps : 1);
  const int64_t count = end - begin;
  const int64_t blocks = kWarpRow ? (count + kRowsOfWarps - 1) / kRowsOfWarps : count;
  launch(rows.device->stream(), name_of(kNorm), norm_rows<kNorm, In, Out, kVector, kSteps, kWarpRow>,
         Grid{static_cast<int>(blocks)}, threads, kSharedBytes, without_device(rows), begin, end);
}

// Where rows do not begin on 16 bytes numbers move one by one; pairs stay together, since rotation needs both.
template <Norm kNorm, class In, class Out>
void start_for_width(const NormRows& rows, int64_t begin, int64_t end) {
  constexpr int kVector = In::kInWords4, kSingle = kNorm == Norm::rms_rotary ? 2 : 1;
  constexpr int kBytes = sizeof(float), kRun = 8;
  constexpr int kInBytes = sizeof(typename In::Type), kOutBytes = sizeof(typename Out::Type);
  const bool aligned =
      choose_run(kRun, rows.width,
                 {{rows.x, kInBytes}, {rows.out, kOutBytes}, {rows.scale, kBytes}, {rows.shift, kBytes}}) == kRun &&
      (kNorm != Norm::rms_rotary ||
       choose_run(kRun / 2, rows.head_size / 2, {{rows.cosine, kBytes}, {rows.sine, kBytes}}) == kRun / 2);
  const NormRowChoice choice = choose_norm_rows(rows.width, aligned);
  if (!aligned)
    choice.warp_row ? start<kNorm, In, Out, kSingle, 32, true>(rows, begin, end)
                    : start<kNorm, In, Out, kSingle, 32, false>(rows, begin, end);
  else if (choice.warp_row)
    start<kNorm, In, Out, kVector, 16, true>(rows, begin, end);
  else if (choice.elements == 16)
    start<kNorm, In, Out, kVector, 16, false>(rows, begin, end);
  else
    start<kNorm, In, Out, kVector, 32, false>(rows, begin, end);
}

template <Norm kNorm>
void norm(const NormRows& rows, int64_t begin, int64_t end) {
  if (end <= begin) return;
  if (rows.width > kWidestNorm)
    throw Error("engine.internal", "Rows of " + std::to_string(rows.width) + " numbers are too wide for this norm.");
  if constexpr (kNorm != Norm::layer)
    if (rows.x_bf16)
      return rows.out_bf16 ? start_for_width<kNorm, Bf16, Bf16>(rows, begin, end)
                           : start_for_width<kNorm, Bf16, F32>(rows, begin, end);
  rows.out_bf16 ? start_for_width<kNorm, F32, Bf16>(rows, begin, end)
                : start_for_width<kNorm, F32, F32>(rows, begin, end);
}

}  // namespace

std::vector<Kernel<NormFunction>> layer_norm_cuda_kernels() {
  return {{{"layer_norm", "layer_norm_f32_cuda", Backend::cuda}, norm<Norm::layer>}};
}
std::vector<Kernel<NormFunction>> rms_norm_cuda_kernels() {
  return {{{"rms_norm", "rms_norm_f32_cuda", Backend::cuda}, norm<Norm::rms>}};
}
std::vector<Kernel<NormFunction>> rms_norm_rotary_cuda_kernels() {
  return {{{"rms_norm_rotary", "rms_norm_rotary_f32_cuda", Backend::cuda}, norm<Norm::rms_rotary>}};
}

}  // namespace rushes
