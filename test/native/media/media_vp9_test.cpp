// The VP9 encoder: one packet a picture, the colours it announces, and pictures that ffmpeg reads back.
#include <doctest/doctest.h>

#include <algorithm>

#include "media/ffmpeg.h"
#include "media/h264_encoder.h"
#include "media/vp9_encoder.h"
#include "runtime/status.h"
#include "rushes/media.h"

using namespace rushes;

namespace {

constexpr int kWidth = 144, kHeight = 90, kFrames = 40;

I420View view_of(const I420Picture& p) {
  return {p.width, p.height, p.y.data(), p.u.data(), p.v.data(), p.width, p.width / 2};
}

I420Picture planes_of(int frame) {
  I420Picture picture;
  rgb_to_i420(wave(frame, kWidth, kHeight), kWidth, kHeight, picture);
  return picture;
}

std::vector<Vp9Packet> encode_wave(int quality, int frames = kFrames) {
  std::vector<Vp9Packet> packets;
  Vp9Encoder encoder({.width = kWidth, .height = kHeight, .quality = quality},
                     [&](Vp9Packet packet) { packets.push_back(std::move(packet)); });
  for (int f = 0; f < frames; ++f) encoder.encode(view_of(planes_of(f)));
  encoder.finish();
  return packets;
}

// IVF: the simplest file that ffmpeg takes VP9 from.
void write_ivf(const std::filesystem::path& path, const std::vector<Vp9Packet>& packets) {
  std::ofstream file(path, std::ios::binary);
  const auto number = [&](uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) file.put(static_cast<char>(value >> 8 * i));
  };
  file << "DKIF";
  number(0, 2), number(32, 2);
  file << "VP90";
  number(kWidth, 2), number(kHeight, 2), number(16, 4), number(1, 4), number(packets.size(), 4), number(0, 4);
  for (const auto& packet : packets) {
    number(packet.data.size(), 4), number(static_cast<uint64_t>(packet.frame), 8);
    file.write(reinterpret_cast<const char*>(packet.data.data()), std::ssize(packet.data));
  }
}

size_t total_bytes(const std::vector<Vp9Packet>& packets) {
  size_t bytes = 0;
  for (const auto& packet : packets) bytes += packet.data.size();
  return bytes;
}

}  // namespace

TEST_CASE("VP9's quality maps to its quantizer, higher is finer") {
  CHECK(vp9_quantizer(1) == 55);
  CHECK(vp9_quantizer(100) == 8);
  for (int q = 2; q <= 100; ++q) CHECK(vp9_quantizer(q) <= vp9_quantizer(q - 1));
}

TEST_CASE("a build without libvpx says so" * doctest::skip(Vp9Encoder::available())) {
  CHECK_THROWS_AS(Vp9Encoder({.width = 64, .height = 64}, {}), Error);
}

TEST_CASE("one VP9 packet a picture, in order; less quality gives fewer bytes" *
          doctest::skip(!Vp9Encoder::available())) {
  for (const int frames : {1, 2, 17, kFrames}) {
    const auto packets = encode_wave(80, frames);
    REQUIRE(packets.size() == static_cast<size_t>(frames));
    for (size_t f = 0; f < packets.size(); ++f) CHECK(packets[f].frame == static_cast<int64_t>(f));
    CHECK(packets[0].key_frame);
  }
  CHECK(total_bytes(encode_wave(20)) < total_bytes(encode_wave(90)));
}

TEST_CASE("VP9 sizes, rates and qualities out of range are refused" * doctest::skip(!Vp9Encoder::available())) {
  const auto sink = [](const Vp9Packet&) {};
  CHECK_THROWS_AS(Vp9Encoder({.width = 65, .height = 64}, sink), Error);
  CHECK_THROWS_AS(Vp9Encoder({.width = 64, .height = 8}, sink), Error);
  CHECK_THROWS_AS(Vp9Encoder({.width = 64, .height = 64, .frame_rate = 0}, sink), Error);
  CHECK_THROWS_AS(Vp9Encoder({.width = 64, .height = 64, .quality = 101}, sink), Error);
  Vp9Encoder encoder({.width = 64, .height = 64}, sink);
  CHECK_THROWS_AS(encoder.encode(view_of(planes_of(0))), Error);
}

TEST_CASE("ffmpeg reads VP9's colours and pictures back" * doctest::skip(!Vp9Encoder::available() || !has_ffmpeg())) {
  TemporaryFolder folder("vp9");
  const auto stream = folder.path / "clip.ivf", planes = folder.path / "clip.yuv";
  write_ivf(stream, encode_wave(80));
  const std::string facts = output_of(
      "ffprobe -v error -count_frames -of default=nw=1 -show_entries "
      "stream=codec_name,profile,width,height,pix_fmt,color_range,color_space,nb_read_frames " +
      stream.string());
  CAPTURE(facts);
  for (const char* fact : {"codec_name=vp9\n", "profile=Profile 0\n", "width=144\n", "height=90\n", "pix_fmt=yuv420p\n",
                           "color_range=tv\n", "color_space=bt709\n", "nb_read_frames=40\n"})
    CHECK_MESSAGE(facts.find(fact) != std::string::npos, fact);
  REQUIRE(std::system(("ffmpeg -v error -y -i " + stream.string() + " -f rawvideo " + planes.string()).c_str()) == 0);
  const auto decoded = read_bytes(planes);
  const size_t picture_bytes = kWidth * kHeight * 3 / 2;
  REQUIRE(decoded.size() == picture_bytes * kFrames);
  double worst = INFINITY;
  for (int f = 0; f < kFrames; ++f) {
    const I420Picture picture = planes_of(f);
    std::vector<uint8_t> all = picture.y;
    all.insert(all.end(), picture.u.begin(), picture.u.end());
    all.insert(all.end(), picture.v.begin(), picture.v.end());
    worst = std::min(worst, psnr(all, &decoded[picture_bytes * static_cast<size_t>(f)]));
  }
  MESSAGE("worst frame PSNR of VP9 at quality 80: " << worst << " dB");
  CHECK(worst > 36);
}

TEST_CASE("H.264 to VP9 through the C interface, and cancelling it" *
          doctest::skip(!Vp9Encoder::available() || !H264Encoder::available())) {
  H264Encoder encoder({.width = kWidth, .height = kHeight});
  std::vector<std::vector<uint8_t>> stream;
  std::vector<rushes_access_unit> units;
  for (int f = 0; f < kFrames; ++f) stream.push_back(encoder.encode(wave(f, kWidth, kHeight)).data);
  for (const auto& unit : stream) units.push_back({unit.data(), unit.size()});
  const rushes_clip clip{units.data(), units.size(), kWidth, kHeight};
  struct Seen {
    int64_t next = 0, cancel_at = 1000, polls = 0;
  } seen;
  rushes_callbacks callbacks{};
  callbacks.user = &seen;
  callbacks.packet = [](void* user, const uint8_t*, size_t size, int, int64_t frame) {
    CHECK(size > 0);
    CHECK(frame == static_cast<Seen*>(user)->next++);
  };
  callbacks.cancelled = [](void* user) -> int {
    auto* s = static_cast<Seen*>(user);
    return ++s->polls > s->cancel_at;
  };
  rushes_vp9_settings settings{16, 80, 1};
  CHECK(std::string(rushes_encode_vp9(&clip, &settings, &callbacks).code) == "");
  CHECK(seen.next == kFrames);
  seen = {0, 10, 0};
  CHECK(std::string(rushes_encode_vp9(&clip, &settings, &callbacks).code) == "job.cancelled");
  CHECK(seen.next < kFrames);
  settings.quality = 0;
  CHECK(std::string(rushes_encode_vp9(&clip, &settings, &callbacks).code) == "settings.invalid");
}
