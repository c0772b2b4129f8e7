// H.264 access units from RGB pictures. Does not live here: the MP4 around them (the application writes it).
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace rushes {

/// The largest pictures of H.264's level 5.2, either way round, which is where OpenH264 ends.
inline constexpr int kH264Smallest = 16, kH264Longer = 4096, kH264Shorter = 2304;
/// Throws settings.invalid, with a size that can be written, unless a video of this size can. Also in builds without
/// OpenH264, so that a job asks before it works.
void require_h264_size(int64_t width, int64_t height);

struct H264Settings {
  int width = 0, height = 0;    // of require_h264_size
  double frame_rate = 16;       // frames a second
  int quality = 80;             // 1..100, constant: see h264_quantizer
  int key_frame_interval = 16;  // frames; a key frame at 0, interval, 2 * interval, ...
};

/// The quantizer (QP) of a quality: 100 -> 12, 1 -> 45, straight between, rounded.
int h264_quantizer(int quality);

/// One picture as an Annex B byte stream. Key frames (IDR) carry SPS and PPS.
struct H264Packet {
  std::vector<uint8_t> data;
  bool key_frame = false;
  int64_t frame = 0;  // presentation order is coding order: there are no B frames
};

/// High profile, one slice a picture, constant quantizer, colour tagged BT.709 limited range. Single-threaded: the same
/// pictures give the same bytes. Errors: settings.invalid (size, rate or quality out of range), engine.unavailable (the
/// engine was built without OpenH264), engine.internal (the encoder refused).
class H264Encoder {
 public:
  explicit H264Encoder(const H264Settings& settings);
  ~H264Encoder();
  H264Encoder(H264Encoder&&) noexcept;
  H264Encoder& operator=(H264Encoder&&) noexcept;
  /// rgb [height, width, 3]. Every picture gives exactly one packet.
  H264Packet encode(std::span<const uint8_t> rgb);
  /// False where the engine was built without OpenH264.
  static bool available();
  /// Throws engine.unavailable there.
  static void require_available();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace rushes
