// The few functions of ggml that a comparison needs, looked up at run time in a prebuilt library (docs/SPEED.md says
// where one is to be had). Names, arguments and numbers are those of the public headers (ggml-org/llama.cpp:
// ggml/include/ggml.h, ggml-backend.h). Nothing of Rushes but this measurement knows ggml.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace rushes::peer {

struct GgmlContext;
struct GgmlTensor;

/// Element types; the numbers are those of ggml_type.
enum class GgmlType : int { f32 = 0, f16 = 1, q4_0 = 2, q8_0 = 8, bf16 = 30 };

/// ggml's CPU backend out of one folder of shared libraries, the variant that it chooses for this CPU.
class Ggml {
 public:
  /// Throws Error engine.unavailable when the folder holds no such libraries.
  Ggml(const std::string& folder, int threads);
  ~Ggml();
  Ggml(const Ggml&) = delete;
  Ggml& operator=(const Ggml&) = delete;
  /// What it says about itself: "CPU (libggml-cpu-zen4.so)".
  const std::string& name() const { return name_; }

  /// One operation whose operands are in memory: made once, computed as often as wanted.
  class Product {
   public:
    ~Product();
    void compute();
    /// The result as it lies in memory, f32.
    std::span<const float> result() const;
    /// Whether the weights were repacked into the form its widest kernels take.
    bool repacked() const { return repacked_; }

   private:
    friend class Ggml;
    explicit Product(Ggml& library) : library_(library) {}
    Ggml& library_;
    GgmlContext *weights_ = nullptr, *operands_ = nullptr;
    void *weight_buffer_ = nullptr, *operand_buffer_ = nullptr, *graph_ = nullptr;
    GgmlTensor* out_ = nullptr;
    size_t count_ = 0;
    bool repacked_ = false;
  };

  /// out [rows, outputs] = x [rows, depth] weight^T; weight f32 [outputs, depth] is converted to `type`. `repack`: use
  /// the repacked form where there is one for the type.
  std::unique_ptr<Product> linear(GgmlType type, bool repack, std::span<const float> weight, std::span<const float> x,
                                  int64_t depth, int64_t outputs, int64_t rows);
  /// Its flash attention: q f32 [heads, queries, size], k and v [heads, keys, size] as f16; out [queries, heads, size].
  std::unique_ptr<Product> attention(std::span<const float> q, std::span<const float> k, std::span<const float> v,
                                     int64_t size, int64_t queries, int64_t keys, int64_t heads, float scale);

 private:
  struct Functions;
  void build(Product& product);
  std::unique_ptr<Functions> call_;
  void *device_ = nullptr, *backend_ = nullptr, *buffer_type_ = nullptr, *repacking_type_ = nullptr;
  std::string name_;
};

}  // namespace rushes::peer
