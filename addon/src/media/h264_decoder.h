// Pictures from H.264 access units. Does not live here: taking the units out of a file (the application does that).
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "media/yuv.h"

namespace rushes {

/// Decodes a stream without gaps, beginning with a key frame that carries its parameter sets. Damage is an error, never
/// a guessed picture. Single-threaded, at most a few pictures in memory. Errors: file.unreadable (damaged, or no H.264
/// of this size), engine.unavailable (the engine was built without OpenH264), engine.internal (the decoder refused).
class H264Decoder {
 public:
  /// The planes are valid during the call only.
  using Sink = std::function<void(const I420View&)>;

  /// Every picture must have this size.
  H264Decoder(int width, int height, Sink sink);
  ~H264Decoder();
  H264Decoder(H264Decoder&&) noexcept;
  H264Decoder& operator=(H264Decoder&&) noexcept;
  /// One access unit in Annex B form. Its picture comes now or with a later call, in presentation order.
  void decode(std::span<const uint8_t> unit);
  /// Gives the pictures still held. Nothing may be decoded afterwards.
  void finish();
  /// False where the engine was built without OpenH264.
  static bool available();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace rushes
