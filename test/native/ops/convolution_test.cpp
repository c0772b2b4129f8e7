// The convolution through its public door: kernels against the reference, thread counts, planning, cancellation,
// misuse.
#include "ops/convolution/convolution.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstring>

#include "instruction_models.h"
#include "ops/convolution/convolution_amx_body.h"
#include "ops/convolution/convolution_packed.h"
#include "runtime/random.h"

using namespace rushes;

namespace {

constexpr ConvolutionShape kSame = {.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1};

TensorView view_of(const Tensor& tensor) { return {"test", tensor.type(), tensor.shape(), tensor.raw()}; }

bool same_bytes(const Tensor& a, const Tensor& b) {
  return a.bytes() == b.bytes() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

Tensor convolve(Context context, int threads, DType compute, DType out_type) {
  context.threads = threads;
  context.compute = compute;
  const Tensor weight = check::random_tensor(context, {40, 24, 3, 3, 3}, 1, 0.1f),
               bias = check::random_tensor(context, {40}, 2);
  const TensorView weight_view = view_of(weight), bias_view = view_of(bias);
  const auto layer = prepare_convolution(context, weight_view, &bias_view);
  const Tensor x = check::random_tensor(context, {4, 11, 37, 24}, 3, 1, compute);
  Tensor out = context.allocate(out_type, {2, 11, 37, 40});
  convolution(context, x, *layer, kSame, nullptr, out);
  return out;
}

}  // namespace

TEST_CASE("every convolution and channel norm kernel of this machine agrees with the reference") {
  std::vector<KernelCheck> checks;
  append_convolution_checks(CpuFeatures::host(), checks);
  REQUIRE(checks.size() > 10);
  for (const auto& check : checks)
    for (const int threads : {1, 3}) {
      CAPTURE(check.info.name);
      CAPTURE(check.case_text);
      CHECK(check.relative_error(threads) <= check.tolerance);
    }
}

TEST_CASE("the AMX kernel is right on a model of its instructions") {
  static convolution_tiles::TileKernel kernel = convolution_tiles::amx_kernel<check::TilesModel>();
  kernel.store = convolution_tiles::kPortable.store;
  kernel.to_bf16 = convolution_tiles::kPortable.to_bf16;
  kernel.to_f32 = convolution_tiles::kPortable.to_f32;
  std::vector<KernelCheck> checks;
  convolution_tiles::append_kernel_checks(
      {{"convolution", "convolution_bf16_amx", Backend::cpu, Isa::portable}, &kernel}, DType::bf16, checks);
  REQUIRE(checks.size() > 5);
  for (const auto& check : checks) {
    CAPTURE(check.case_text);
    CHECK(check.relative_error(2) <= check.tolerance);
  }
}

TEST_CASE("the same bits for any thread count, f32 and bf16, forced paths included") {
  for (const Isa isa : {Isa::portable, Isa::avx2, Isa::avx512, Isa::amx})
    for (const DType compute : {DType::f32, DType::bf16})
      for (const DType out : {DType::f32, DType::bf16}) {
        Context context;
        context.features = CpuFeatures::host().limited_to(isa);
        const Tensor one = convolve(context, 1, compute, out);
        CHECK(same_bytes(one, convolve(context, 2, compute, out)));
        CHECK(same_bytes(one, convolve(context, 5, compute, out)));
        Context plain;
        plain.backend = Backend::reference;
        CHECK(check::relative_error(one, convolve(plain, 2, compute, DType::f32)) <
              (out == DType::f32 && compute == DType::f32 ? 1e-6 : 5e-3));
      }
}

TEST_CASE("doubling inside the convolution equals upsample_nearest before it") {
  for (const DType compute : {DType::f32, DType::bf16}) {
    Context context;
    context.threads = 2;
    context.compute = compute;
    const Tensor weight = check::random_tensor(context, {16, 32, 3, 3}, 1);
    const auto layer = prepare_convolution(context, view_of(weight), nullptr);
    const Tensor x = check::random_tensor(context, {2, 5, 7, 32}, 3, 1, compute);
    Tensor doubled = context.allocate(compute, {2, 10, 14, 32}), a = context.allocate(DType::f32, {2, 10, 14, 16});
    Tensor b = context.allocate(DType::f32, {2, 10, 14, 16});
    upsample_nearest(context, x, doubled);
    CHECK(std::memcmp(doubled.raw() + doubled.bytes() / 2, x.raw() + x.bytes() / 2, 32 * dtype_size(compute)) == 0);
    convolution(context, doubled, *layer, kSame, nullptr, a);
    ConvolutionShape shape = kSame;
    shape.doubled = true;
    convolution(context, x, *layer, shape, nullptr, b);
    CHECK(same_bytes(a, b));
  }
}

TEST_CASE("an undefined frame is a frame of zeros") {
  Context context;
  context.threads = 2;
  const Tensor weight = check::random_tensor(context, {20, 8, 3, 3, 3}, 1);
  const auto layer = prepare_convolution(context, view_of(weight), nullptr);
  const Tensor x = check::random_tensor(context, {6, 9, 8}, 3), zeros = context.allocate(DType::f32, {6, 9, 8});
  std::memset(zeros.raw(), 0, zeros.bytes());
  FrameList a = {context.allocate(DType::f32, {6, 9, 20})}, b = {context.allocate(DType::f32, {6, 9, 20})};
  convolution(context, {Tensor(), Tensor(), x}, *layer, kSame, nullptr, a);
  convolution(context, {zeros, zeros, x}, *layer, kSame, nullptr, b);
  CHECK(check::relative_error(a[0], b[0]) < 1e-6);
}

TEST_CASE("a plan counts the memory and the work of the run") {
  for (const Backend backend : {Backend::reference, Backend::cpu}) {
    MemoryCounter planned, measured;
    WorkCount planned_work, work;
    for (const bool dry : {true, false}) {
      Context context;
      context.backend = backend;
      context.threads = 2;
      context.memory = dry ? &planned : &measured;
      context.work = dry ? &planned_work : &work;
      context.dry_run = dry;
      const std::vector<float> values(32 * 16 * 9, 0.5f);
      const TensorView weight{
          "w", DType::f32, {32, 16, 3, 3}, dry ? nullptr : reinterpret_cast<const std::byte*>(values.data())};
      const auto layer = prepare_convolution(context, weight, nullptr);
      CHECK(layer->resident_bytes == context.memory->current(MemoryUse::weights));
      Tensor x = context.allocate(DType::f32, {1, 20, 300, 16}), out = context.allocate(DType::f32, {1, 20, 300, 32});
      if (!dry) std::memset(x.raw(), 0, x.bytes());
      convolution(context, x, *layer, kSame, nullptr, out);
    }
    CHECK(planned.peak() == measured.peak());
    CHECK(planned_work.f32_ops == 2.0 * 20 * 300 * 32 * 16 * 9);
    CHECK(work.f32_ops == planned_work.f32_ops);
  }
}

TEST_CASE("a cancelled convolution throws, wrong shapes are named") {
  Context context;
  const Tensor weight = check::random_tensor(context, {16, 8, 3, 3}, 1);
  const auto layer = prepare_convolution(context, view_of(weight), nullptr);
  const Tensor x = check::random_tensor(context, {1, 6, 9, 8}, 3);
  Tensor out = context.allocate(DType::f32, {1, 6, 9, 16}), narrow = context.allocate(DType::f32, {1, 6, 8, 16});
  CHECK_THROWS_AS(convolution(context, x, *layer, kSame, nullptr, narrow), Error);
  CHECK_THROWS_AS(convolution(context, x.reshaped({1, 6, 8, 9}), *layer, kSame, nullptr, out), Error);
  CHECK_THROWS_AS(convolution(context, x, *layer, kSame, &narrow, out), Error);
  const std::atomic<bool> cancelled = true;
  context.cancelled = &cancelled;
  CHECK_THROWS_AS(convolution(context, x, *layer, kSame, nullptr, out), Cancelled);
}
