// The H.264 encoder over OpenH264: its settings, and one access unit a picture.
#include "media/h264_encoder.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "media/yuv.h"
#include "runtime/status.h"

#ifdef RUSHES_HAS_OPENH264
#include <wels/codec_api.h>
#endif

namespace rushes {

int h264_quantizer(int quality) {
  return static_cast<int>(std::lround(45.0 - (std::clamp(quality, 1, 100) - 1) * (45.0 - 12.0) / 99.0));
}

void require_h264_size(int64_t width, int64_t height) {
  const auto [shorter, longer] = std::minmax(width, height);
  if (shorter >= kH264Smallest && longer <= kH264Longer && shorter <= kH264Shorter && width % 2 == 0 && height % 2 == 0)
    return;
  throw Error("settings.invalid",
              "A video of " + std::to_string(width) + "x" + std::to_string(height) +
                  " cannot be written: H.264 takes even sides, the longer one to " + std::to_string(kH264Longer) +
                  " and the shorter one to " + std::to_string(kH264Shorter) + ".",
              "Choose a smaller size, such as 1280x720.");
}

void H264Encoder::require_available() {
  if (!available())
    throw Error("engine.unavailable", "This build of Rushes has no H.264 encoder.",
                "Install libopenh264-dev and build again.");
}

#ifdef RUSHES_HAS_OPENH264

namespace {

void check(const H264Settings& settings) {
  require_h264_size(settings.width, settings.height);
  if (!(settings.frame_rate >= 1 && settings.frame_rate <= 60))
    throw Error("settings.invalid", "The frame rate must lie between 1 and 60 frames a second.");
  if (settings.quality < 1 || settings.quality > 100)
    throw Error("settings.invalid", "The quality of a video must lie between 1 and 100.");
  if (settings.key_frame_interval < 1) throw Error("settings.invalid", "The key frame interval must be at least 1.");
}

[[noreturn]] void refuse(const char* step, int code) {
  throw Error("engine.internal", "The H.264 encoder refused to work.", {},
              std::string("OpenH264: ") + step + " returned " + std::to_string(code));
}

SEncParamExt encoder_parameters(ISVCEncoder& encoder, const H264Settings& settings) {
  SEncParamExt p{};
  encoder.GetDefaultParams(&p);
  const int quantizer = h264_quantizer(settings.quality);
  p.iUsageType = CAMERA_VIDEO_REAL_TIME;
  p.iPicWidth = settings.width;
  p.iPicHeight = settings.height;
  p.fMaxFrameRate = static_cast<float>(settings.frame_rate);
  p.iRCMode = RC_OFF_MODE;  // constant quantizer
  p.iMinQp = p.iMaxQp = quantizer;
  p.iTargetBitrate = p.iMaxBitrate = UNSPECIFIED_BIT_RATE;
  p.iTemporalLayerNum = p.iSpatialLayerNum = 1;
  p.iComplexityMode = HIGH_COMPLEXITY;
  p.uiIntraPeriod = static_cast<unsigned>(settings.key_frame_interval);
  p.iNumRefFrame = 1;
  p.eSpsPpsIdStrategy = CONSTANT_ID;
  p.iEntropyCodingModeFlag = 1;  // CABAC
  p.iMultipleThreadIdc = 1;      // the same bytes on every machine
  p.bEnableFrameSkip = p.bEnableLongTermReference = p.bEnableDenoise = false;
  p.bEnableBackgroundDetection = p.bEnableAdaptiveQuant = p.bEnableSceneChangeDetect = false;
  SSpatialLayerConfig& layer = p.sSpatialLayers[0];
  layer.iVideoWidth = settings.width;
  layer.iVideoHeight = settings.height;
  layer.fFrameRate = p.fMaxFrameRate;
  layer.iSpatialBitrate = layer.iMaxSpatialBitrate = UNSPECIFIED_BIT_RATE;
  layer.uiProfileIdc = PRO_HIGH;
  layer.uiLevelIdc = LEVEL_UNKNOWN;  // the lowest that fits
  layer.iDLayerQp = quantizer;
  layer.sSliceArgument.uiSliceMode = SM_SINGLE_SLICE;
  layer.bVideoSignalTypePresent = true;
  layer.uiVideoFormat = VF_UNDEF;
  layer.bFullRange = false;
  layer.bColorDescriptionPresent = true;
  layer.uiColorPrimaries = CP_BT709;
  layer.uiTransferCharacteristics = TRC_BT709;
  layer.uiColorMatrix = CM_BT709;
  return p;
}

struct Destroy {
  void operator()(ISVCEncoder* encoder) const {
    encoder->Uninitialize();
    WelsDestroySVCEncoder(encoder);
  }
};

}  // namespace

struct H264Encoder::State {
  H264Settings settings;
  std::unique_ptr<ISVCEncoder, Destroy> encoder;
  I420Picture picture;
  int64_t next_frame = 0;
};

H264Encoder::H264Encoder(const H264Settings& settings) : state_(std::make_unique<State>()) {
  check(settings);
  state_->settings = settings;
  ISVCEncoder* encoder = nullptr;
  if (const int code = WelsCreateSVCEncoder(&encoder); code != 0 || !encoder) refuse("create", code);
  state_->encoder.reset(encoder);
  int quiet = WELS_LOG_QUIET;
  encoder->SetOption(ENCODER_OPTION_TRACE_LEVEL, &quiet);
  const SEncParamExt parameters = encoder_parameters(*encoder, settings);
  if (const int code = encoder->InitializeExt(&parameters); code != cmResultSuccess) refuse("initialize", code);
}

H264Packet H264Encoder::encode(std::span<const uint8_t> rgb) {
  State& state = *state_;
  const int width = state.settings.width, height = state.settings.height;
  rgb_to_i420(rgb, width, height, state.picture);
  SSourcePicture source{};
  source.iColorFormat = videoFormatI420;
  source.iPicWidth = width;
  source.iPicHeight = height;
  source.iStride[0] = width;
  source.iStride[1] = source.iStride[2] = width / 2;
  source.pData[0] = state.picture.y.data();
  source.pData[1] = state.picture.u.data();
  source.pData[2] = state.picture.v.data();
  source.uiTimeStamp = std::llround(static_cast<double>(state.next_frame) * 1000.0 / state.settings.frame_rate);
  SFrameBSInfo info{};
  if (const int code = state.encoder->EncodeFrame(&source, &info); code != cmResultSuccess) refuse("encode", code);
  if (info.eFrameType == videoFrameTypeSkip || info.eFrameType == videoFrameTypeInvalid)
    refuse("encode: frame type", info.eFrameType);

  H264Packet packet;
  packet.frame = state.next_frame++;
  packet.key_frame = info.eFrameType == videoFrameTypeIDR;
  for (int l = 0; l < info.iLayerNum; ++l) {
    const SLayerBSInfo& layer = info.sLayerInfo[l];
    size_t bytes = 0;
    for (int n = 0; n < layer.iNalCount; ++n) bytes += static_cast<size_t>(layer.pNalLengthInByte[n]);
    packet.data.insert(packet.data.end(), layer.pBsBuf, layer.pBsBuf + bytes);
  }
  return packet;
}

bool H264Encoder::available() { return true; }

#else

struct H264Encoder::State {};

H264Encoder::H264Encoder(const H264Settings&) { require_available(); }

H264Packet H264Encoder::encode(std::span<const uint8_t>) { return {}; }
bool H264Encoder::available() { return false; }

#endif

H264Encoder::~H264Encoder() = default;
H264Encoder::H264Encoder(H264Encoder&&) noexcept = default;
H264Encoder& H264Encoder::operator=(H264Encoder&&) noexcept = default;

}  // namespace rushes
