// The VP9 encoder over libvpx: its settings, and one packet a picture.
#include "media/vp9_encoder.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <thread>
#include <utility>

#include "runtime/status.h"

#ifdef RUSHES_HAS_VPX
#include <vpx/vp8cx.h>
#include <vpx/vpx_encoder.h>
#endif

namespace rushes {

int vp9_quantizer(int quality) {
  return static_cast<int>(std::lround(55.0 - (std::clamp(quality, 1, 100) - 1) * (55.0 - 8.0) / 99.0));
}

#ifdef RUSHES_HAS_VPX

namespace {

// Looking further ahead makes no visible difference to clips of seconds, and every picture of it costs memory.
constexpr unsigned kLookahead = 16;
// Of libvpx's 0 (best) to 9 (quickest); measured in docs/SPEED.md.
constexpr int kSpeed = 4;

void check(const Vp9Settings& settings) {
  const int shorter = std::min(settings.width, settings.height), longer = std::max(settings.width, settings.height);
  if (shorter < 16 || longer > 4096 || settings.width % 2 || settings.height % 2)
    throw Error("settings.invalid", "VP9 pictures have an even width and height from 16 to 4096, not " +
                                        std::to_string(settings.width) + " x " + std::to_string(settings.height) + ".");
  if (!(settings.frame_rate >= 1 && settings.frame_rate <= 60))
    throw Error("settings.invalid", "The frame rate must lie between 1 and 60 frames a second.");
  if (settings.quality < 1 || settings.quality > 100)
    throw Error("settings.invalid", "The quality of a video must lie between 1 and 100.");
  if (settings.key_frame_interval < 1) throw Error("settings.invalid", "The key frame interval must be at least 1.");
}

unsigned thread_count(int asked) {
  const int count = asked > 0 ? asked : static_cast<int>(std::thread::hardware_concurrency());
  return static_cast<unsigned>(std::clamp(count, 1, 4));
}

}  // namespace

struct Vp9Encoder::State {
  Vp9Settings settings;
  Sink sink;
  vpx_codec_ctx_t codec{};
  bool open = false;
  int64_t next_frame = 0, next_packet = 0;

  ~State() {
    if (open) vpx_codec_destroy(&codec);
  }

  void expect(vpx_codec_err_t code, const char* step) {
    if (code == VPX_CODEC_OK) return;
    const char* detail = vpx_codec_error_detail(&codec);
    throw Error("engine.internal", "The VP9 encoder refused to work.", {},
                std::string("libvpx: ") + step + ": " + vpx_codec_err_to_string(code) + (detail ? ", " : "") +
                    (detail ? detail : ""));
  }

  // Hands out what is finished; false when that was nothing.
  bool drain() {
    vpx_codec_iter_t position = nullptr;
    bool any = false;
    while (const vpx_codec_cx_pkt_t* packet = vpx_codec_get_cx_data(&codec, &position)) {
      if (packet->kind != VPX_CODEC_CX_FRAME_PKT) continue;
      any = true;
      const auto& frame = packet->data.frame;
      if (frame.pts != next_packet)
        throw Error("engine.internal", "The VP9 encoder lost a picture.", {}, "frame " + std::to_string(next_packet));
      ++next_packet;
      const auto* data = static_cast<const uint8_t*>(frame.buf);
      sink({{data, data + frame.sz}, (frame.flags & VPX_FRAME_IS_KEY) != 0, frame.pts});
    }
    return any;
  }
};

Vp9Encoder::Vp9Encoder(const Vp9Settings& settings, Sink sink) : state_(std::make_unique<State>()) {
  check(settings);
  State& state = *state_;
  state.settings = settings;
  state.sink = std::move(sink);
  vpx_codec_iface_t* vp9 = vpx_codec_vp9_cx();
  vpx_codec_enc_cfg_t config{};
  state.expect(vpx_codec_enc_config_default(vp9, &config, 0), "defaults");
  config.g_profile = 0;
  config.g_w = static_cast<unsigned>(settings.width);
  config.g_h = static_cast<unsigned>(settings.height);
  // One tick a picture.
  config.g_timebase = {1000, static_cast<int>(std::lround(settings.frame_rate * 1000))};
  config.g_threads = thread_count(settings.threads);
  config.g_lag_in_frames = kLookahead;
  config.g_pass = VPX_RC_ONE_PASS;
  config.rc_end_usage = VPX_Q;
  config.rc_target_bitrate = 0;
  config.rc_min_quantizer = 0;
  config.rc_max_quantizer = 63;
  config.kf_mode = VPX_KF_AUTO;
  config.kf_max_dist = static_cast<unsigned>(settings.key_frame_interval);
  state.expect(vpx_codec_enc_init(&state.codec, vp9, &config, 0), "open");
  state.open = true;
  const auto control = [&](int name, auto value) {
    state.expect(vpx_codec_control_(&state.codec, name, value), "control");
  };
  control(VP8E_SET_CPUUSED, kSpeed);
  control(VP8E_SET_CQ_LEVEL, static_cast<unsigned>(vp9_quantizer(settings.quality)));
  control(VP8E_SET_ENABLEAUTOALTREF, 1u);
  control(VP9E_SET_ROW_MT, 1u);
  control(VP9E_SET_TILE_COLUMNS, 2);
  control(VP9E_SET_COLOR_SPACE, static_cast<int>(VPX_CS_BT_709));
  control(VP9E_SET_COLOR_RANGE, static_cast<int>(VPX_CR_STUDIO_RANGE));
}

void Vp9Encoder::encode(const I420View& picture) {
  State& state = *state_;
  if (picture.width != state.settings.width || picture.height != state.settings.height)
    throw Error("engine.internal", "The VP9 encoder was given a picture of another size.");
  vpx_image_t image{};
  // The planes are set below; libvpx wants some address here and does not look at it.
  vpx_img_wrap(&image, VPX_IMG_FMT_I420, static_cast<unsigned>(picture.width), static_cast<unsigned>(picture.height), 1,
               const_cast<uint8_t*>(picture.y));
  image.planes[VPX_PLANE_Y] = const_cast<uint8_t*>(picture.y);
  image.planes[VPX_PLANE_U] = const_cast<uint8_t*>(picture.u);
  image.planes[VPX_PLANE_V] = const_cast<uint8_t*>(picture.v);
  image.stride[VPX_PLANE_Y] = picture.y_stride;
  image.stride[VPX_PLANE_U] = image.stride[VPX_PLANE_V] = picture.chroma_stride;
  image.cs = VPX_CS_BT_709;
  image.range = VPX_CR_STUDIO_RANGE;
  state.expect(vpx_codec_encode(&state.codec, &image, state.next_frame++, 1, 0, VPX_DL_GOOD_QUALITY), "encode");
  state.drain();
}

void Vp9Encoder::finish() {
  State& state = *state_;
  do state.expect(vpx_codec_encode(&state.codec, nullptr, -1, 1, 0, VPX_DL_GOOD_QUALITY), "finish");
  while (state.drain());
  if (state.next_packet != state.next_frame)
    throw Error("engine.internal", "The VP9 encoder lost pictures.", {},
                std::to_string(state.next_packet) + " of " + std::to_string(state.next_frame));
}

bool Vp9Encoder::available() { return true; }

#else

struct Vp9Encoder::State {};

Vp9Encoder::Vp9Encoder(const Vp9Settings&, Sink) {
  throw Error("engine.unavailable", "This build of Rushes has no VP9 encoder.", "Install libvpx-dev and build again.");
}

void Vp9Encoder::encode(const I420View&) {}
void Vp9Encoder::finish() {}
bool Vp9Encoder::available() { return false; }

#endif

Vp9Encoder::~Vp9Encoder() = default;
Vp9Encoder::Vp9Encoder(Vp9Encoder&&) noexcept = default;
Vp9Encoder& Vp9Encoder::operator=(Vp9Encoder&&) noexcept = default;

}  // namespace rushes
