// The norms: every kernel of the tables against the reference, by hand on small numbers, and misuse.
#include "ops/norm/norm.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "runtime/random.h"
#include "runtime/status.h"

using namespace rushes;

namespace {

Context context_on(Backend backend, int threads = 2) {
  Context context;
  context.backend = backend;
  context.threads = threads;
  return context;
}

Tensor tensor_of(const Context& context, Shape shape, std::initializer_list<float> values) {
  Tensor out = context.allocate(DType::f32, std::move(shape));
  std::copy(values.begin(), values.end(), out.data<float>());
  return out;
}

}  // namespace

TEST_CASE("every norm kernel that this machine can run agrees with the reference") {
  std::vector<KernelCheck> checks;
  append_norm_checks(CpuFeatures::host(), checks);
  REQUIRE(!checks.empty());
  for (const auto& check : checks)
    for (const int threads : {1, 3}) {
      INFO(check.info.operation << " " << check.info.name << ": " << check.case_text);
      CHECK(check.relative_error(threads) <= check.tolerance);
    }
}

TEST_CASE("layer norm centres, scales by the biased deviation, then modulates") {
  for (const Backend backend : {Backend::reference, Backend::cpu}) {
    const Context context = context_on(backend);
    const Tensor x = tensor_of(context, {1, 4}, {1, 2, 3, 6}), scale = tensor_of(context, {4}, {1, 1, 2, 1});
    const Tensor shift = tensor_of(context, {4}, {0, 0, 1, -1});
    Tensor out = context.allocate(DType::f32, {1, 4});
    layer_norm(context, x, scale, shift, 0, out);
    const double deviation = std::sqrt((4 + 1 + 0 + 9) / 4.0);
    CHECK(out.data<float>()[0] == doctest::Approx(-2 / deviation));
    CHECK(out.data<float>()[2] == doctest::Approx(1));
    CHECK(out.data<float>()[3] == doctest::Approx(3 / deviation - 1));
  }
}

TEST_CASE("the rotary table gives 22 pairs of a 128-wide head to time and 21 to each side") {
  const Context context = context_on(Backend::cpu);
  const RotaryTable table = make_rotary_table(context, 3, 4, 5, 128);
  REQUIRE(table.cosine.shape() == Shape{60, 64});
  const int64_t token = (2 * 4 + 3) * 5 + 4;  // frame 2, row 3, column 4
  const float *cosine = table.cosine.data<float>() + token * 64, *sine = table.sine.data<float>() + token * 64;
  CHECK(cosine[0] == doctest::Approx(std::cos(2.0)));
  CHECK(sine[21] == doctest::Approx(std::sin(2.0 * std::pow(10000.0, -42.0 / 44))));
  CHECK(sine[22] == doctest::Approx(std::sin(3.0)));
  CHECK(sine[42] == doctest::Approx(std::sin(3.0 * std::pow(10000.0, -40.0 / 42))));
  CHECK(sine[43] == doctest::Approx(std::sin(4.0)));
  CHECK(cosine[63] == doctest::Approx(std::cos(4.0 * std::pow(10000.0, -40.0 / 42))));
}

TEST_CASE("rotation turns interleaved pairs and keeps their length") {
  const Context context = context_on(Backend::cpu);
  const RotaryTable table = make_rotary_table(context, 2, 2, 2, 128);
  const Tensor x = check::random_tensor(context, {8, 256}, 5), weight = check::random_tensor(context, {256}, 6);
  Tensor plain = context.allocate(DType::f32, x.shape()), turned = context.allocate(DType::f32, x.shape());
  rms_norm(context, x, weight, 1e-6f, plain);
  rms_norm_rotary(context, x, weight, 1e-6f, 2, table, turned);
  for (int64_t i = 0; i < x.count(); i += 2) {
    const float a = plain.data<float>()[i], b = plain.data<float>()[i + 1];
    CHECK(std::hypot(turned.data<float>()[i], turned.data<float>()[i + 1]) ==
          doctest::Approx(std::hypot(a, b)).epsilon(1e-4));
  }
  CHECK(std::memcmp(plain.raw(), turned.raw(), 256 * 4) == 0);  // token 0 does not turn
}

TEST_CASE("norms work in place and give the same bits for any number of threads") {
  const Context one = context_on(Backend::cpu, 1), many = context_on(Backend::cpu, 5);
  const Tensor weight = check::random_tensor(one, {384}, 6);
  Tensor x = check::random_tensor(one, {77, 384}, 5, 1, DType::bf16), out = one.allocate(DType::bf16, x.shape());
  const RotaryTable table = make_rotary_table(one, 7, 11, 1, 128);
  rms_norm_rotary(one, x, weight, 1e-6f, 3, table, out);
  rms_norm_rotary(many, x, weight, 1e-6f, 3, table, x);
  CHECK(std::memcmp(x.raw(), out.raw(), x.bytes()) == 0);
}

TEST_CASE("planning counts the passes, and wrong shapes are refused by name") {
  Context context = context_on(Backend::cpu);
  WorkCount work;
  context.work = &work;
  context.dry_run = true;
  Tensor x = context.allocate(DType::f32, {10, 64}), weight = context.allocate(DType::f32, {64});
  rms_norm(context, x, weight, 1e-6f, x);
  CHECK(work.bytes == 2 * 10 * 64 * 4);
  Tensor narrow = context.allocate(DType::f32, {32});
  CHECK_THROWS_AS(rms_norm(context, x, narrow, 1e-6f, x), Error);
  CHECK_THROWS_AS(layer_norm(context, x, weight, narrow, 1e-6f, x), Error);
  CHECK_THROWS_AS(make_rotary_table(context, 0, 1, 1, 128), Error);
}
