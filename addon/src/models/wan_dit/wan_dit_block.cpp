#include "models/wan_dit/wan_dit_block.h"

#include <algorithm>
#include <cmath>

#include "ops/elementwise/elementwise.h"
#include "runtime/transfer.h"

namespace rushes {
namespace {

// Tokens that pass the feed-forward layers together: its hidden activations are 6 times as wide as the residual stream.
// A multiple of 128, so that int8 tiles are the same as for all tokens at once.
constexpr int64_t kFeedForwardTokens = 4096;

NormRounding rounding_of(const Context& context) {
  return context.original_norms ? NormRounding::each : NormRounding::once;
}

}  // namespace

ModulationTable ModulationTable::load(const WanDitLoader& loader, const std::string& name,
                                      std::initializer_list<int64_t> scale_rows) {
  Tensor table = loader.host_tensor(name);  // [1, rows, dim]
  table = table.reshaped({table.size(1), table.size(2)});
  if (!loader.context().dry_run)
    for (const int64_t row : scale_rows)
      for (int64_t i = 0; i < table.size(1); ++i) table.data<float>()[row * table.size(1) + i] += 1.0f;
  return {{name, to_device(loader.context(), table, MemoryUse::weights)}};
}

DitBuffers::DitBuffers(const Context& context, const WanDitConfig& config, int64_t tokens, const DitText& embedded) {
  const Shape token_rows{tokens, config.dim};
  normed = context.allocate(context.compute, token_rows);
  q = context.allocate(context.compute, token_rows);
  k = context.allocate(context.compute, token_rows);
  v = context.allocate(context.compute, token_rows);
  if (embedded.blocks.empty()) text = TextKeys::allocate(context, embedded.rows.shape());
  hidden = context.allocate(context.compute, {std::min(tokens, kFeedForwardTokens), config.ffn});
  modulation = context.allocate(DType::f32, {6, config.dim});
}

DitBlock::Attention DitBlock::Attention::load(const WanDitLoader& loader, const std::string& name,
                                              LinearFormat format) {
  return {loader.adapted(name + ".q", format),    loader.adapted(name + ".k", format),
          loader.adapted(name + ".v", format),    loader.adapted(name + ".o", format),
          loader.vector(name + ".norm_q.weight"), loader.vector(name + ".norm_k.weight")};
}

DitBlock::DitBlock(const WanDitLoader& loader, int64_t index, LinearFormat format, bool has_sla) {
  const std::string block = "blocks." + std::to_string(index) + ".";
  modulation_ = ModulationTable::load(loader, block + "modulation", {1, 4});
  self_ = Attention::load(loader, block + "self_attn", format);
  if (has_sla) {
    projection_weight_ = loader.tensor(block + "self_attn.attn_op.local_attn.proj_l.weight");
    projection_bias_ = loader.tensor(block + "self_attn.attn_op.local_attn.proj_l.bias");
  }
  norm3_weight_ = loader.vector(block + "norm3.weight");
  norm3_bias_ = loader.vector(block + "norm3.bias");
  cross_ = Attention::load(loader, block + "cross_attn", format);
  up_ = loader.adapted(block + "ffn.0", format);
  down_ = loader.adapted(block + "ffn.2", format);
}

std::vector<AdaptedLinear*> DitBlock::linears() {
  return {&self_.q, &self_.k, &self_.v, &self_.o, &cross_.q, &cross_.k, &cross_.v, &cross_.o, &up_, &down_};
}

std::vector<AdaptedVector*> DitBlock::vectors() {
  return {&modulation_.rows, &self_.norm_q,  &self_.norm_k, &norm3_weight_,
          &norm3_bias_,      &cross_.norm_q, &cross_.norm_k};
}

void DitBlock::forward(const Context& context, const DitPass& pass, DitBuffers& buffers, const TextKeys* kept,
                       Tensor& x) const {
  add(context, modulation_.rows.adapted(context), pass.time, buffers.modulation);
  auto row = [&](int64_t i) { return buffers.modulation.rows(i, i + 1); };
  const Modulation attention{row(0), row(1), row(2)}, ffn{row(3), row(4), row(5)};

  layer_norm(context, x, attention.scale, attention.shift, kDitEpsilon, buffers.normed);
  self_attention(context, pass, attention.gate, buffers, x);
  layer_norm(context, x, norm3_weight_.adapted(context), norm3_bias_.adapted(context), kDitEpsilon, buffers.normed);
  cross_attention(context, pass, buffers, kept, x);
  layer_norm(context, x, ffn.scale, ffn.shift, kDitEpsilon, buffers.normed);
  feed_forward(context, ffn.gate, buffers, x);
}

void DitBlock::self_attention(const Context& context, const DitPass& pass, const Tensor& gate, DitBuffers& buffers,
                              Tensor& x) const {
  auto& [normed, q, k, v, text, hidden, modulation] = buffers;
  const int64_t heads = pass.config.heads;
  linear(context, normed, self_.q, q);
  linear(context, normed, self_.k, k);
  linear(context, normed, self_.v, v);
  rms_norm_rotary(context, q, self_.norm_q.adapted(context), kDitEpsilon, heads, pass.rotary, q, rounding_of(context));
  rms_norm_rotary(context, k, self_.norm_k.adapted(context), kDitEpsilon, heads, pass.rotary, k, rounding_of(context));
  Tensor& mixed = normed;
  if (pass.attention.type == AttentionType::original) {
    const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(pass.config.head_size)));
    dense_attention(context, q, k, v, heads, scale, nullptr, mixed);
  } else {
    const SparseAttention sparse{pass.attention.type, pass.attention.top_k, &projection_weight_, &projection_bias_};
    sparse_attention(context, q, k, v, heads, sparse, mixed);
  }
  linear(context, mixed, self_.o, x, {.accumulate = true, .gate = &gate});
}

void DitBlock::text_keys(const Context& context, const Tensor& text, TextKeys& out) const {
  linear(context, text, cross_.k, out.k);
  linear(context, text, cross_.v, out.v);
  rms_norm(context, out.k, cross_.norm_k.adapted(context), kDitEpsilon, out.k, rounding_of(context));
}

// The text's zero rows take part: after the embedding's bias they are not zero any more, and nothing masks them.
void DitBlock::cross_attention(const Context& context, const DitPass& pass, DitBuffers& buffers, const TextKeys* kept,
                               Tensor& x) const {
  auto& [normed, q, k, v, text, hidden, modulation] = buffers;
  linear(context, normed, cross_.q, q);
  if (!kept) text_keys(context, pass.text, text);
  const TextKeys& keys = kept ? *kept : text;
  rms_norm(context, q, cross_.norm_q.adapted(context), kDitEpsilon, q, rounding_of(context));
  const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(pass.config.head_size)));
  Tensor& mixed = normed;
  dense_attention(context, q, keys.k, keys.v, pass.config.heads, scale, nullptr, mixed);
  linear(context, mixed, cross_.o, x, {.accumulate = true});
}

void DitBlock::feed_forward(const Context& context, const Tensor& gate, DitBuffers& buffers, Tensor& x) const {
  const int64_t tokens = x.size(0);
  for (int64_t begin = 0; begin < tokens; begin += kFeedForwardTokens) {
    const int64_t end = std::min(tokens, begin + kFeedForwardTokens);
    Tensor hidden = buffers.hidden.rows(0, end - begin), part = x.rows(begin, end);
    linear(context, buffers.normed.rows(begin, end), up_, hidden, {.activation = Activation::gelu_tanh});
    linear(context, hidden, down_, part, {.accumulate = true, .gate = &gate});
  }
}

}  // namespace rushes
