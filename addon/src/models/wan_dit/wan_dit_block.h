// One block of the Wan transformer: self-attention, cross-attention to the text, feed-forward.
#pragma once
#include <memory>
#include <vector>

#include "models/wan_dit/wan_dit.h"
#include "models/wan_dit/wan_dit_loader.h"
#include "ops/norm/norm.h"

namespace rushes {

constexpr float kDitEpsilon = 1e-6f;

/// shift and 1 + scale of a modulated norm (views of one f32 [1, dim] row each), and the gate of what follows it.
struct Modulation {
  Tensor shift, scale, gate;
};

/// A learned table f32 [rows, dim] that a timestep's embedding is added to. The ones of 1 + scale are added when it is
/// loaded.
struct ModulationTable {
  AdaptedVector rows;
  /// `scale_rows` are those that hold a scale.
  static ModulationTable load(const WanDitLoader& loader, const std::string& name,
                              std::initializer_list<int64_t> scale_rows);
};

/// Memory that all blocks of a forward pass share.
struct DitBuffers {
  DitBuffers(const Context& context, const WanDitConfig& config, int64_t tokens, const DitText& text);
  Tensor normed, q, k, v;  // [tokens, dim]
  TextKeys text;           // unless they are kept
  Tensor hidden;           // [part of the tokens, ffn]
  Tensor modulation;       // f32 [6, dim]
};

/// What every block of one forward pass reads.
struct DitPass {
  const WanDitConfig& config;
  const DitAttention& attention;
  const Tensor& time;  // f32 [6, dim]
  const Tensor& text;  // [text_rows, dim]
  const RotaryTable& rotary;
};

class DitBlock {
 public:
  DitBlock(const WanDitLoader& loader, int64_t index, LinearFormat format, bool has_sla);
  /// x f32 [tokens, dim], the residual stream, is updated in place. `kept`: this block's keys of the text; null: made
  /// here.
  void forward(const Context& context, const DitPass& pass, DitBuffers& buffers, const TextKeys* kept, Tensor& x) const;
  /// Keys and values of the embedded text [text_rows, dim] into `out`.
  void text_keys(const Context& context, const Tensor& text, TextKeys& out) const;
  /// The ten linears in the order of the forward pass.
  std::vector<AdaptedLinear*> linears();
  /// The norms and the modulation table.
  std::vector<AdaptedVector*> vectors();

 private:
  struct Attention {
    AdaptedLinear q, k, v, o;
    AdaptedVector norm_q, norm_k;  // [dim]
    static Attention load(const WanDitLoader& loader, const std::string& name, LinearFormat format);
  };
  void self_attention(const Context& context, const DitPass& pass, const Tensor& gate, DitBuffers& buffers,
                      Tensor& x) const;
  void cross_attention(const Context& context, const DitPass& pass, DitBuffers& buffers, const TextKeys* kept,
                       Tensor& x) const;
  void feed_forward(const Context& context, const Tensor& gate, DitBuffers& buffers, Tensor& x) const;

  ModulationTable modulation_;
  Attention self_, cross_;
  AdaptedVector norm3_weight_, norm3_bias_;  // [dim]
  Tensor projection_weight_,
      projection_bias_;  // proj_l, f32 [head_size, head_size] and [head_size]; undefined without SLA
  AdaptedLinear up_, down_;
};

}  // namespace rushes
