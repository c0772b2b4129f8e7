// WanVae: loading, checks, decode and encode as loops over a Stream.
#include "models/wan_vae/wan_vae.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <span>

#include "models/wan_vae/wan_vae_stream.h"
#include "models/wan_vae/wan_vae_tensors.h"
#include "models/wan_vae/wan_vae_tiles.h"
#include "ops/frames/frames.h"
#include "runtime/transfer.h"

namespace rushes {
namespace {

using wan_vae::Half;
using wan_vae::Stream;
using wan_vae::Tile;

constexpr int64_t kSpace = 8, kTime = 4;  // pixels of a latent cell, frames of a latent frame after the first

// Statistics of the latents of Wan2.1's VAE (Wan-Video/Wan2.1:wan/modules/vae.py).
constexpr float kMean[16] = {-0.7571f, -0.7089f, -0.9113f, 0.1075f,  -0.1745f, 0.9653f,  -0.1517f, 1.5508f,
                             0.4134f,  -0.0715f, 0.5517f,  -0.3632f, -0.1922f, -0.9497f, 0.2503f,  -0.2921f};
constexpr float kDeviation[16] = {2.8184f, 1.4541f, 2.3275f, 2.6558f, 1.2196f, 1.7708f, 2.6052f, 2.0743f,
                                  3.2687f, 2.1526f, 2.8652f, 1.5579f, 1.6382f, 1.1253f, 2.8251f, 1.9160f};

using Progress = std::function<void(double)>;

// Reports the share of a run's arithmetic that is done; the whole is found by planning the same run.
class Account {
 public:
  Account(const Context& context, const Progress& progress)
      : progress_(progress), outer_(context.work), context_(context) {
    context_.work = &done_;
  }
  ~Account() {
    if (!outer_) return;
    *outer_ += done_;
  }
  Account(const Account&) = delete;
  Account& operator=(const Account&) = delete;

  const Context& context() const { return context_; }
  bool wanted() const { return progress_ && !context_.dry_run; }
  void set_total(const WorkCount& total) { total_ = operations(total); }
  void report() const {
    if (total_ > 0) progress_(std::min(operations(done_) / total_, 1.0));
  }

 private:
  static double operations(const WorkCount& work) { return work.bf16_ops + work.f32_ops; }
  const Progress& progress_;
  WorkCount* outer_;
  WorkCount done_;
  Context context_;
  double total_ = 0;
};

// A context that counts work and nothing else.
Context counting(const Context& context, WorkCount& work) {
  Context planned = context;
  planned.dry_run = true;
  planned.memory = nullptr;
  planned.device_memory = nullptr;
  planned.cancelled = nullptr;
  planned.work = &work;
  return planned;
}

class LoadedVae final : public WanVae {
 public:
  LoadedVae(const Context& context, OpenedWeights opened, VaeHalf first)
      : opened_(std::move(opened)), load_context_(context) {
    config_ = wan_vae_config(opened_);
    if (config_.latent_channels != static_cast<int64_t>(std::size(kMean)))
      throw Error("checkpoint.unsupported", "This VAE has " + std::to_string(config_.latent_channels) +
                                                " latent channels; this version runs VAEs with 16.");
    // What outlives the call must not point into the caller's job.
    load_context_.cancelled = nullptr;
    load_context_.work = nullptr;
    load_context_.debug = {};
    if (first == VaeHalf::decoder)
      decoder_ = wan_vae::load_decoder(context, opened_.weights);
    else
      encoder_ = wan_vae::load_encoder(context, opened_.weights, config_);
  }

  bool holds(VaeHalf which) const override {
    const std::lock_guard lock(mutex_);
    return (which == VaeHalf::decoder ? decoder_ : encoder_).has_value();
  }

  void pack(const Context& context, VaeHalf which) const override { packed(context, which); }

  void decode(const Context& context, const Tensor& latents, const VaeTiling& tiling, const FrameSink& sink,
              const Progress& progress) const override {
    if (latents.rank() != 4 || latents.size(0) != config_.latent_channels || latents.type() != DType::f32 ||
        latents.count() == 0)
      throw Error("engine.internal", "The latents have an unexpected shape.", {}, shape_text(latents.shape()));
    const Half& half = packed(context, VaeHalf::decoder);
    Account account(context, progress);
    if (account.wanted()) {
      WorkCount total;
      const Context planned = counting(context, total);
      decode_clip(planned, half, latents, tiling, {}, [] {});
      account.set_total(total);
    }
    decode_clip(account.context(), half, latents, tiling, sink, [&] { account.report(); });
  }

  Tensor encode(const Context& context, const Tensor& frames, const Progress& progress) const override {
    if (frames.rank() != 4 || frames.size(3) != 3 || frames.type() != DType::f32 || frames.size(0) % kTime != 1 ||
        frames.size(1) % kSpace || frames.size(2) % kSpace || frames.count() == 0)
      throw Error("settings.invalid", "A clip to encode has 4n+1 frames whose sides are multiples of 8.", {},
                  shape_text(frames.shape()));
    const auto push_all = [&](const Context& working, Stream& stream) {
      for (int64_t f = 0; f < frames.size(0); ++f)
        stream.push(to_device(working, frames.rows(f, f + 1).reshaped({frames.size(1), frames.size(2), 3})));
    };
    return encode_frames(context, {frames.size(0), frames.size(1), frames.size(2)}, push_all, progress);
  }

  Tensor encode_picture(const Context& context, const Tensor& picture, int64_t count,
                        const Progress& progress) const override {
    if (picture.rank() != 3 || picture.size(2) != 3 || picture.type() != DType::f32 || count % kTime != 1 ||
        picture.size(0) % kSpace || picture.size(1) % kSpace || picture.count() == 0 || count < 1)
      throw Error("settings.invalid", "A clip to encode has 4n+1 frames whose sides are multiples of 8.", {},
                  std::to_string(count) + " frames of " + shape_text(picture.shape()));
    const auto push_all = [&](const Context& working, Stream& stream) {
      stream.push(to_device(working, picture));
      if (count == 1) return;
      Tensor zeros = working.allocate(DType::f32, picture.shape());
      fill_zero(working, zeros);
      stream.push(zeros, count - 1);
    };
    return encode_frames(context, {count, picture.size(0), picture.size(1)}, push_all, progress);
  }

 private:
  // What a job does not ask for is not packed: text to video never encodes. Of `context` only the order to stop counts.
  const Half& packed(const Context& context, VaeHalf which) const {
    const std::lock_guard lock(mutex_);
    std::optional<Half>& half = which == VaeHalf::decoder ? decoder_ : encoder_;
    if (half) return *half;
    Context loading = load_context_;
    loading.cancelled = context.cancelled;
    half = which == VaeHalf::decoder ? wan_vae::load_decoder(loading, opened_.weights)
                                     : wan_vae::load_encoder(loading, opened_.weights, config_);
    return *half;
  }

  void decode_frames(const Context& context, const Half& half, const Tensor& latents, Stream::Part part,
                     const std::function<void(Tensor)>& emit, const std::function<void()>& report) const {
    Stream stream(context, half, emit, report, part);
    for (int64_t t = 0; t < latents.size(1); ++t) {
      Tensor frame = context.allocate(DType::f32, {latents.size(2), latents.size(3), latents.size(0)});
      planes_to_frame(context, latents, t, kDeviation, kMean, frame);
      stream.push(frame);
    }
  }

  void decode_clip(const Context& context, const Half& half, const Tensor& given, const VaeTiling& tiling,
                   const FrameSink& sink, const std::function<void()>& report) const {
    const Tensor latents = to_device(context, given);
    const std::vector<Tile> tiles = wan_vae::lay_tiles(latents.size(2), latents.size(3), tiling, kSpace);
    const auto deliver = [&](Tensor frame, int64_t index) {
      clamp_unit(context, frame);
      frame = to_host(context, frame);
      if (!context.dry_run && sink) sink(frame.reshaped({1, frame.size(0), frame.size(1), frame.size(2)}), index);
    };
    int64_t index = 0;
    if (tiles.size() == 1)
      return decode_frames(
          context, half, latents, Stream::Part::whole, [&](Tensor frame) { deliver(std::move(frame), index++); },
          report);

    // What sees far, the coarse layers with their attention, sees whole frames. The rest goes tile by tile over the
    // whole clip: caches for one tile at a time, and all pictures until the last tile is in.
    FrameList coarse;
    decode_frames(
        context, half, latents, Stream::Part::coarse, [&](Tensor frame) { coarse.push_back(std::move(frame)); },
        report);
    const int64_t count = (latents.size(1) - 1) * kTime + 1, height = latents.size(2) * kSpace,
                  width = latents.size(3) * kSpace;
    Tensor canvas = context.allocate(DType::f32, {count, height, width, 3});
    fill_zero(context, canvas);
    const auto picture = [&](int64_t i) { return canvas.rows(i, i + 1).reshaped({height, width, 3}); };
    for (const Tile& tile : tiles) {
      index = 0;
      const auto blend = [&](Tensor frame) {
        Tensor target = picture(index++);
        blend_tile(context, frame, tile.rows, tile.columns, tile.top * kSpace, tile.left * kSpace, target);
      };
      Stream stream(context, half, blend, report, Stream::Part::fine);
      for (const Tensor& frame : coarse)
        stream.push(crop_frame(context, frame, tile.top, tile.left, tile.height, tile.width));
    }
    for (int64_t i = 0; i < count; ++i) deliver(picture(i), i);
  }

  struct ClipShape {
    int64_t frames, height, width;
  };
  /// Pushes every frame of a clip, [height, width, 3], where the context computes.
  using FrameSource = std::function<void(const Context& context, Stream& stream)>;

  Tensor encode_frames(const Context& context, const ClipShape& shape, const FrameSource& push_all,
                       const Progress& progress) const {
    const Half& half = packed(context, VaeHalf::encoder);
    Account account(context, progress);
    if (account.wanted()) {
      WorkCount total;
      const Context planned = counting(context, total);
      encode_clip(planned, half, shape, push_all, [] {});
      account.set_total(total);
    }
    return encode_clip(account.context(), half, shape, push_all, [&] { account.report(); });
  }

  Tensor encode_clip(const Context& context, const Half& half, const ClipShape& shape, const FrameSource& push_all,
                     const std::function<void()>& report) const {
    float scale[std::size(kMean)], shift[std::size(kMean)];
    for (size_t c = 0; c < std::size(kMean); ++c) {
      scale[c] = 1 / kDeviation[c];
      shift[c] = -kMean[c] / kDeviation[c];
    }
    Tensor latents = context.allocate(DType::f32, {config_.latent_channels, (shape.frames - 1) / kTime + 1,
                                                   shape.height / kSpace, shape.width / kSpace});
    int64_t index = 0;
    Stream stream(
        context, half, [&](Tensor frame) { frame_to_planes(context, frame, scale, shift, latents, index++); }, report);
    push_all(context, stream);
    return to_host(context, latents);
  }

  OpenedWeights opened_;
  Context load_context_;
  mutable std::mutex mutex_;
  mutable std::optional<Half> decoder_, encoder_;
};

}  // namespace

std::shared_ptr<WanVae> WanVae::load(const Context& context, std::shared_ptr<const Checkpoint> file, VaeHalf first) {
  return std::make_shared<LoadedVae>(context, open_weights(std::move(file), "wan-vae"), first);
}

}  // namespace rushes
