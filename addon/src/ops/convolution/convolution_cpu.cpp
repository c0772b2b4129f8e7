// The loops of the tiled convolution: rows are cut into segments, a segment's input is gathered (converted, padded)
// once, and every block of outputs is summed over it by the register tiles of one instruction set.
#include <omp.h>

#include <algorithm>
#include <cstring>

#include "ops/convolution/convolution_packed.h"

namespace rushes::convolution_tiles {
namespace {

// Of one core: gathered input should leave room for weights in the second-level cache, a step's weights should leave
// room for pixels in the first.
constexpr int64_t kGatherBytes = 256 << 10, kWeightBytes = 28 << 10;

int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

// One thread's part of the work.
class Worker {
 public:
  Worker(const Geometry& geometry, const Segments& segments, std::byte* scratch)
      : g_(geometry), layer_(*geometry.weights), kernel_(*layer_.kernel), segments_(segments), gathered_(scratch),
        sums_(reinterpret_cast<float*>(scratch + segments.gather_bytes)),
        element_(kernel_.bf16 ? 2 : 4), same_type_(g_.x_type == (kernel_.bf16 ? DType::bf16 : DType::f32)) {}

  void run(int64_t frame, int64_t row, int64_t segment) {
    first_ = segment * segments_.pixels;
    valid_ = std::min(segments_.pixels, g_.out_width - first_);
    pixels_ = round_up(valid_, kernel_.pixels[layer_.vectors]);
    rows_.clear();
    for (int kt = 0; kt < layer_.kernel_time; ++kt)
      for (int kh = 0; kh < layer_.kernel_height; ++kh)
        rows_.push_back(gather(g_.input_row(frame, row, kt, kh), kt * layer_.kernel_height + kh));
    for (int64_t block = 0; block < layer_.blocks; ++block) {
      sum(block);
      store(frame, row, block);
    }
  }

 private:
  // Pointer to the first input pixel of the segment in one kernel row, gathered if it does not lie ready.
  const std::byte* gather(const std::byte* row, int index) {
    if (!row) return nullptr;
    const int64_t channels = layer_.in_channels, stored = static_cast<int64_t>(dtype_size(g_.x_type)) * channels;
    const int64_t begin = first_ * g_.shape.stride_space - g_.shape.pad_left;
    const int64_t count = (pixels_ - 1) * g_.shape.stride_space + layer_.kernel_width;
    const bool ready = same_type_ && !g_.shape.doubled && channels == layer_.padded_channels;
    if (ready && begin >= 0 && begin + count <= g_.width) return row + begin * stored;
    const int64_t pixel_bytes = layer_.padded_channels * element_;
    std::byte* const to = gathered_ + index * segments_.input_pixels * pixel_bytes;
    const int64_t left = std::clamp<int64_t>(-begin, 0, count), right = std::clamp<int64_t>(g_.width - begin, left, count);
    std::memset(to, 0, static_cast<size_t>(left * pixel_bytes));
    std::memset(to + right * pixel_bytes, 0, static_cast<size_t>((count - right) * pixel_bytes));
    if (ready) {
      std::memcpy(to + left * pixel_bytes, row + (begin + left) * stored, static_cast<size_t>((right - left) * stored));
    } else if (!g_.shape.doubled && channels == layer_.padded_channels) {
      convert(row + (begin + left) * stored, to + left * pixel_bytes, (right - left) * channels);
    } else {
      for (int64_t p = left; p < right; ++p) {
        std::byte* const pixel = to + p * pixel_bytes;
        convert(row + (g_.shape.doubled ? (begin + p) / 2 : begin + p) * stored, pixel, channels);
        std::memset(pixel + channels * element_, 0, static_cast<size_t>(pixel_bytes - channels * element_));
      }
    }
    return to;
  }

  void convert(const std::byte* from, std::byte* to, int64_t count) const {
    if (same_type_) std::memcpy(to, from, static_cast<size_t>(count * element_));
    else if (kernel_.bf16) kernel_.to_bf16(reinterpret_cast<const float*>(from), reinterpret_cast<uint16_t*>(to), count);
    else kernel_.to_f32(reinterpret_cast<const uint16_t*>(from), reinterpret_cast<float*>(to), count);
  }

  void sum(int64_t block) {
    const float* bias = layer_.bias.data<float>() + block * layer_.block_outputs;
    for (int64_t p = 0; p < pixels_; ++p)
      std::memcpy(sums_ + p * layer_.block_outputs, bias, static_cast<size_t>(layer_.block_outputs) * sizeof(float));
    TileCall call;
    call.pixel_stride = layer_.padded_channels * g_.shape.stride_space;
    call.tap_stride = layer_.padded_channels;
    call.weight_tap_stride = layer_.padded_channels * layer_.block_outputs;
    call.taps = layer_.kernel_width;
    call.sums = sums_;
    call.pixels = pixels_;
    call.vectors = layer_.vectors;
    for (size_t r = 0; r < rows_.size(); ++r) {
      if (!rows_[r]) continue;
      const int64_t tap = (block * static_cast<int64_t>(rows_.size()) + static_cast<int64_t>(r)) * layer_.kernel_width;
      const std::byte* weights = layer_.weights.raw() + tap * call.weight_tap_stride * element_;
      for (int64_t c = 0; c < layer_.padded_channels; c += segments_.channel_step) {
        call.channels = std::min(segments_.channel_step, layer_.padded_channels - c);
        call.x = rows_[r] + c * element_;
        call.weights = weights + c * layer_.block_outputs * element_;
        kernel_.tile(call);
      }
    }
  }

  void store(int64_t frame, int64_t row, int64_t block) const {
    const int64_t output = block * layer_.block_outputs;
    const int64_t offset = (row * g_.out_width + first_) * layer_.out_channels + output;
    StoreCall call;
    call.sums = sums_;
    call.sum_stride = layer_.block_outputs;
    call.pixels = valid_;
    call.outputs = std::min(layer_.block_outputs, layer_.out_channels - output);
    call.out_stride = layer_.out_channels;
    call.out_bf16 = g_.out_type == DType::bf16;
    call.out = g_.out[static_cast<size_t>(frame)] + offset * static_cast<int64_t>(dtype_size(g_.out_type));
    call.residual_bf16 = g_.residual_type == DType::bf16;
    if (!g_.residual.empty())
      call.residual = g_.residual[static_cast<size_t>(frame)] + offset * static_cast<int64_t>(dtype_size(g_.residual_type));
    kernel_.store(call);
  }

  const Geometry& g_;
  const PackedConvolution& layer_;
  const TileKernel& kernel_;
  const Segments& segments_;
  std::byte* const gathered_;
  float* const sums_;
  const int64_t element_;
  const bool same_type_;
  std::vector<const std::byte*> rows_;
  int64_t first_ = 0, valid_ = 0, pixels_ = 0;
};

}  // namespace

Segments plan_segments(const Geometry& g) {
  const PackedConvolution& layer = *g.weights;
  const TileKernel& kernel = *layer.kernel;
  const int64_t tile = kernel.pixels[layer.vectors], element = kernel.bf16 ? 2 : 4;
  const int64_t kernel_rows = int64_t{layer.kernel_time} * layer.kernel_height;
  const int64_t pixel_bytes = kernel_rows * layer.padded_channels * element * g.shape.stride_space;
  Segments s;
  const int64_t most = std::clamp(kGatherBytes / pixel_bytes / tile * tile, tile, round_up(128, tile));
  s.count = (g.out_width + most - 1) / most;
  s.pixels = round_up((g.out_width + s.count - 1) / s.count, tile);
  s.count = (g.out_width + s.pixels - 1) / s.pixels;
  s.input_pixels = (s.pixels - 1) * g.shape.stride_space + layer.kernel_width;
  const int64_t weights_of_channel = layer.kernel_width * layer.block_outputs * element;
  const int64_t fitting = std::max<int64_t>(kWeightBytes / weights_of_channel / 32 * 32, 32);
  const int64_t steps = (layer.padded_channels + fitting - 1) / fitting;
  s.channel_step = round_up((layer.padded_channels + steps - 1) / steps, std::max(kernel.channel_multiple, 2));
  s.gather_bytes = static_cast<uint64_t>(round_up(kernel_rows * s.input_pixels * layer.padded_channels * element, 64));
  s.scratch_bytes = s.gather_bytes + static_cast<uint64_t>(round_up(s.pixels * layer.block_outputs * 4, 64));
  return s;
}

void convolve_tiles(const Context& context, const Geometry& g, const Segments& segments, std::byte* scratch) {
  const TileKernel& kernel = *g.weights->kernel;
  const int64_t rows = static_cast<int64_t>(g.out.size()) * g.out_height;
#pragma omp parallel num_threads(context.threads)
  {
    if (kernel.enter) kernel.enter();
    Worker worker(g, segments, scratch + static_cast<uint64_t>(omp_get_thread_num()) * segments.scratch_bytes);
#pragma omp for schedule(dynamic)
    for (int64_t item = 0; item < rows * segments.count; ++item) {
      if (context.is_cancelled()) continue;
      const int64_t row = item / segments.count;
      worker.run(row / g.out_height, row % g.out_height, item % segments.count);
    }
    if (kernel.leave) kernel.leave();
  }
}

}  // namespace rushes::convolution_tiles
