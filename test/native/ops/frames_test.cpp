// The frame and patch operations: every kernel against the reference, and what moves there comes back.
#include "ops/frames/frames.h"

#include <doctest/doctest.h>

#include <cstring>
#include <limits>

#include "ops/check_context.h"
#include "ops/frames/frames_kernels.h"
#include "ops/patches/patches.h"
#include "ops/patches/patches_kernels.h"
#include "runtime/random.h"
#include "runtime/transfer.h"

using namespace rushes;

namespace {

template <class Append>
void check_all(Append append) {
  std::vector<KernelCheck> checks;
  append(CpuFeatures::host(), checks);
  REQUIRE(!checks.empty());
  for (const auto& check : checks)
    for (const int threads : {1, 3}) {
      INFO(check.info.operation << " " << check.info.name << ": " << check.case_text);
      CHECK(check.relative_error(threads) <= check.tolerance);
    }
}

}  // namespace

TEST_CASE("every frame kernel that this machine can run agrees with the reference") { check_all(append_frames_checks); }

TEST_CASE("every patch kernel that this machine can run agrees with the reference") {
  check_all(append_patches_checks);
}

TEST_CASE("the order of cells inside a token: by channel on the way in, by place on the way out") {
  for (const auto& kernel : patches_of_kernels()) {
    if (!check::can_check(kernel.info, CpuFeatures::host())) continue;
    INFO(kernel.info.name);
    const Context context = check::context_for(kernel.info, 1), host = context.on_host();
    // Two channels, one frame, one patch: the cell's value says channel, row and column.
    Tensor latents = host.allocate(DType::f32, {2, 1, 2, 2});
    const float cells[] = {0, 1, 10, 11, 100, 101, 110, 111};
    std::memcpy(latents.raw(), cells, sizeof cells);
    const TokenGrid grid{1, 1, 1};
    const Tensor tokens = to_host(context, patches_of(context, to_device(context, latents), grid));
    for (int64_t i = 0; i < 8; ++i) CHECK(tokens.data<float>()[i] == cells[i]);
    const Tensor back = to_host(context, latents_of(context, to_device(context, tokens), grid));
    const float moved[] = {0, 10, 100, 110, 1, 11, 101, 111};
    for (int64_t i = 0; i < 8; ++i) CHECK(back.data<float>()[i] == moved[i]);
  }
}

TEST_CASE("clamping keeps what is not a number") {
  for (const auto& kernel : clamp_unit_kernels()) {
    if (!check::can_check(kernel.info, CpuFeatures::host())) continue;
    INFO(kernel.info.name);
    const Context context = check::context_for(kernel.info, 1);
    const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
    const float values[] = {nan, infinity, -infinity, 0.5f, -2};
    Tensor x = context.on_host().allocate(DType::f32, {5});
    std::memcpy(x.raw(), values, sizeof values);
    x = to_device(context, x);
    clamp_unit(context, x);
    x = to_host(context, x);
    CHECK(std::isnan(x.data<float>()[0]));
    const float expected[] = {1, -1, 0.5f, -1};
    for (int64_t i = 0; i < 4; ++i) CHECK(x.data<float>()[i + 1] == expected[i]);
  }
}

TEST_CASE("patches of the wrong grid are refused") {
  Context context;
  const Tensor latents = context.allocate(DType::f32, {16, 1, 4, 4});
  CHECK_THROWS_AS(patches_of(context, latents, {1, 2, 3}), Error);
  CHECK_THROWS_AS(latents_of(context, context.allocate(DType::f32, {4, 6}), {1, 2, 2}), Error);
}
