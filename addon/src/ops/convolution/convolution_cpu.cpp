// The loops of the tiled convolution. Rows are cut into segments; for a step of input channels, whose weights of one
// kernel row fit the first-level cache, a segment's input is gathered (converted, padded) where it does not lie ready,
// and the register tiles of one instruction set add it to the sums of every block of outputs.
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
      : g_(geometry),
        layer_(*geometry.weights),
        kernel_(*layer_.kernel),
        segments_(segments),
        gathered_(scratch),
        sums_(reinterpret_cast<float*>(scratch + segments.gather_bytes)),
        element_(kernel_.bf16 ? 2 : 4),
        same_type_(g_.x_type == (kernel_.bf16 ? DType::bf16 : DType::f32)) {}

  void run(int64_t frame, int64_t row, int64_t segment) {
    first_ = segment * segments_.pixels;
    valid_ = std::min(segments_.pixels, g_.out_width - first_);
    pixels_ = round_up(valid_, kernel_.pixels[layer_.vectors]);
    start_sums();
    for (int64_t c = 0; c < layer_.padded_channels; c += segments_.channel_step) {
      const int64_t channels = std::min(segments_.channel_step, layer_.padded_channels - c);
      look_up(frame, row, c, channels);
      for (int64_t block = 0; block < layer_.blocks; ++block) add(block, c, channels);
    }
    for (int64_t block = 0; block < layer_.blocks; ++block) store(frame, row, block);
  }

 private:
  float* sums_of(int64_t block) const { return sums_ + block * pixels_ * layer_.block_outputs; }

  void start_sums() {
    const auto bytes = static_cast<size_t>(layer_.block_outputs) * sizeof(float);
    for (int64_t block = 0; block < layer_.blocks; ++block)
      for (int64_t p = 0; p < pixels_; ++p)
        std::memcpy(sums_of(block) + p * layer_.block_outputs, layer_.bias.data<float>() + block * layer_.block_outputs,
                    bytes);
  }

  // Sets rows_ to where each kernel row's input channels [c, c + channels) of this segment are: in the frame itself if
  // they lie there as the tiles read them, else gathered.
  void look_up(int64_t frame, int64_t row, int64_t c, int64_t channels) {
    const int64_t begin = first_ * g_.shape.stride_space - g_.shape.pad_left;
    const int64_t count = (pixels_ - 1) * g_.shape.stride_space + layer_.kernel_width;
    const bool in_place = same_type_ && !g_.shape.doubled && c + channels <= layer_.in_channels && begin >= 0 &&
                          begin + count <= g_.width;
    const auto stored = static_cast<int64_t>(dtype_size(g_.x_type));
    pixel_elements_ = in_place ? layer_.in_channels : channels;
    rows_.clear();
    for (int kt = 0; kt < layer_.kernel_time; ++kt)
      for (int kh = 0; kh < layer_.kernel_height; ++kh) {
        const std::byte* from = g_.input_row(frame, row, kt, kh);
        if (!from) {
          rows_.push_back(nullptr);
        } else if (in_place) {
          rows_.push_back(from + (begin * layer_.in_channels + c) * stored);
        } else {
          std::byte* to = gathered_ + static_cast<int64_t>(rows_.size()) * segments_.input_pixels *
                                          segments_.channel_step * element_;
          gather(from + c * stored, begin, count, std::min(channels, layer_.in_channels - c), channels, to);
          rows_.push_back(to);
        }
      }
  }

  // `valid` of `channels` channels of the pixels [begin, begin + count); what lies outside of the frame is zero.
  void gather(const std::byte* row, int64_t begin, int64_t count, int64_t valid, int64_t channels,
              std::byte* to) const {
    const int64_t stored = static_cast<int64_t>(dtype_size(g_.x_type)) * layer_.in_channels,
                  pixel_bytes = channels * element_;
    const int64_t left = std::clamp<int64_t>(-begin, 0, count),
                  right = std::clamp<int64_t>(g_.width - begin, left, count);
    std::memset(to, 0, static_cast<size_t>(left * pixel_bytes));
    std::memset(to + right * pixel_bytes, 0, static_cast<size_t>((count - right) * pixel_bytes));
    if (!g_.shape.doubled && valid == layer_.in_channels && valid == channels)
      return convert(row + (begin + left) * stored, to + left * pixel_bytes, (right - left) * channels);
    for (int64_t p = left; p < right; ++p) {
      std::byte* const pixel = to + p * pixel_bytes;
      convert(row + (g_.shape.doubled ? (begin + p) / 2 : begin + p) * stored, pixel, valid);
      std::memset(pixel + valid * element_, 0, static_cast<size_t>((channels - valid) * element_));
    }
  }

  void convert(const std::byte* from, std::byte* to, int64_t count) const {
    if (same_type_)
      std::memcpy(to, from, static_cast<size_t>(count * element_));
    else if (kernel_.bf16)
      kernel_.to_bf16(reinterpret_cast<const float*>(from), reinterpret_cast<uint16_t*>(to), count);
    else
      kernel_.to_f32(reinterpret_cast<const uint16_t*>(from), reinterpret_cast<float*>(to), count);
  }

  // The channels that were looked up, for one block of outputs.
  void add(int64_t block, int64_t c, int64_t channels) const {
    TileCall call;
    call.pixel_stride = pixel_elements_ * g_.shape.stride_space;
    call.tap_stride = pixel_elements_;
    call.weight_tap_stride = layer_.padded_channels * layer_.block_outputs;
    call.taps = layer_.kernel_width;
    call.channels = channels;
    call.sums = sums_of(block);
    call.pixels = pixels_;
    call.vectors = layer_.vectors;
    for (size_t r = 0; r < rows_.size(); ++r) {
      if (!rows_[r]) continue;
      const int64_t tap = (block * static_cast<int64_t>(rows_.size()) + static_cast<int64_t>(r)) * layer_.kernel_width;
      call.x = rows_[r];
      call.weights = layer_.weights.raw() + (tap * call.weight_tap_stride + c * layer_.block_outputs) * element_;
      kernel_.tile(call);
    }
  }

  void store(int64_t frame, int64_t row, int64_t block) const {
    const int64_t output = block * layer_.block_outputs;
    const int64_t offset = (row * g_.out_width + first_) * layer_.out_channels + output;
    StoreCall call;
    call.sums = sums_of(block);
    call.sum_stride = layer_.block_outputs;
    call.pixels = valid_;
    call.outputs = std::min(layer_.block_outputs, layer_.out_channels - output);
    call.out_stride = layer_.out_channels;
    call.out_bf16 = g_.out_type == DType::bf16;
    call.out = g_.out[static_cast<size_t>(frame)] + offset * static_cast<int64_t>(dtype_size(g_.out_type));
    call.residual_bf16 = g_.residual_type == DType::bf16;
    if (!g_.residual.empty())
      call.residual =
          g_.residual[static_cast<size_t>(frame)] + offset * static_cast<int64_t>(dtype_size(g_.residual_type));
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
  int64_t first_ = 0, valid_ = 0, pixels_ = 0, pixel_elements_ = 0;
};

}  // namespace

Segments plan_segments(const Geometry& g) {
  const PackedConvolution& layer = *g.weights;
  const TileKernel& kernel = *layer.kernel;
  const int64_t tile = kernel.pixels[layer.vectors], element = kernel.bf16 ? 2 : 4;
  const int64_t kernel_rows = int64_t{layer.kernel_time} * layer.kernel_height;
  Segments s;
  const int64_t weights_of_channel = layer.kernel_width * layer.block_outputs * element;
  const int64_t fitting = std::max<int64_t>(kWeightBytes / weights_of_channel / 32 * 32, 32);
  const int64_t steps = (layer.padded_channels + fitting - 1) / fitting;
  s.channel_step = round_up((layer.padded_channels + steps - 1) / steps, std::max(kernel.channel_multiple, 2));
  const int64_t pixel_bytes = kernel_rows * s.channel_step * element * g.shape.stride_space;
  const int64_t most = std::clamp(kGatherBytes / pixel_bytes / tile * tile, tile, round_up(128, tile));
  s.count = (g.out_width + most - 1) / most;
  s.pixels = round_up((g.out_width + s.count - 1) / s.count, tile);
  s.count = (g.out_width + s.pixels - 1) / s.pixels;
  s.input_pixels = (s.pixels - 1) * g.shape.stride_space + layer.kernel_width;
  s.gather_bytes = static_cast<uint64_t>(round_up(kernel_rows * s.input_pixels * s.channel_step * element, 64));
  s.scratch_bytes =
      s.gather_bytes + static_cast<uint64_t>(round_up(s.pixels * layer.blocks * layer.block_outputs * 4, 64));
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
