// Attention for instructions this machine may lack: the same kernel sources over plain C++ models of those few
// instructions (AMX tiles, 256-bit VNNI, bf16 dot products).

// Vectors wider than this file's instructions are passed between inlined functions only.
#pragma GCC diagnostic ignored "-Wpsabi"
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "ops/attention/attention_kernels.h"
#include "ops/attention/block_math_amx_body.h"
#include "ops/attention/block_math_avxvnni_body.h"
#include "ops/attention/block_math_portable_lanes.h"
#include "runtime/random.h"

using namespace rushes;
using namespace rushes::attention;

namespace {

float bf16_at(const void* p) {
  uint16_t bits;
  std::memcpy(&bits, p, 2);
  return bits_float(static_cast<uint32_t>(bits) << 16);
}

/// Intel's description of the tile instructions for tiles of 16 rows of 64 bytes.
struct ModelTiles {
  struct State {
    bool configured = false;
    char tile[8][16][64];
  };
  static State& state() {
    static thread_local State own;
    return own;
  }
  static void enter() { state().configured = true; }
  static void leave() { state().configured = false; }
  template <int kTile>
  static void zero() {
    std::memset(state().tile[kTile], 0, 1024);
  }
  template <int kTile>
  static void load(const char* from, int64_t stride) {
    for (int r = 0; r < 16; ++r) std::memcpy(state().tile[kTile][r], from + r * stride, 64);
  }
  template <int kTile>
  static void store(char* to, int64_t stride) {
    for (int r = 0; r < 16; ++r) std::memcpy(to + r * stride, state().tile[kTile][r], 64);
  }
  template <int kSums, int kRows, int kColumns>
  static void dot_bf16() {
    if (!state().configured) return;  // hardware would fault; the sums then differ
    for (int m = 0; m < 16; ++m)
      for (int n = 0; n < 16; ++n) {
        float sum;
        std::memcpy(&sum, state().tile[kSums][m] + 4 * n, 4);
        for (int k = 0; k < 16; ++k)
          for (int i = 0; i < 2; ++i)
            sum += bf16_at(state().tile[kRows][m] + 4 * k + 2 * i) * bf16_at(state().tile[kColumns][k] + 4 * n + 2 * i);
        std::memcpy(state().tile[kSums][m] + 4 * n, &sum, 4);
      }
  }
  template <int kSums, int kRows, int kColumns>
  static void dot_int8() {
    if (!state().configured) return;
    for (int m = 0; m < 16; ++m)
      for (int n = 0; n < 16; ++n) {
        int32_t sum;
        std::memcpy(&sum, state().tile[kSums][m] + 4 * n, 4);
        for (int k = 0; k < 16; ++k)
          for (int i = 0; i < 4; ++i)
            sum += static_cast<int8_t>(state().tile[kRows][m][4 * k + i]) *
                   static_cast<int8_t>(state().tile[kColumns][k][4 * n + i]);
        std::memcpy(state().tile[kSums][m] + 4 * n, &sum, 4);
      }
  }
};

/// vpdpbusd: unsigned bytes of k times signed bytes of q.
struct ModelVpdpbusd {
  static Int8Sums dot(Int8Sums sum, Int8Sums k, Int8Sums q) {
    for (int lane = 0; lane < 8; ++lane)
      for (int i = 0; i < 4; ++i) {
        const auto word_k = static_cast<uint32_t>(k[lane]), word_q = static_cast<uint32_t>(q[lane]);
        sum[lane] += static_cast<int32_t>((word_k >> 8 * i) & 255u) * static_cast<int8_t>((word_q >> 8 * i) & 255u);
      }
    return sum;
  }
};

/// Four lanes with bf16 elements: vdpbf16ps as two f32 products.
struct ModelBf16Lanes : FloatLanes4 {
  using Word = uint32_t __attribute__((vector_size(16)));
  using Operand = Word;
  static constexpr int64_t kWordElements = 2;

  static void store_pair(void* p, Vector a, Vector b) {
    for (int i = 0; i < 4; ++i) {
      static_cast<uint16_t*>(p)[i] = round_to_bf16(a[i]);
      static_cast<uint16_t*>(p)[4 + i] = round_to_bf16(b[i]);
    }
  }
  static Operand load_operand(const char* p) {
    Word x;
    std::memcpy(&x, p, 16);
    return x;
  }
  static Operand broadcast_word(const char* p) {
    uint32_t x;
    std::memcpy(&x, p, 4);
    return Word{x, x, x, x};
  }
  static Sum multiply_add(Operand a, Operand b, Sum sum) {
    const auto low = [](Word x) { return reinterpret_cast<Vector>(x << 16); };
    const auto high = [](Word x) { return reinterpret_cast<Vector>(x & 0xffff0000u); };
    return sum + low(a) * low(b) + high(a) * high(b);
  }
};

const BlockMath kModelBf16 = make_block_math<ModelBf16Lanes>();
const BlockMath kModelAmx = make_amx_math<ModelTiles, ModelBf16Lanes>();
const Int8Math kModelAmxInt8 = make_amx_int8_math<ModelTiles>();
const Int8Math kModelAvxVnni = make_int8_math<AvxVnniLanes<ModelVpdpbusd>>();

Context make_context() {
  Context context;
  context.threads = 2;
  return context;
}

double dense_error(const CpuMath& math, int64_t heads, int64_t size, int64_t queries, int64_t keys) {
  const Context context = make_context();
  const Tensor q = check::random_tensor(context, {queries, heads * size}, 1, 1.5f, DType::bf16);
  const Tensor k = check::random_tensor(context, {keys, heads * size}, 2, 1.5f, DType::bf16);
  const Tensor v = check::random_tensor(context, {keys, heads * size}, 3, 1.0f, DType::bf16);
  Tensor out = context.allocate(DType::f32, q.shape()), expected = context.allocate(DType::f32, q.shape());
  dense_cpu(context, {q, k, v, heads, size, queries, keys, 0.1f, nullptr, out}, math);
  dense_reference(context, {q, k, v, heads, size, queries, keys, 0.1f, nullptr, expected});
  return check::relative_error(out, expected);
}

double sparse_error(const CpuMath& math, AttentionType type, int64_t length, double top_k) {
  const Context context = make_context();
  const int64_t heads = 2, size = 64;
  const Shape shape{length, heads * size};
  const Tensor q = check::random_tensor(context, shape, 5, 1.5f, DType::bf16);
  const Tensor k = check::random_tensor(context, shape, 6, 1.5f, DType::bf16);
  const Tensor v = check::random_tensor(context, shape, 7, 1.0f, DType::bf16);
  const Tensor weight = check::random_tensor(context, {size, size}, 8, 0.2f),
               bias = check::random_tensor(context, {size}, 9);
  const SparseAttention settings{type, top_k, &weight, &bias};
  Tensor out = context.allocate(DType::f32, shape), expected = context.allocate(DType::f32, shape);
  sparse_cpu(context, {q, k, v, heads, size, length, settings, out, {}}, math);
  sparse_reference(context, {q, k, v, heads, size, length, settings, expected, {}});
  return check::relative_error(out, expected);
}

}  // namespace

TEST_CASE("attention's AMX kernels agree with the reference on a model of the tile instructions") {
  const CpuMath math{kModelAmx, kBlockMathPortable, kModelAmxInt8};
  CHECK(dense_error(math, 2, 128, 131, 131) < 2e-3);
  CHECK(dense_error(math, 1, 72, 37, 600) < 2e-3);
  CHECK(dense_error(math, 1, 64, 1, 1) < 2e-3);
  CHECK(sparse_error(math, AttentionType::sla, 325, 0.34) < 2e-3);
  CHECK(sparse_error(math, AttentionType::sagesla, 325, 0.34) < 2e-3);
  CHECK(!ModelTiles::state().configured);
}

TEST_CASE("attention's bf16 kernels agree with the reference on a model of vdpbf16ps") {
  const CpuMath math{kModelBf16, kBlockMathPortable, kModelAvxVnni};
  CHECK(dense_error(math, 2, 128, 131, 131) < 2e-3);
  CHECK(sparse_error(math, AttentionType::sla, 180, 0.5) < 2e-3);
  CHECK(sparse_error(math, AttentionType::sagesla, 180, 0.5) < 2e-3);
}

TEST_CASE("int8 scores are exact in every kernel, modelled instructions included") {
  constexpr int64_t kDepth = 128, kRows = 37, kRoom = 64;
  std::mt19937 random(3);
  std::vector<int8_t> q(kRoom * kDepth), k(kPanelKeys * kDepth);
  for (auto* x : {&q, &k})
    for (int8_t& value : *x) value = static_cast<int8_t>(static_cast<int>(random() % 255) - 127);
  for (int64_t d = 0; d < kDepth; ++d) q[d] = 127, q[kDepth + d] = -127, k[d] = 127, k[kDepth + d] = -127;
  std::vector<int32_t> sums(kRows);
  std::vector<float> expected(kRows * kPanelKeys), found(kRoom * kPanelKeys);
  for (int64_t r = 0; r < kRows; ++r)
    for (int64_t d = 0; d < kDepth; ++d) sums[r] += q[r * kDepth + d];
  for (int64_t r = 0; r < kRows; ++r)
    for (int64_t j = 0; j < kPanelKeys; ++j) {
      int32_t sum = 0;
      for (int64_t d = 0; d < kDepth; ++d) sum += q[r * kDepth + d] * k[j * kDepth + d];
      expected[r * kPanelKeys + j] = static_cast<float>(sum) * 0.25f;
    }
  std::vector<Int8Math> all = {kInt8MathPortable, kModelAmxInt8, kModelAvxVnni};
#if defined(__x86_64__)
  const CpuFeatures& host = CpuFeatures::host();
  if (host.avx2) all.push_back(kInt8MathAvx2);
  if (host.avxvnni) all.push_back(kInt8MathAvxVnni);
  if (host.avx512_vnni) all.push_back(kInt8MathAvx512Vnni);
  if (host.amx_int8) all.push_back(kInt8MathAmx);
#endif
  for (const Int8Math& math : all) {
    std::vector<uint8_t> offset(k.size());
    std::vector<uint32_t> panel(k.size() / 4);
    for (size_t i = 0; i < k.size(); ++i) offset[i] = static_cast<uint8_t>(k[i] + math.key_offset);
    transpose_words(reinterpret_cast<const uint32_t*>(offset.data()), kDepth / 4, panel.data());
    if (math.enter) math.enter();
    math.product(q.data(), kRows, panel.data(), kPanelKeys, kDepth, sums.data(), 0.25f, found.data(), kPanelKeys);
    if (math.leave) math.leave();
    CHECK(std::memcmp(found.data(), expected.data(), expected.size() * 4) == 0);
  }
}
