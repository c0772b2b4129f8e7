// Which tiles the cuda backend takes for a convolution, a channel norm and a doubling: pure functions of the card and
// the shape, tested without a card. No choice changes a bit of a result but the channel norm's, whose sums follow the
// number of lanes; that follows the number of channels alone.
#pragma once
#include <cstdint>

#include "runtime/device.h"

namespace rushes::convolution_tiles {

/// Channels of a step of depth, steps in shared memory at a time, threads of a block of the tensor cores' kernel.
constexpr int kStepChannels = 32, kStages = 4, kThreads = 256;
constexpr int bf16_stage_bytes(int rows, int columns) { return (rows + columns) * kStepChannels * 2; }

/// Outputs of a block: 128, 96 or 32. The least padding, then the widest. It says how the weights are laid out, so that
/// it knows no card.
int convolution_columns(int64_t outputs);

/// Pixels of a block, 256 or 128: 256 read the weights half as often, as long as they are enough to fill the card.
/// `padded_outputs` is a multiple of `columns`.
int convolution_rows(const DeviceInfo& card, int64_t pixels, int64_t padded_outputs, int columns, int64_t frames);

/// Lanes that hold a pixel of a channel norm in registers, 8, 16 or 32, as few as hold it in four turns; 0: a warp that
/// reads it twice, for numbers of channels that do not move in fours, or do not fit.
int channel_norm_lanes(int64_t channels);

/// Bytes that move at once when frames are doubled: 16, 4 or 2. `pixel_bytes` is a multiple of 2.
int doubling_bytes(int64_t pixel_bytes);

}  // namespace rushes::convolution_tiles
