// The umT5 encoder (Wan-Video/Wan2.1:wan/modules/t5.py): token ids -> context rows.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "models/weights.h"
#include "ops/linear/linear.h"

namespace rushes {

struct Umt5Config {
  int64_t dim = 0, heads = 0, head_size = 64, ffn = 0, layers = 0, vocabulary = 0, buckets = 32;
};

class Umt5 {
 public:
  /// Every size comes from the tensors' shapes. `format` is that of the linear layers.
  static std::shared_ptr<Umt5> load(const Context& context, std::shared_ptr<const Checkpoint> file,
                                    LinearFormat format);
  virtual ~Umt5() = default;
  const Umt5Config& config() const { return config_; }
  /// ids: the real tokens, `</s>` included, 1..text_len of them, each < vocabulary (else settings.invalid).
  /// Returns f32 [text_len, dim]; rows after the last token are zero. `progress` gets 0..1 block by block.
  virtual Tensor encode(const Context& context, std::span<const int32_t> ids, int64_t text_len,
                        const std::function<void(double)>& progress = {}) const = 0;

 protected:
  Umt5Config config_;
};

}  // namespace rushes
