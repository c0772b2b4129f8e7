// Clips through the C interface: bytes cut into access units as the application would hand them over.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "fuzz/exercise.h"
#include "media/h264_decoder.h"
#include "media/h264_encoder.h"
#include "rushes/media.h"

namespace rushes::fuzz {
namespace {

// Small: most of an input is then what decides how the rest is read.
constexpr int kWidth = 48, kHeight = 32;
constexpr size_t kMostUnits = 64;

bool begins_unit(std::span<const std::byte> bytes, size_t at) {
  constexpr std::byte start_code[] = {std::byte{0}, std::byte{0}, std::byte{0}, std::byte{1}};
  if (at + 5 > bytes.size() || std::memcmp(&bytes[at], start_code, 4) != 0) return false;
  const unsigned kind = static_cast<unsigned>(bytes[at + 4]) & 31;
  return kind == 1 || kind == 7;  // a picture of its own, or the parameter sets before a key frame
}

std::vector<rushes_access_unit> units_of(std::span<const std::byte> bytes) {
  std::vector<rushes_access_unit> units;
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  size_t begin = 0;
  for (size_t at = 1; at <= bytes.size() && units.size() < kMostUnits; ++at)
    if (at == bytes.size() || begins_unit(bytes, at)) {
      units.push_back({data + begin, at - begin});
      begin = at;
    }
  return units;
}

std::vector<uint8_t> moving_picture(int frame) {
  std::vector<uint8_t> rgb;
  for (int y = 0; y < kHeight; ++y)
    for (int x = 0; x < kWidth; ++x)
      for (int c = 0; c < 3; ++c)
        rgb.push_back(static_cast<uint8_t>(std::lround(127.5 + 100 * std::sin((x + 2 * frame) * 0.2 + y * 0.1 + c))));
  return rgb;
}

}  // namespace

std::string exercise_clip(std::span<const std::byte> bytes) {
  struct Seen {
    int64_t frames = 0;
    unsigned sum = 0;
  } seen;
  rushes_callbacks callbacks{};
  callbacks.user = &seen;
  callbacks.frame = [](void* user, int64_t frame, const uint8_t* rgb, int width, int height) {
    auto& s = *static_cast<Seen*>(user);
    if (frame != s.frames++ || width != kWidth || height != kHeight) throw std::logic_error("not the next picture");
    for (int i = 0; i < width * height * 3; ++i) s.sum += rgb[i];
  };
  // A copy without room to spare, so that reading past its end is seen.
  const std::vector<std::byte> exact(bytes.begin(), bytes.end());
  const std::vector<rushes_access_unit> units = units_of(exact);
  const rushes_clip clip{units.data(), units.size(), kWidth, kHeight};
  const rushes_status status = rushes_decode_clip(&clip, 0, &callbacks);
  static volatile unsigned sink;
  sink = seen.sum;  // the reads must happen
  const std::string code = status.code;
  if (code.empty() && seen.frames != static_cast<int64_t>(units.size())) throw std::logic_error("a picture is missing");
  const bool expected = code.empty() || code == "file.unreadable" || !H264Decoder::available();
  if (!expected) throw std::logic_error("the code " + code);
  return code;
}

std::vector<std::vector<std::byte>> clip_seeds() {
  std::vector<std::vector<std::byte>> out;
  if (!H264Encoder::available()) return out;
  for (const auto& [quality, interval] : {std::pair{20, 16}, std::pair{80, 3}, std::pair{100, 1}}) {
    H264Encoder encoder({.width = kWidth, .height = kHeight, .quality = quality, .key_frame_interval = interval});
    auto& stream = out.emplace_back();
    for (int frame = 0; frame < 6; ++frame)
      for (const uint8_t byte : encoder.encode(moving_picture(frame)).data) stream.push_back(std::byte{byte});
  }
  return out;
}

}  // namespace rushes::fuzz
