// The C interface of finished videos (rushes/media.h).
#include "rushes/media.h"

#include <span>
#include <string>
#include <vector>

#include "engine/guarded.h"
#include "media/h264_decoder.h"
#include "media/vp9_encoder.h"

namespace rushes {
namespace {

void check(const rushes_clip& clip) {
  const int shorter = std::min(clip.width, clip.height), longer = std::max(clip.width, clip.height);
  if (shorter < 16 || longer > 4096 || clip.width % 2 || clip.height % 2)
    throw Error("file.unreadable",
                "A video of " + std::to_string(clip.width) + " x " + std::to_string(clip.height) + " cannot be read.");
  if (clip.unit_count == 0) throw Error("file.unreadable", "The video has no pictures.");
}

// Every picture of the clip, in order.
void decode_each(const rushes_clip& clip, const rushes_callbacks& callbacks, H264Decoder::Sink sink) {
  H264Decoder decoder(clip.width, clip.height, std::move(sink));
  for (size_t i = 0; i < clip.unit_count; ++i) {
    if (callbacks.cancelled && callbacks.cancelled(callbacks.user)) throw Cancelled();
    decoder.decode({clip.units[i].data, clip.units[i].size});
  }
  decoder.finish();
}

void decode_clip(const rushes_clip& clip, size_t first, const rushes_callbacks& callbacks) {
  check(clip);
  size_t frame = 0;
  std::vector<uint8_t> rgb;
  decode_each(clip, callbacks, [&](const I420View& picture) {
    const size_t number = frame++;
    if (number < first || !callbacks.frame) return;
    i420_to_rgb(picture, rgb);
    callbacks.frame(callbacks.user, static_cast<int64_t>(number), rgb.data(), picture.width, picture.height);
  });
}

void encode_vp9(const rushes_clip& clip, const rushes_vp9_settings& settings, const rushes_callbacks& callbacks) {
  check(clip);
  Vp9Encoder encoder({.width = clip.width,
                      .height = clip.height,
                      .frame_rate = settings.frame_rate,
                      .quality = settings.quality,
                      .threads = settings.threads},
                     [&](const Vp9Packet& packet) {
                       if (callbacks.cancelled && callbacks.cancelled(callbacks.user)) throw Cancelled();
                       if (callbacks.packet)
                         callbacks.packet(callbacks.user, packet.data.data(), packet.data.size(), packet.key_frame,
                                          packet.frame);
                     });
  decode_each(clip, callbacks, [&](const I420View& picture) { encoder.encode(picture); });
  encoder.finish();
}

}  // namespace
}  // namespace rushes

extern "C" {

rushes_status rushes_decode_clip(const rushes_clip* clip, size_t first, const rushes_callbacks* callbacks) {
  return rushes::guarded([&] { rushes::decode_clip(*clip, first, *callbacks); });
}

rushes_status rushes_encode_vp9(const rushes_clip* clip, const rushes_vp9_settings* settings,
                                const rushes_callbacks* callbacks) {
  return rushes::guarded([&] { rushes::encode_vp9(*clip, *settings, *callbacks); });
}

}  // extern "C"
