// Norms, elementwise operations, frames and patches on the pretended card: listed there, and the same bits in whatever
// order blocks run.
#include <doctest/doctest.h>

#include <cstring>

#include "cuda/emulator/host_emulator.h"
#include "ops/check_context.h"
#include "ops/elementwise/elementwise.h"
#include "ops/elementwise/elementwise_kernels.h"
#include "ops/frames/frames.h"
#include "ops/norm/norm.h"
#include "ops/norm/norm_kernels.h"
#include "ops/patches/patches.h"
#include "runtime/random.h"
#include "runtime/transfer.h"

namespace rushes {
namespace {

Context on_card() { return check::context_for({{}, {}, Backend::cuda}, 1); }

template <class Function>
bool has_cuda(const std::vector<Kernel<Function>>& table) {
  for (const auto& kernel : table)
    if (kernel.info.backend == Backend::cuda) return true;
  return false;
}

struct Order {
  explicit Order(cuda::emulator::BlockOrder order) { cuda::emulator::set_block_order(order); }
  ~Order() { cuda::emulator::set_block_order(cuda::emulator::BlockOrder::forward); }
};

/// Everything these kernels make of some random numbers, on more blocks than run at a time.
std::vector<Tensor> all_results(const Context& context) {
  const int64_t rows = 67, width = 3 * 198;
  const Tensor x = check::random_tensor(context, {rows, width}, 1), scale = check::random_tensor(context, {width}, 2),
               shift = check::random_tensor(context, {width}, 3);
  std::vector<Tensor> results;
  const auto fresh = [&](DType type = DType::f32) -> Tensor& {
    return results.emplace_back(context.allocate(type, x.shape()));
  };
  layer_norm(context, x, scale, shift, 1e-6f, fresh(DType::bf16));
  rms_norm(context, x, scale, 1e-6f, fresh());
  const RotaryTable angles = make_rotary_table(context.on_host(), 1, 1, rows, 198);
  const RotaryTable table{to_device(context, angles.cosine), to_device(context, angles.sine)};
  rms_norm_rotary(context, x, scale, 1e-6f, 3, table, fresh());
  convert(context, x, fresh(DType::bf16));
  silu(context, x, fresh());
  gated_gelu(context, x, results[1], fresh());
  const Tensor latents = check::random_tensor(context, {16, 3, 22, 18}, 4);
  results.push_back(patches_of(context, latents, {3, 11, 9}));
  Tensor canvas = check::random_tensor(context, {30, 40, 16}, 5), frame = context.allocate(DType::f32, {22, 18, 16});
  planes_to_frame(context, latents, 1, std::vector<float>(16, 0.7f), std::vector<float>(16, 0.1f), frame);
  blend_tile(context, frame, std::vector<float>(22, 0.3f), std::vector<float>(18, 0.9f), 3, 5, canvas);
  clamp_unit(context, canvas);
  results.push_back(canvas);
  for (Tensor& result : results) result = to_host(context, result);
  return results;
}

}  // namespace

TEST_CASE("emulated card: the small operations are listed for cards") {
  CHECK(has_cuda(layer_norm_kernels()));
  CHECK(has_cuda(rms_norm_kernels()));
  CHECK(has_cuda(rms_norm_rotary_kernels()));
  CHECK(has_cuda(convert_kernels()));
  CHECK(has_cuda(add_kernels()));
  CHECK(has_cuda(silu_kernels()));
  CHECK(has_cuda(gated_gelu_kernels()));
  CHECK(has_cuda(all_finite_kernels()));
}

TEST_CASE("emulated card: the small operations give the same bits in any order of blocks") {
  const std::vector<Tensor> expected = all_results(on_card());
  for (const auto order : {cuda::emulator::BlockOrder::reverse, cuda::emulator::BlockOrder::shuffled}) {
    const Order changed(order);
    const std::vector<Tensor> results = all_results(on_card());
    REQUIRE(results.size() == expected.size());
    for (size_t i = 0; i < results.size(); ++i) {
      INFO("result " << i);
      CHECK(std::memcmp(results[i].raw(), expected[i].raw(), expected[i].bytes()) == 0);
    }
  }
}

TEST_CASE("emulated card: conversion rounds as the processor does, and one bad number among many is found") {
  const Context card = on_card(), host = card.on_host();
  const Tensor x = check::random_tensor(host, {4099}, 6, 1e4f);
  Tensor ours = card.allocate(DType::bf16, x.shape()), theirs = host.allocate(DType::bf16, x.shape());
  convert(card, to_device(card, x), ours);
  convert(host, x, theirs);
  CHECK(std::memcmp(to_host(card, ours).raw(), theirs.raw(), theirs.bytes()) == 0);
  for (const int64_t place : {int64_t{0}, int64_t{4095}, int64_t{4098}}) {
    Tensor bad = host.allocate(DType::f32, x.shape());
    std::memcpy(bad.raw(), x.raw(), x.bytes());
    CHECK(all_finite(card, to_device(card, bad)));
    bad.data<float>()[place] = INFINITY;
    CHECK(!all_finite(card, to_device(card, bad)));
  }
}

}  // namespace rushes
