#include "engine/rate_samples.h"

#include <sys/mman.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "engine/frame_audit.h"
#include "engine/stages.h"
#include "media/h264_encoder.h"
#include "ops/attention/attention.h"
#include "ops/convolution/convolution.h"
#include "ops/elementwise/elementwise.h"
#include "ops/linear/linear.h"
#include "ops/norm/norm.h"
#include "ops/pixels/pixels.h"

namespace rushes {
namespace {

Context one_thread(DType compute, WorkCount* count = nullptr) {
  Context context;
  context.compute = compute;
  context.work = count;
  return context;
}

DType type_of(bool bf16) { return bf16 ? DType::bf16 : DType::f32; }
// What the engine computes in on this CPU unless told otherwise.
DType usual() { return type_of(CpuFeatures::host().avx512_bf16); }

// Values of about the size activations have; a product of random signs stays finite.
Tensor random_values(DType type, Shape shape, float scale = 1) {
  Tensor out = one_thread(type).allocate(type, std::move(shape));
  uint32_t state = 12345;
  for (int64_t i = 0; i < out.count(); ++i) {
    state = state * 1664525u + 1013904223u;
    const float value = scale * (static_cast<float>(state >> 8) / 8388608.0f - 1.0f);
    if (type == DType::bf16)
      out.data<rushes::bf16>()[i] = rushes::bf16(value);
    else
      out.data<float>()[i] = value;
  }
  return out;
}

TensorView view_of(const Tensor& tensor) { return {"sample", tensor.type(), tensor.shape(), tensor.raw()}; }

// Weights of a linear, int8 or floating, as a file gives them.
struct FileWeights {
  Tensor values, scale;
  LinearSource source() const {
    LinearSource out{"sample", view_of(values), {}, {}};
    if (scale.defined()) out.scale = view_of(scale);
    return out;
  }
};

FileWeights file_weights(DType type, int64_t outputs, int64_t inputs) {
  if (type != DType::i8) return {random_values(type, {outputs, inputs}, 0.05f), {}};
  FileWeights out{one_thread(DType::f32).allocate(DType::i8, {outputs, inputs}),
                  random_values(DType::f32, {(outputs + 127) / 128, (inputs + 127) / 128}, 0.001f)};
  for (int64_t i = 0; i < out.values.count(); ++i) out.values.data<int8_t>()[i] = static_cast<int8_t>(i * 37 % 251);
  return out;
}

// Copies of one matrix in shared memory, which is mapped, read and let go page by page as a file is. Together they are
// larger than the caches, and one is read after the other, as a model's layers are.
class MatrixFile {
 public:
  explicit MatrixFile(FileWeights weights) : weights_(std::move(weights)), bytes_(weights_.values.bytes()) {
    constexpr uint64_t kBeyondCaches = 48 << 20;
    count_ = (kBeyondCaches + bytes_ - 1) / bytes_;
    void* const pages =
        mmap(nullptr, count_ * bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (pages == MAP_FAILED) throw Error("memory.exhausted", "The system has no memory to time a step of the plan in.");
    data_ = static_cast<std::byte*>(pages);
    for (uint64_t i = 0; i < count_; ++i) std::memcpy(data_ + i * bytes_, weights_.values.raw(), bytes_);
    madvise(data_, count_ * bytes_, MADV_DONTNEED);
  }
  ~MatrixFile() { munmap(data_, count_ * bytes_); }
  MatrixFile(const MatrixFile&) = delete;
  MatrixFile& operator=(const MatrixFile&) = delete;

  uint64_t count() const { return count_; }
  /// The next copy, which is released before the one after it is asked for.
  LinearSource open() {
    LinearSource out = weights_.source();
    current_ = (current_ + 1) % count_;
    out.weight.data = data_ + current_ * bytes_;
    return out;
  }
  /// Described; opened and released while the layer runs. The layer must not outlive this.
  LinearSource in_file() {
    LinearSource out = weights_.source();
    out.weight.data = nullptr;
    out.in_file = {[this](const Context&) { return open().weight; }, [this] { release(); }};
    return out;
  }
  void release() { madvise(data_ + current_ * bytes_, bytes_, MADV_DONTNEED); }

 private:
  const FileWeights weights_;
  const uint64_t bytes_;  // whole pages
  uint64_t count_ = 0, current_ = 0;
  std::byte* data_ = nullptr;
};

// Less than a huge page of int8: what those cost differs from one moment to the next where a host lends the memory, and
// a model's many are rarely as cheap as one that was given back just now.
constexpr int64_t kOutputs = 1024, kInputs = 1536;

std::function<void(WorkCount*)> linear_run(LinearFormat format, DType compute, int64_t rows, int64_t inputs,
                                           int64_t outputs, Activation activation = Activation::none) {
  const FileWeights file = file_weights(format == LinearFormat::int8_tiles ? DType::i8 : DType::bf16, outputs, inputs);
  const auto layer = prepare_linear(one_thread(compute), file.source(), format);
  const Tensor x = random_values(compute, {rows, inputs});
  auto out = std::make_shared<Tensor>(random_values(compute, {rows, outputs}));
  return [=](WorkCount* count) { linear(one_thread(compute, count), x, *layer, *out, {.activation = activation}); };
}

// Wide against narrow: the packing of the rows is in both.
RateSample products(LinearFormat format, DType compute) {
  return {linear_run(format, compute, 384, 1024, 1024), linear_run(format, compute, 384, 1024, 128)};
}

// Pages the system has to give, as large allocations do every time; small ones come from memory that is kept.
void take_fresh_pages(uint64_t bytes) {
  void* const pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return;
  for (uint64_t at = 0; at < bytes; at += 4096) static_cast<volatile char*>(pages)[at] = 1;
  munmap(pages, bytes);
}

RateSample packing(LinearFormat format, DType file_type, DType compute) {
  const auto file = std::make_shared<MatrixFile>(file_weights(file_type, kOutputs, kInputs));
  return {[=](WorkCount* count) {
    std::vector<std::shared_ptr<Linear>> layers;  // all held, so that each takes pages that no earlier one gave back
    for (uint64_t i = 0; i < file->count(); ++i) {
      layers.push_back(prepare_linear(one_thread(compute, count), file->open(), format));
      file->release();
    }
  }};
}

RateSample weights_in_file() {
  const auto file = std::make_shared<MatrixFile>(file_weights(DType::bf16, kOutputs, kInputs));
  const LinearFormat format = usual() == DType::bf16 ? LinearFormat::bf16 : LinearFormat::f32;
  const std::shared_ptr<Linear> layer = prepare_linear(one_thread(usual()), file->in_file(), format);
  const Tensor x = random_values(usual(), {6, kInputs});
  auto out = std::make_shared<Tensor>(random_values(usual(), {6, kOutputs}));
  return {[=, kept = file](WorkCount* count) { linear(one_thread(usual(), count), x, *layer, *out); }};
}

RateSample dense(DType type) {
  const Tensor q = random_values(type, {512, 128}), k = random_values(type, {1536, 128}), v = k;
  auto out = std::make_shared<Tensor>(random_values(type, {512, 128}));
  return {[=](WorkCount* count) { dense_attention(one_thread(type, count), q, k, v, 1, 0.09f, nullptr, *out); }};
}

std::function<void(WorkCount*)> sparse_run(DType type, AttentionType attention, double top_k) {
  const Tensor q = random_values(type, {1536, 128}), k = random_values(type, {1536, 128}), v = k;
  const Tensor weight = random_values(DType::f32, {128, 128}, 0.1f), bias = random_values(DType::f32, {128});
  auto out = std::make_shared<Tensor>(random_values(type, {1536, 128}));
  return [=](WorkCount* count) {
    sparse_attention(one_thread(type, count), q, k, v, 1, {attention, top_k, &weight, &bias}, *out);
  };
}

RateSample chosen_blocks(DType type, AttentionType attention) {
  return {sparse_run(type, attention, 0.75), sparse_run(type, attention, 0.05)};
}

std::function<void(WorkCount*)> convolution_run(DType compute, int64_t outputs, int64_t channels = 96) {
  const Tensor weight = random_values(DType::bf16, {outputs, channels, 3, 3, 3}, 0.05f);
  const TensorView view = view_of(weight);
  const auto layer = prepare_convolution(one_thread(compute), view, nullptr);
  const Tensor x = random_values(compute, {3, 24, 96, channels});
  auto out = std::make_shared<Tensor>(random_values(compute, {1, 24, 96, outputs}));
  return [=](WorkCount* count) {
    take_fresh_pages(out->bytes());
    convolution(one_thread(compute, count), x, *layer, {.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1},
                nullptr, *out);
  };
}

RateSample filters() {
  const Tensor weight = random_values(DType::bf16, {96, 96, 3, 3, 3}, 0.05f);
  return {[=](WorkCount* count) { prepare_convolution(one_thread(usual(), count), view_of(weight), nullptr); }};
}

// Beyond the second-level cache, like the passes of a clip.
RateSample plain_pass() {
  const Tensor a = random_values(DType::f32, {1024, 1536}), b = a;
  auto out = std::make_shared<Tensor>(random_values(DType::f32, {1024, 1536}));
  return {[=](WorkCount* count) { add(one_thread(DType::f32, count), a, b, *out); }};
}

RateSample norm_pass() {
  const Tensor x = random_values(DType::f32, {1024, 1536}), row = random_values(DType::f32, {1, 1536});
  auto out = std::make_shared<Tensor>(random_values(usual(), {1024, 1536}));
  return {[=](WorkCount* count) { layer_norm(one_thread(usual(), count), x, row, row, 1e-6f, *out); }};
}

RateSample channel_norm_pass(int64_t pixels, int64_t channels) {
  const Tensor x = random_values(usual(), {1, 1, pixels, channels}), gamma = random_values(DType::f32, {channels});
  auto out = std::make_shared<Tensor>(random_values(usual(), {1, 1, pixels, channels}));
  return {[=](WorkCount* count) {
    take_fresh_pages(out->bytes());
    channel_norm(one_thread(usual(), count), x, gamma, true, *out);
  }};
}

// A moving gradient: what an encoder meets when little changes.
RateSample frames() {
  constexpr int kSide = 128, kFrames = 4;
  std::vector<float> pixels(kSide * kSide * 3);
  return {[=](WorkCount* count) mutable {
    std::vector<uint8_t> rgb(pixels.size());
    FrameAudit audit;
    std::unique_ptr<H264Encoder> encoder;
    if (H264Encoder::available())
      encoder = std::make_unique<H264Encoder>(H264Settings{.width = kSide, .height = kSide});
    for (int frame = 0; frame < kFrames; ++frame) {
      for (int i = 0; i < kSide * kSide * 3; ++i)
        pixels[static_cast<size_t>(i)] = std::sin(static_cast<float>(i % 997 + 20 * frame) * 0.01f);
      pixels_to_rgb(pixels.data(), rgb);
      audit.add(rgb);
      if (encoder) encoder->encode(rgb);
    }
    if (count) count->of(Effort::frame_bytes) += static_cast<double>(kFrames * rgb.size());
  }};
}

}  // namespace

RateSample rate_sample(Effort effort) {
  constexpr LinearFormat int8 = LinearFormat::int8_tiles, bf16 = LinearFormat::bf16, f32 = LinearFormat::f32;
  switch (effort) {
    case Effort::bytes:
      return plain_pass();
    case Effort::norm_bytes:
      return norm_pass();
    case Effort::channel_norm:
      return channel_norm_pass(4096, 96);
    case Effort::norm_pixels:
      return channel_norm_pass(16384, 16);
    case Effort::linear_int8:
      return products(int8, usual());
    case Effort::linear_bf16:
      return products(bf16, DType::bf16);
    case Effort::linear_f32:
      return products(f32, DType::f32);
    case Effort::rows_int8:
      return {linear_run(int8, usual(), 768, 1024, 128)};
    case Effort::rows_bf16:
      return {linear_run(bf16, DType::bf16, 768, 1024, 128)};
    case Effort::rows_f32:
      return {linear_run(f32, DType::f32, 768, 1024, 128)};
    case Effort::outputs:
      return {linear_run(int8, usual(), 384, 128, 2048)};
    case Effort::activations:
      return {linear_run(int8, usual(), 384, 128, 2048, Activation::gelu_tanh)};
    case Effort::dense_bf16:
      return dense(DType::bf16);
    case Effort::dense_f32:
      return dense(DType::f32);
    case Effort::sla_bf16:
      return chosen_blocks(DType::bf16, AttentionType::sla);
    case Effort::sla_f32:
      return chosen_blocks(DType::f32, AttentionType::sla);
    case Effort::sagesla_bf16:
      return chosen_blocks(DType::bf16, AttentionType::sagesla);
    case Effort::sagesla_f32:
      return chosen_blocks(DType::f32, AttentionType::sagesla);
    case Effort::branch_bf16:
      return {sparse_run(DType::bf16, AttentionType::sagesla, 0.05)};
    case Effort::branch_f32:
      return {sparse_run(DType::f32, AttentionType::sagesla, 0.05)};
    case Effort::convolution_bf16:
      return {convolution_run(DType::bf16, 48), convolution_run(DType::bf16, 16)};
    case Effort::convolution_f32:
      return {convolution_run(DType::f32, 48), convolution_run(DType::f32, 16)};
    case Effort::pixels_bf16:
      return {convolution_run(DType::bf16, 16)};
    case Effort::pixels_f32:
      return {convolution_run(DType::f32, 16)};
    case Effort::sums_bf16:
      return {convolution_run(DType::bf16, 16, 16)};
    case Effort::sums_f32:
      return {convolution_run(DType::f32, 16, 16)};
    case Effort::weights_int8:
      return packing(int8, DType::i8, usual());
    case Effort::weights_quantized:
      return packing(int8, DType::bf16, usual());
    case Effort::weights_bf16:
      return packing(bf16, DType::bf16, usual());
    case Effort::weights_f32:
      return packing(f32, DType::bf16, DType::bf16);  // where f32 is computed in, bf16 stays as it is
    case Effort::weights_in_file:
      return weights_in_file();
    case Effort::filters:
      return filters();
    case Effort::frame_bytes:
      return frames();
  }
  return {};
}

}  // namespace rushes
