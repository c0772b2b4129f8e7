// The H.264 encoder: stream structure, determinism, and (where ffmpeg is) that other programs read what we meant.
#include "media/h264_encoder.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "media/ffmpeg.h"
#include "media/yuv.h"
#include "runtime/status.h"

using namespace rushes;

namespace {

constexpr int kWidth = 144, kHeight = 80, kFrames = 33;

std::vector<uint8_t> wave(int frame) { return rushes::wave(frame, kWidth, kHeight); }

std::vector<H264Packet> encode_clip(int quality) {
  H264Encoder encoder({.width = kWidth, .height = kHeight, .quality = quality});
  std::vector<H264Packet> packets;
  for (int f = 0; f < kFrames; ++f) packets.push_back(encoder.encode(wave(f)));
  return packets;
}

// nal_unit_type of every unit of an Annex B stream.
std::vector<int> nal_types(const std::vector<uint8_t>& data) {
  std::vector<int> types;
  for (size_t i = 0; i + 3 < data.size(); ++i)
    if (data[i] == 0 && data[i + 1] == 0 && data[i + 2] == 1) types.push_back(data[i + 3] & 31);
  return types;
}

size_t total_bytes(const std::vector<H264Packet>& packets) {
  size_t bytes = 0;
  for (const auto& packet : packets) bytes += packet.data.size();
  return bytes;
}

}  // namespace

TEST_CASE("quality maps to the quantizer, higher is finer") {
  CHECK(h264_quantizer(1) == 45);
  CHECK(h264_quantizer(100) == 12);
  for (int q = 2; q <= 100; ++q) CHECK(h264_quantizer(q) <= h264_quantizer(q - 1));
}

TEST_CASE("a build without OpenH264 says so" * doctest::skip(H264Encoder::available())) {
  CHECK_THROWS_AS(H264Encoder({.width = 64, .height = 64}), Error);
}

TEST_CASE("one packet a frame, key frames every second with SPS and PPS" * doctest::skip(!H264Encoder::available())) {
  const auto packets = encode_clip(80);
  REQUIRE(packets.size() == kFrames);
  for (int f = 0; f < kFrames; ++f) {
    const H264Packet& packet = packets[static_cast<size_t>(f)];
    CAPTURE(f);
    CHECK(packet.frame == f);
    CHECK(packet.key_frame == (f % 16 == 0));
    REQUIRE(packet.data.size() > 4);
    CHECK(packet.data[0] == 0);
    CHECK(nal_types(packet.data) == (f % 16 == 0 ? std::vector<int>{7, 8, 5} : std::vector<int>{1}));
  }
}

TEST_CASE("the same pictures give the same bytes; less quality gives fewer" *
          doctest::skip(!H264Encoder::available())) {
  const auto first = encode_clip(80), second = encode_clip(80), coarse = encode_clip(20);
  for (size_t f = 0; f < first.size(); ++f) CHECK(first[f].data == second[f].data);
  CHECK(total_bytes(coarse) < total_bytes(first));
}

TEST_CASE("sizes, rates and qualities out of range are refused" * doctest::skip(!H264Encoder::available())) {
  CHECK_THROWS_AS(H264Encoder({.width = 65, .height = 64}), Error);
  CHECK_THROWS_AS(H264Encoder({.width = 8, .height = 64}), Error);
  CHECK_THROWS_AS(H264Encoder({.width = 64, .height = 64, .quality = 0}), Error);
  CHECK_THROWS_AS(H264Encoder({.width = 64, .height = 64, .frame_rate = 0}), Error);
  H264Encoder encoder({.width = 64, .height = 64});
  CHECK_THROWS_AS(encoder.encode(std::vector<uint8_t>(10)), Error);
}

TEST_CASE("ffmpeg reads size, colour and pictures back" * doctest::skip(!H264Encoder::available() || !has_ffmpeg())) {
  TemporaryFolder folder("h264");
  const auto stream = folder.path / "clip.h264", planes = folder.path / "clip.yuv";
  {
    std::ofstream file(stream, std::ios::binary);
    for (const auto& packet : encode_clip(80))
      file.write(reinterpret_cast<const char*>(packet.data.data()), static_cast<std::streamsize>(packet.data.size()));
  }
  const std::string facts = output_of(
      "ffprobe -v error -count_frames -of default=nw=1 -show_entries stream=profile,width,height,pix_fmt,color_range,"
      "color_space,color_transfer,color_primaries,has_b_frames,nb_read_frames " +
      stream.string());
  CAPTURE(facts);
  for (const char* fact :
       {"profile=High\n", "width=144\n", "height=80\n", "pix_fmt=yuv420p\n", "color_range=tv\n", "color_space=bt709\n",
        "color_transfer=bt709\n", "color_primaries=bt709\n", "has_b_frames=0\n", "nb_read_frames=33\n"})
    CHECK_MESSAGE(facts.find(fact) != std::string::npos, fact);
  REQUIRE(std::system(("ffmpeg -v error -y -i " + stream.string() + " -f rawvideo " + planes.string()).c_str()) == 0);
  const auto decoded = read_bytes(planes);
  const size_t picture_bytes = kWidth * kHeight * 3 / 2;
  REQUIRE(decoded.size() == picture_bytes * kFrames);
  double worst = INFINITY;
  for (int f = 0; f < kFrames; ++f) {
    I420Picture picture;
    rgb_to_i420(wave(f), kWidth, kHeight, picture);
    std::vector<uint8_t> all = picture.y;
    all.insert(all.end(), picture.u.begin(), picture.u.end());
    all.insert(all.end(), picture.v.begin(), picture.v.end());
    worst = std::min(worst, psnr(all, &decoded[picture_bytes * static_cast<size_t>(f)]));
  }
  MESSAGE("worst frame PSNR at quality 80: " << worst << " dB");
  CHECK(worst > 38);
}
