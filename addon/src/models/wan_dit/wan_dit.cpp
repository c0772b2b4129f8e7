// The Wan transformer: loading it whole, and one forward pass. Its tensors and names are in wan_dit_tensors.cpp.
#include "models/wan_dit/wan_dit.h"

#include <algorithm>

#include "models/wan_dit/block_stream.h"
#include "models/wan_dit/wan_dit_block.h"
#include "models/wan_dit/wan_dit_tensors.h"
#include "models/wan_dit/wan_dit_time.h"
#include "ops/elementwise/elementwise.h"
#include "ops/patches/patches.h"
#include "runtime/transfer.h"

namespace rushes {
namespace {

class LoadedWanDit final : public WanDit {
 public:
  /// Where the loading of tensors is told of: see WanDitLoader.
  struct Reading {
    ReadAhead* ahead = nullptr;
    std::vector<std::string>* asked = nullptr;
  };
  LoadedWanDit(const Context& context, const OpenedWeights& opened, LinearFormat format,
               const std::function<void(double)>& progress, DitPlacement placement, const Reading& reading)
      : LoadedWanDit(WanDitLoader(context, opened.weights, reading.ahead, reading.asked), wan_dit_config(opened)) {
    load_blocks(context, opened.weights, format, progress, placement, reading);
  }

  void adapt(const Context& context, const std::vector<AppliedLora>& loras) override;
  DitText embed_text(const Context& context, const Tensor& text, bool keep_keys) const override;
  using WanDit::velocity;
  Tensor velocity(const Context& context, const Tensor& latents, float timestep, const DitText& text,
                  const DitAttention& attention, const std::function<void(double)>& progress) const override;

 private:
  LoadedWanDit(const WanDitLoader& loader, const WanDitConfig& config);
  void load_blocks(const Context& context, const WeightSet& weights, LinearFormat format,
                   const std::function<void(double)>& progress, DitPlacement placement, const Reading& reading);
  void for_blocks(const Context& context, const std::function<void(const DitBlock&, size_t)>& visit) const;
  void account(DitBlock& block);
  TokenGrid require_input(const Tensor& latents, const DitText& text, const DitAttention& attention) const;

  AdaptedLinear patch_embedding_, text_embedding_[2], head_;
  TimeEmbedding time_embedding_;
  std::unique_ptr<BlockStream> stream_;  // null: the blocks are resident
  std::vector<DitBlock> blocks_;
  ModulationTable head_modulation_;
};

LoadedWanDit::LoadedWanDit(const WanDitLoader& loader, const WanDitConfig& config)
    : patch_embedding_(loader.adapted("patch_embedding", loader.plain_format())),
      text_embedding_{loader.adapted("text_embedding.0", loader.plain_format()),
                      loader.adapted("text_embedding.2", loader.plain_format())},
      head_(loader.adapted("head.head", loader.plain_format())),
      time_embedding_(loader),
      head_modulation_(ModulationTable::load(loader, "head.modulation", {1})) {
  config_ = config;
}

void LoadedWanDit::load_blocks(const Context& context, const WeightSet& weights, LinearFormat format,
                               const std::function<void(double)>& progress, DitPlacement placement,
                               const Reading& reading) {
  if (placement == DitPlacement::streamed && context.backend == Backend::cuda && config_.layers > 0) {
    WeightArena measure;
    Context dry = context;
    dry.dry_run = true;
    dry.memory = dry.device_memory = nullptr;
    dry.work = nullptr;
    dry.debug = {};
    dry.weight_arena = &measure;
    DitBlock(WanDitLoader(dry, weights), 0, format, config_.has_sla);
    stream_ = std::make_unique<BlockStream>(context, measure.used_bytes());
  }
  for (int64_t i = 0; i < config_.layers; ++i) {
    const Context packing = stream_ ? stream_->packing_context(context) : context;
    const WanDitLoader loader(packing, weights, reading.ahead, reading.asked);
    account(blocks_.emplace_back(loader, i, format, config_.has_sla));
    if (stream_) stream_->keep_packed(context);
    if (progress) progress(static_cast<double>(i + 1) / static_cast<double>(config_.layers));
  }
}

// All blocks in order, each where kernels can read its weights.
void LoadedWanDit::for_blocks(const Context& context, const std::function<void(const DitBlock&, size_t)>& visit) const {
  if (stream_) stream_->begin_pass(context);
  for (size_t i = 0; i < blocks_.size(); ++i) {
    if (stream_) stream_->enter(context, i);
    visit(blocks_[i], i);
    if (stream_) stream_->leave(context, i);
  }
}

void LoadedWanDit::account(DitBlock& block) {
  for (const AdaptedLinear* adapted : block.linears()) {
    const auto& layer = adapted->weights;
    bytes_16bit_ += layer->sixteen_bit_bytes();
    bytes_held_ += layer->resident_bytes;
    if (layer->format != LinearFormat::int8_tiles) continue;
    quantized_.push_back({layer->name, layer->out_features, layer->in_features});
  }
}

void LoadedWanDit::adapt(const Context& context, const std::vector<AppliedLora>& loras) {
  std::vector<AdaptedLinear*> layers = time_embedding_.linears();
  layers.insert(layers.end(), {&patch_embedding_, &text_embedding_[0], &text_embedding_[1], &head_});
  std::vector<AdaptedVector*> vectors{&head_modulation_.rows};
  for (DitBlock& block : blocks_) {
    for (AdaptedLinear* layer : block.linears()) layers.push_back(layer);
    for (AdaptedVector* vector : block.vectors()) vectors.push_back(vector);
  }
  const auto leave = [&] {
    for (AdaptedLinear* layer : layers) layer->change = nullptr;
    for (AdaptedVector* vector : vectors) vector->change = {};
    loras_.clear();
  };
  leave();
  try {
    const LoraChanges changes(wan_dit_changeable(config_), loras);
    const LinearFormat plain = context.compute == DType::bf16 ? LinearFormat::bf16 : LinearFormat::f32;
    for (AdaptedLinear* layer : layers) {
      const std::string& name = layer->weights->name;
      layer->change = changes.pack(context, name, name.starts_with("time_") ? LinearFormat::f32 : plain);
    }
    for (AdaptedVector* vector : vectors) vector->change = changes.difference(context, *vector);
    loras_ = loras;
  } catch (...) {
    leave();
    throw;
  }
}

DitText LoadedWanDit::embed_text(const Context& context, const Tensor& text, bool keep_keys) const {
  if (text.rank() != 2 || text.type() != DType::f32 || text.size(1) != config_.text_dim)
    throw Error("settings.invalid",
                "The text encoder gives " + shape_text(text.shape()) + ", the transformer reads rows of " +
                    std::to_string(config_.text_dim) + ".",
                "Choose the text encoder that belongs to this model.");
  Tensor rounded = context.allocate(context.compute, text.shape());
  convert(context, to_device(context, text), rounded);
  Tensor hidden = context.allocate(context.compute, {text.size(0), config_.dim});
  DitText out{context.allocate(context.compute, hidden.shape())};
  linear(context, rounded, text_embedding_[0], hidden, {.activation = Activation::gelu_tanh});
  linear(context, hidden, text_embedding_[1], out.rows);
  hidden = {};
  if (keep_keys)
    for_blocks(context, [&](const DitBlock& block, size_t) {
      TextKeys& keys = out.blocks.emplace_back(TextKeys::allocate(context, out.rows.shape()));
      block.text_keys(context, out.rows, keys);
    });
  return out;
}

TokenGrid LoadedWanDit::require_input(const Tensor& latents, const DitText& text, const DitAttention& attention) const {
  if (latents.rank() != 4 || latents.type() != DType::f32 || latents.size(0) != config_.in_channels ||
      latents.count() == 0 || latents.size(2) % 2 || latents.size(3) % 2)
    throw Error("settings.invalid", "Latents of shape " + shape_text(latents.shape()) +
                                        " do not fit this model, which reads [" + std::to_string(config_.in_channels) +
                                        ", frames, even height, even width].");
  if (text.rows.rank() != 2 || text.rows.size(1) != config_.dim || text.rows.size(0) == 0)
    throw Error("settings.invalid", "The text was embedded by another model.");
  if (!text.blocks.empty() && text.blocks.size() != blocks_.size())
    throw Error("settings.invalid", "The text was embedded by another model.");
  if (attention.type != AttentionType::original && !config_.has_sla)
    throw Error("settings.invalid",
                "This model has no weights for sparse-linear attention (proj_l); it runs with original attention only.",
                "Choose the attention type original, or a TurboDiffusion model.");
  if (attention.type != AttentionType::original && !(attention.top_k > 0 && attention.top_k <= 1))
    throw Error("settings.invalid", "The share of key blocks that attention keeps must be above 0 and at most 1.");
  return {latents.size(1), latents.size(2) / 2, latents.size(3) / 2};
}

Tensor LoadedWanDit::velocity(const Context& context, const Tensor& latents, float timestep, const DitText& text,
                              const DitAttention& attention, const std::function<void(double)>& progress) const {
  const TokenGrid grid = require_input(latents, text, attention);
  const DitTime time = time_embedding_(context, timestep);
  RotaryTable rotary = make_rotary_table(context.on_host(), grid.frames, grid.height, grid.width, config_.head_size);
  rotary = {to_device(context, rotary.cosine), to_device(context, rotary.sine)};
  Tensor x = context.allocate(DType::f32, {grid.count(), config_.dim});
  linear(context, patches_of(context, to_device(context, latents), grid), patch_embedding_, x);

  // A bad value spreads to every token in the next block's attention, so a few rows are enough to find its block.
  const int64_t watched = std::min<int64_t>(x.size(0), 64);
  std::string first_bad;
  {
    DitBuffers buffers(context, config_, grid.count(), text);
    const DitPass pass{config_, attention, time.modulation, text.rows, rotary};
    for_blocks(context, [&](const DitBlock& block, size_t i) {
      context.check_cancelled();
      block.forward(context, pass, buffers, text.blocks.empty() ? nullptr : &text.blocks[i], x);
      if (first_bad.empty() && !all_finite(context, x.rows(0, watched))) first_bad = "blocks." + std::to_string(i);
      if (progress) progress(static_cast<double>(i + 1) / static_cast<double>(blocks_.size()));
    });
  }

  // Head: the embedding before the six-way projection is added to both rows.
  Tensor shift = context.allocate(DType::f32, {1, config_.dim}), scale = context.allocate(DType::f32, {1, config_.dim});
  const Tensor head_rows = head_modulation_.rows.adapted(context);
  add(context, head_rows.rows(0, 1), time.embedding, shift);
  add(context, head_rows.rows(1, 2), time.embedding, scale);
  Tensor normed = context.allocate(context.compute, x.shape());
  Tensor tokens = context.allocate(DType::f32, {x.size(0), config_.out_channels * 4});
  layer_norm(context, x, scale, shift, kDitEpsilon, normed);
  linear(context, normed, head_, tokens);
  if (!all_finite(context, tokens))
    throw Error("output.not_finite",
                "The transformer gave a value that is not a number, first seen in " +
                    (first_bad.empty() ? "its head" : first_bad) + ".",
                "Choose fp32 precision, or check the model's file.", "timestep " + std::to_string(timestep));
  return to_host(context, latents_of(context, tokens, grid));
}

// The names in the order in which loading asks for them, found by loading nothing.
std::vector<std::string> order_of_use(const OpenedWeights& opened, LinearFormat format) {
  std::vector<std::string> names;
  Context dry;
  dry.dry_run = true;
  LoadedWanDit(dry, opened, format, {}, DitPlacement::resident, {nullptr, &names});
  return names;
}

}  // namespace

std::shared_ptr<WanDit> WanDit::load(const Context& context, std::shared_ptr<const Checkpoint> file,
                                     LinearFormat format, const std::function<void(double)>& progress,
                                     DitPlacement placement) {
  const OpenedWeights opened = open_weights(std::move(file), "wan-dit");
  std::vector<FilePart> parts = opened.weights.parts(order_of_use(opened, format));
  const Tensor buffer = context.on_host().allocate(DType::u8, {static_cast<int64_t>(ReadAhead::buffer_bytes(parts))});
  std::unique_ptr<ReadAhead> ahead;
  if (!context.dry_run && !parts.empty())
    ahead = std::make_unique<ReadAhead>(std::move(parts), std::span(buffer.raw(), buffer.bytes()));
  return std::make_shared<LoadedWanDit>(context, opened, format, progress, placement,
                                        LoadedWanDit::Reading{ahead.get()});
}

}  // namespace rushes
