// The H.264 decoder over OpenH264.
#include "media/h264_decoder.h"

#include <climits>
#include <string>
#include <utility>

#include "runtime/status.h"

#ifdef RUSHES_HAS_OPENH264
#include <wels/codec_api.h>
#endif

namespace rushes {

#ifdef RUSHES_HAS_OPENH264

namespace {

// Far above what a picture of 4096 x 2304 needs at the finest quality.
constexpr size_t kLargestUnit = size_t{64} << 20;

[[noreturn]] void damaged(int64_t frame, const std::string& detail) {
  throw Error("file.unreadable", "The video is damaged: picture " + std::to_string(frame + 1) + " cannot be decoded.",
              {}, detail);
}

struct Destroy {
  void operator()(ISVCDecoder* decoder) const {
    decoder->Uninitialize();
    WelsDestroyDecoder(decoder);
  }
};

}  // namespace

struct H264Decoder::State {
  int width, height;
  Sink sink;
  std::unique_ptr<ISVCDecoder, Destroy> decoder;
  int64_t decoded = 0;  // units
  int64_t given = 0;    // pictures

  void give(uint8_t* const planes[3], const SBufferInfo& info) {
    const SSysMEMBuffer& buffer = info.UsrData.sSystemBuffer;
    if (buffer.iWidth != width || buffer.iHeight != height || buffer.iFormat != videoFormatI420)
      damaged(given, "its size is " + std::to_string(buffer.iWidth) + " x " + std::to_string(buffer.iHeight));
    ++given;
    sink({width, height, planes[0], planes[1], planes[2], buffer.iStride[0], buffer.iStride[1]});
  }
};

H264Decoder::H264Decoder(int width, int height, Sink sink)
    : state_(new State{.width = width, .height = height, .sink = std::move(sink), .decoder = nullptr}) {
  ISVCDecoder* decoder = nullptr;
  if (WelsCreateDecoder(&decoder) != 0 || !decoder)
    throw Error("engine.internal", "The H.264 decoder could not be made.");
  state_->decoder.reset(decoder);
  int quiet = WELS_LOG_QUIET;
  decoder->SetOption(DECODER_OPTION_TRACE_LEVEL, &quiet);
  SDecodingParam parameters{};
  parameters.uiTargetDqLayer = UCHAR_MAX;
  parameters.eEcActiveIdc = ERROR_CON_DISABLE;
  parameters.sVideoProperty.size = sizeof parameters.sVideoProperty;
  parameters.sVideoProperty.eVideoBsType = VIDEO_BITSTREAM_AVC;
  if (const long code = decoder->Initialize(&parameters); code != cmResultSuccess)
    throw Error("engine.internal", "The H.264 decoder refused to work.", {}, "OpenH264: " + std::to_string(code));
}

void H264Decoder::decode(std::span<const uint8_t> unit) {
  State& state = *state_;
  if (unit.empty() || unit.size() > kLargestUnit) damaged(state.decoded, std::to_string(unit.size()) + " bytes");
  uint8_t* planes[3] = {};
  SBufferInfo info{};
  const int code = state.decoder->DecodeFrameNoDelay(unit.data(), static_cast<int>(unit.size()), planes, &info);
  if (code != dsErrorFree) damaged(state.decoded, "OpenH264: status " + std::to_string(code));
  ++state.decoded;
  if (info.iBufferStatus == 1) state.give(planes, info);
}

void H264Decoder::finish() {
  State& state = *state_;
  while (state.given < state.decoded) {
    uint8_t* planes[3] = {};
    SBufferInfo info{};
    if (state.decoder->FlushFrame(planes, &info) != dsErrorFree || info.iBufferStatus != 1)
      damaged(state.given, "it never came out of the decoder");
    state.give(planes, info);
  }
}

bool H264Decoder::available() { return true; }

#else

struct H264Decoder::State {};

H264Decoder::H264Decoder(int, int, Sink) {
  throw Error("engine.unavailable", "This build of Rushes has no H.264 decoder.",
              "Install libopenh264-dev and build again.");
}

void H264Decoder::decode(std::span<const uint8_t>) {}
void H264Decoder::finish() {}
bool H264Decoder::available() { return false; }

#endif

H264Decoder::~H264Decoder() = default;
H264Decoder::H264Decoder(H264Decoder&&) noexcept = default;
H264Decoder& H264Decoder::operator=(H264Decoder&&) noexcept = default;

}  // namespace rushes
