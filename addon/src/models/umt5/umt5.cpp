// The umT5 encoder's forward pass. Its tensors and names are in umt5_tensors.cpp.
#include "models/umt5/umt5.h"

#include <algorithm>
#include <mutex>

#include "models/umt5/relative_position.h"
#include "models/umt5/umt5_tensors.h"
#include "ops/attention/attention.h"
#include "ops/elementwise/elementwise.h"
#include "ops/norm/norm.h"
#include "runtime/transfer.h"

namespace rushes {
namespace {

constexpr float kEpsilon = 1e-6f;

struct Layer {
  Tensor attention_norm, feed_forward_norm;  // f32 [dim]
  Tensor position_table;                     // f32 [buckets, heads], in host memory
  std::shared_ptr<Linear> q, k, v, o, gate, up, down;
};

class LoadedUmt5 final : public Umt5 {
 public:
  LoadedUmt5(const Context& context, OpenedWeights opened, LinearFormat format) : weights_(std::move(opened.weights)) {
    config_ = umt5_config(opened);
    for (int64_t i = 0; i < config_.layers; ++i) {
      const std::string block = "blocks." + std::to_string(i) + ".";
      Layer layer;
      layer.attention_norm = vector(context, block + "norm1.weight");
      layer.feed_forward_norm = vector(context, block + "norm2.weight");
      layer.position_table = vector(context.on_host(), block + "pos_embedding.embedding.weight");
      layer.q = matrix(context, block + "attn.q", format);
      layer.k = matrix(context, block + "attn.k", format);
      layer.v = matrix(context, block + "attn.v", format);
      layer.o = matrix(context, block + "attn.o", format);
      layer.gate = matrix(context, block + "ffn.gate.0", format);
      layer.up = matrix(context, block + "ffn.fc1", format);
      layer.down = matrix(context, block + "ffn.fc2", format);
      layers_.push_back(std::move(layer));
    }
    norm_ = vector(context, "norm.weight");
    embedding_ = view(context, "token_embedding.weight");
  }

  Tensor encode(const Context& context, std::span<const int32_t> ids, int64_t text_len,
                const std::function<void(double)>& progress) const override;

 private:
  // Without the data while planning: asking for it may copy it out of the file.
  TensorView view(const Context& context, const std::string& name) const {
    return context.dry_run ? weights_.description(name) : weights_.view(name);
  }

  Tensor vector(const Context& context, const std::string& name) {
    Tensor out = load_tensor(context, view(context, name));
    weights_.release(name);
    return out;
  }

  std::shared_ptr<Linear> matrix(const Context& context, const std::string& name, LinearFormat format) {
    context.check_cancelled();
    const std::string weight = name + ".weight";
    LinearSource source{name, weights_.description(weight), weights_.scale_of(name, !context.dry_run), {}};
    source.in_file = {[this, weight](const Context& running) {
                        const auto ahead = reading();
                        const std::byte* data = ahead ? ahead->wait(running, weight) : nullptr;
                        if (!data) return weights_.view(weight);
                        TensorView out = weights_.description(weight);
                        out.data = data;
                        return out;
                      },
                      [this, weight] {
                        if (const auto ahead = reading()) ahead->used(weight);
                        weights_.release(weight);
                      }};
    auto layer = prepare_linear(context, source, format);
    if (layer->in_file)
      in_file_.push_back(weight);
    else
      weights_.count_reading(context, weight);
    return layer;
  }

  std::shared_ptr<ReadAhead> reading() const {
    const std::lock_guard lock(mutex_);
    return reading_;
  }
  void set_reading(std::shared_ptr<ReadAhead> ahead) const {
    const std::lock_guard lock(mutex_);
    reading_.swap(ahead);
  }

  Tensor embed(const Context& context, std::span<const int32_t> ids) const;
  void require_ids(std::span<const int32_t> ids, int64_t text_len) const;

  // Keeps the file mapped: the embedding table is read in place, and so are weights that are multiplied as they are. A
  // prompt uses each once, on so few rows that a packed copy would cost more than it saves.
  WeightSet weights_;
  TensorView embedding_;  // [vocabulary, dim]
  std::vector<Layer> layers_;
  Tensor norm_;
  std::vector<std::string> in_file_;  // weights that stay there, in the order of their use
  // Reads them ahead while a text is encoded. Two texts at once would share the later one's.
  mutable std::mutex mutex_;
  mutable std::shared_ptr<ReadAhead> reading_;
};

void LoadedUmt5::require_ids(std::span<const int32_t> ids, int64_t text_len) const {
  if (ids.empty() || static_cast<int64_t>(ids.size()) > text_len)
    throw Error("settings.invalid", "The text has " + std::to_string(ids.size()) + " tokens; this model reads 1 to " +
                                        std::to_string(text_len) + ".");
  for (const int32_t id : ids)
    if (id < 0 || id >= config_.vocabulary)
      throw Error("settings.invalid",
                  "The token " + std::to_string(id) + " is outside the text encoder's vocabulary of " +
                      std::to_string(config_.vocabulary) + ".",
                  "The tokenizer and the text encoder belong to different models.");
}

// Only the rows that the text names are read from the file; the table of 256,384 rows is never copied.
Tensor LoadedUmt5::embed(const Context& context, std::span<const int32_t> ids) const {
  const int64_t dim = config_.dim;
  Tensor x = context.on_host().allocate(DType::f32, {static_cast<int64_t>(ids.size()), dim});
  if (context.dry_run) return to_device(context, x);
  TensorView row = embedding_;
  row.shape = {dim};
  for (size_t i = 0; i < ids.size(); ++i) {
    row.data = embedding_.data + ids[i] * row.bytes();
    to_float(row, {x.data<float>() + static_cast<int64_t>(i) * dim, static_cast<size_t>(dim)});
  }
  return to_device(context, x);
}

Tensor LoadedUmt5::encode(const Context& context, std::span<const int32_t> ids, int64_t text_len,
                          const std::function<void(double)>& progress) const {
  require_ids(ids, text_len);
  const auto length = static_cast<int64_t>(ids.size());
  const int64_t dim = config_.dim, inner = config_.heads * config_.head_size;

  Tensor out = context.allocate(DType::f32, {text_len, dim});
  // A mapped row counts while it is in use; the pages stay the operating system's to drop.
  const Storage touched(context.memory, MemoryUse::mapped_weights,
                        static_cast<uint64_t>(length * dim) * dtype_size(embedding_.type), true);
  Tensor x = embed(context, ids);
  Tensor normed = context.allocate(context.compute, {length, dim});
  Tensor q = context.allocate(context.compute, {length, inner}), k = context.allocate(context.compute, {length, inner});
  Tensor v = context.allocate(context.compute, {length, inner}),
         mixed = context.allocate(context.compute, {length, inner});
  Tensor gate = context.allocate(context.compute, {length, config_.ffn});
  Tensor up = context.allocate(context.compute, {length, config_.ffn});
  Tensor host_bias = context.on_host().allocate(DType::f32, {config_.heads, 2 * length - 1});
  Tensor bias = context.backend == Backend::cuda ? context.allocate(DType::f32, host_bias.shape()) : host_bias;
  const Epilogue residual{.accumulate = true};
  for (const std::string& weight : in_file_) weights_.count_reading(context, weight);
  std::vector<FilePart> parts = weights_.parts(in_file_);
  const Tensor buffer = context.on_host().allocate(DType::u8, {static_cast<int64_t>(ReadAhead::buffer_bytes(parts))});
  if (!context.dry_run && !parts.empty())
    set_reading(std::make_shared<ReadAhead>(std::move(parts), std::span(buffer.raw(), buffer.bytes())));
  struct Ended {
    const LoadedUmt5& encoder;
    ~Ended() { encoder.set_reading(nullptr); }
  } const ended{*this};

  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    rms_norm(context, x, layer.attention_norm, kEpsilon, normed);
    linear(context, normed, *layer.q, q);
    linear(context, normed, *layer.k, k);
    linear(context, normed, *layer.v, v);
    relative_position_bias(context, layer.position_table, length, host_bias);
    if (bias.device()) copy_tensor(context, host_bias, bias);
    dense_attention(context, q, k, v, config_.heads, 1.0f, &bias, mixed);
    linear(context, mixed, *layer.o, x, residual);

    rms_norm(context, x, layer.feed_forward_norm, kEpsilon, normed);
    linear(context, normed, *layer.gate, gate);
    linear(context, normed, *layer.up, up);
    gated_gelu(context, gate, up, gate);
    linear(context, gate, *layer.down, x, residual);
    if (progress) progress(static_cast<double>(i + 1) / static_cast<double>(layers_.size()));
  }

  Tensor real = out.rows(0, length);
  rms_norm(context, x, norm_, kEpsilon, real);
  if (!all_finite(context, real))
    throw Error("output.not_finite", "The text encoder gave a value that is not a number.",
                "Choose fp32 precision, or check the text encoder's file.");
  Tensor padding = out.rows(length, text_len);
  fill_zero(context, padding);
  return to_host(context, out);
}

}  // namespace

std::shared_ptr<Umt5> Umt5::load(const Context& context, std::shared_ptr<const Checkpoint> file, LinearFormat format) {
  return std::make_shared<LoadedUmt5>(context, open_weights(std::move(file), "umt5"), format);
}

}  // namespace rushes
