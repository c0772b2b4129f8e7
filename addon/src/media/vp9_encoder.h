// VP9 frames from planes. Does not live here: the WebM around them (the application writes it).
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "media/yuv.h"

namespace rushes {

struct Vp9Settings {
  int width = 0, height = 0;    // even, 16..4096
  double frame_rate = 16;       // frames a second, 1..60
  int quality = 80;             // 1..100, constant: see vp9_quantizer
  int key_frame_interval = 64;  // frames, at most
  int threads = 0;              // 0: as many as the machine has, at most 4
};

/// The level of constant quality (0..63, lower is finer) of a quality: 100 -> 8, 1 -> 55, straight between, rounded.
int vp9_quantizer(int quality);

struct Vp9Packet {
  std::vector<uint8_t> data;
  bool key_frame = false;
  int64_t frame = 0;
};

/// Profile 0, one pass, constant quality, colour tagged BT.709 limited range. Errors: settings.invalid (size, rate or
/// quality out of range), engine.unavailable (the engine was built without libvpx), engine.internal (the encoder
/// refused).
class Vp9Encoder {
 public:
  using Sink = std::function<void(Vp9Packet)>;

  Vp9Encoder(const Vp9Settings& settings, Sink sink);
  ~Vp9Encoder();
  Vp9Encoder(Vp9Encoder&&) noexcept;
  Vp9Encoder& operator=(Vp9Encoder&&) noexcept;
  /// Every picture gives one packet, in order; it looks ahead, so packets come later than their pictures.
  void encode(const I420View& picture);
  /// Gives the packets still held. Nothing may be encoded afterwards.
  void finish();
  /// False where the engine was built without libvpx.
  static bool available();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace rushes
