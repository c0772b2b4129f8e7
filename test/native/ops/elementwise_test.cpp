// The elementwise operations: every kernel of the tables against the reference, known values, special numbers.
#include "ops/elementwise/elementwise.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "runtime/random.h"
#include "runtime/status.h"

using namespace rushes;

namespace {

Context context_on(Backend backend, Isa limit = Isa::amx) {
  Context context;
  context.backend = backend;
  context.features = context.features.limited_to(limit);
  context.threads = 2;
  return context;
}

}  // namespace

TEST_CASE("every elementwise kernel that this machine can run agrees with the reference") {
  std::vector<KernelCheck> checks;
  append_elementwise_checks(CpuFeatures::host(), checks);
  REQUIRE(!checks.empty());
  for (const auto& check : checks)
    for (const int threads : {1, 3}) {
      INFO(check.info.operation << " " << check.info.name << ": " << check.case_text);
      CHECK(check.relative_error(threads) <= check.tolerance);
    }
}

TEST_CASE("conversion to bf16 gives the same bits on every path, special numbers included") {
  const float infinity = std::numeric_limits<float>::infinity();
  const float values[] = {0.0f,
                          -0.0f,
                          1.00390625f,
                          1.01171875f,
                          3.4e38f,
                          -3.4e38f,
                          infinity,
                          -infinity,
                          1e-45f,
                          -1e-40f,
                          std::numeric_limits<float>::quiet_NaN(),
                          1.0f,
                          128.5f,
                          -7.03f,
                          65504.0f,
                          2.5e-3f,
                          9.999999f};
  const Context plain = context_on(Backend::reference);
  Tensor x = plain.allocate(DType::f32, {std::size(values)}), expected = plain.allocate(DType::bf16, x.shape());
  std::copy(std::begin(values), std::end(values), x.data<float>());
  convert(plain, x, expected);
  for (const Isa isa : {Isa::avx2, Isa::avx512}) {
    Tensor out = plain.allocate(DType::bf16, x.shape());
    convert(context_on(Backend::cpu, isa), x, out);
    CHECK(std::memcmp(out.raw(), expected.raw(), out.bytes()) == 0);
  }
}

TEST_CASE("gates saturate without overflow and keep not-a-number visible") {
  const float values[] = {-1e30f, -100.0f, -0.0f, 100.0f, 1e30f, std::numeric_limits<float>::quiet_NaN()};
  for (const Backend backend : {Backend::reference, Backend::cpu}) {
    const Context context = context_on(backend);
    Tensor x = context.allocate(DType::f32, {6}), one = context.allocate(DType::f32, {6}),
           out = context.allocate(DType::f32, {6});
    std::copy(std::begin(values), std::end(values), x.data<float>());
    std::fill_n(one.data<float>(), 6, 1.0f);
    gated_gelu(context, x, one, out);
    CHECK(std::abs(out.data<float>()[1]) < 1e-30f);
    CHECK(out.data<float>()[3] == 100.0f);
    CHECK(std::isnan(out.data<float>()[5]));
    silu(context, x, out);
    CHECK(std::abs(out.data<float>()[1]) < 1e-30f);
    CHECK(out.data<float>()[4] == 1e30f);
    CHECK(std::isnan(out.data<float>()[5]));
  }
}

TEST_CASE("mismatched arguments are refused") {
  const Context context = context_on(Backend::cpu);
  Tensor a = context.allocate(DType::f32, {4}), b = context.allocate(DType::f32, {5}),
         h = context.allocate(DType::bf16, {4});
  CHECK_THROWS_AS(add(context, a, b, a), Error);
  CHECK_THROWS_AS(add(context, a, h, a), Error);
  CHECK_THROWS_AS(convert(context, a, b), Error);
  CHECK_THROWS_AS(gated_gelu(context, a, h, a), Error);
}
