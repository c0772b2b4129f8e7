// Reading our own H.264 back: bit for bit what ffmpeg decodes, colours as BT.709 says, and damaged or foreign streams
// refused.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <random>

#include "media/ffmpeg.h"
#include "media/h264_decoder.h"
#include "media/h264_encoder.h"
#include "runtime/status.h"
#include "rushes/media.h"

using namespace rushes;

namespace {

using Stream = std::vector<std::vector<uint8_t>>;

Stream encoded_wave(int width, int height, int frames, int quality = 80) {
  H264Encoder encoder({.width = width, .height = height, .quality = quality});
  Stream stream;
  for (int f = 0; f < frames; ++f) stream.push_back(encoder.encode(wave(f, width, height)).data);
  return stream;
}

std::vector<uint8_t> packed(const I420View& picture) {
  std::vector<uint8_t> bytes;
  const auto plane = [&](const uint8_t* data, int stride, int width, int height) {
    for (int row = 0; row < height; ++row)
      bytes.insert(bytes.end(), data + ptrdiff_t{row} * stride, data + ptrdiff_t{row} * stride + width);
  };
  plane(picture.y, picture.y_stride, picture.width, picture.height);
  plane(picture.u, picture.chroma_stride, picture.width / 2, picture.height / 2);
  plane(picture.v, picture.chroma_stride, picture.width / 2, picture.height / 2);
  return bytes;
}

std::vector<std::vector<uint8_t>> decoded(const Stream& stream, int width, int height) {
  std::vector<std::vector<uint8_t>> pictures;
  H264Decoder decoder(width, height, [&](const I420View& picture) { pictures.push_back(packed(picture)); });
  for (const auto& unit : stream) decoder.decode(unit);
  decoder.finish();
  return pictures;
}

std::string refusal(const Stream& stream, int width, int height) {
  try {
    decoded(stream, width, height);
    return "";
  } catch (const Error& error) {
    return error.code();
  }
}

const bool without_codec = !H264Encoder::available() || !H264Decoder::available();

}  // namespace

TEST_CASE("every picture is what ffmpeg decodes, bit for bit" * doctest::skip(without_codec || !has_ffmpeg())) {
  for (const auto& [width, height] : {std::pair{144, 80}, std::pair{96, 90}, std::pair{32, 16}}) {
    CAPTURE(width);
    const Stream stream = encoded_wave(width, height, 35);
    TemporaryFolder folder("decode");
    const auto file = folder.path / "clip.h264", planes = folder.path / "clip.yuv";
    {
      std::ofstream out(file, std::ios::binary);
      for (const auto& unit : stream) out.write(reinterpret_cast<const char*>(unit.data()), std::ssize(unit));
    }
    REQUIRE(std::system(("ffmpeg -v error -y -i " + file.string() + " -f rawvideo " + planes.string()).c_str()) == 0);
    const auto expected = read_bytes(planes);
    const auto pictures = decoded(stream, width, height);
    REQUIRE(pictures.size() == 35);
    REQUIRE(expected.size() == 35 * pictures[0].size());
    for (size_t f = 0; f < pictures.size(); ++f)
      REQUIRE(std::equal(pictures[f].begin(), pictures[f].end(), expected.begin() + std::ssize(pictures[f]) * f));
  }
}

TEST_CASE("planes become RGB as BT.709 says, chroma interpolated between its sites") {
  const int width = 18, height = 10;
  std::mt19937 engine(5);
  I420Picture source;
  source.y.resize(width * height);
  source.u.resize(width * height / 4);
  source.v.resize(width * height / 4);
  for (auto* plane : {&source.y, &source.u, &source.v})
    for (auto& byte : *plane) byte = static_cast<uint8_t>(engine());
  std::vector<uint8_t> rgb;
  i420_to_rgb({width, height, source.y.data(), source.u.data(), source.v.data(), width, width / 2}, rgb);
  REQUIRE(rgb.size() == width * height * 3);
  const auto chroma = [&](const std::vector<uint8_t>& plane, int row, int column) {
    const auto at = [&](int r, int c) {
      r = std::clamp(r, 0, height / 2 - 1), c = std::clamp(c, 0, width / 2 - 1);
      return plane[static_cast<size_t>(r * width / 2 + c)] - 128.0;
    };
    const int near_row = row / 2, far_row = row % 2 ? near_row + 1 : near_row - 1, left = column / 2;
    const double share = column % 2 / 2.0;
    const auto line = [&](int r) { return (1 - share) * at(r, left) + share * at(r, left + 1); };
    return (0.75 * line(near_row) + 0.25 * line(far_row)) / 224;
  };
  for (int row = 0; row < height; ++row)
    for (int column = 0; column < width; ++column) {
      const size_t i = static_cast<size_t>(row * width + column);
      const double y = (source.y[i] - 16.0) / 219, cb = chroma(source.u, row, column),
                   cr = chroma(source.v, row, column);
      const double red = y + 1.5748 * cr, blue = y + 1.8556 * cb, green = (y - 0.2126 * red - 0.0722 * blue) / 0.7152;
      const double expected[] = {red, green, blue};
      for (size_t c = 0; c < 3; ++c)
        REQUIRE(std::abs(rgb[3 * i + c] - std::clamp(255 * expected[c], 0.0, 255.0)) <= 0.51);
    }
  CHECK_THROWS_AS(i420_to_rgb({3, 2, nullptr, nullptr, nullptr, 3, 1}, rgb), Error);
}

TEST_CASE("flat colours survive the way to planes and back within two levels") {
  for (const auto& colour :
       {std::array<uint8_t, 3>{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {12, 200, 99}, {254, 254, 1}}) {
    std::vector<uint8_t> rgb, back;
    for (int i = 0; i < 64; ++i) rgb.insert(rgb.end(), colour.begin(), colour.end());
    I420Picture picture;
    rgb_to_i420(rgb, 8, 8, picture);
    i420_to_rgb({8, 8, picture.y.data(), picture.u.data(), picture.v.data(), 8, 4}, back);
    for (size_t i = 0; i < back.size(); ++i) REQUIRE(std::abs(int(back[i]) - int(rgb[i])) <= 2);
  }
}

TEST_CASE("damaged and foreign streams are refused" * doctest::skip(without_codec)) {
  const Stream stream = encoded_wave(64, 48, 20);
  CHECK(refusal(stream, 64, 48).empty());
  CHECK(refusal(stream, 64, 64) == "file.unreadable");
  CHECK(refusal({stream.begin() + 1, stream.end()}, 64, 48) == "file.unreadable");
  CHECK(refusal({{}}, 64, 48) == "file.unreadable");
  CHECK(refusal({std::vector<uint8_t>(500, 0x5a)}, 64, 48) == "file.unreadable");
  Stream gap = stream, cut = stream;
  gap.erase(gap.begin() + 5);
  CHECK(refusal(gap, 64, 48) == "file.unreadable");
  cut[4].resize(cut[4].size() / 2);
  CHECK(refusal(cut, 64, 48) == "file.unreadable");
}

TEST_CASE("flipped bits end in a picture or an error, nothing else" * doctest::skip(without_codec)) {
  const Stream stream = encoded_wave(64, 48, 6);
  std::mt19937 engine(11);
  int refused = 0;
  for (int trial = 0; trial < 300; ++trial) {
    Stream damaged = stream;
    for (int flips = 1 + trial % 4; flips > 0; --flips) {
      auto& unit = damaged[engine() % damaged.size()];
      unit[engine() % unit.size()] ^= static_cast<uint8_t>(1u << engine() % 8);
    }
    const std::string code = refusal(damaged, 64, 48);
    REQUIRE((code.empty() || code == "file.unreadable"));
    refused += !code.empty();
  }
  CHECK(refused > 30);
}

TEST_CASE("through the C interface: pictures from one on, cancelling, nonsense" * doctest::skip(without_codec)) {
  const Stream stream = encoded_wave(64, 48, 20);
  std::vector<rushes_access_unit> units;
  for (const auto& unit : stream) units.push_back({unit.data(), unit.size()});
  rushes_clip clip{units.data(), units.size(), 64, 48};
  struct Seen {
    std::vector<int64_t> frames;
    std::vector<uint8_t> last;
    bool cancel = false;
  } seen;
  rushes_callbacks callbacks{};
  callbacks.user = &seen;
  callbacks.frame = [](void* user, int64_t frame, const uint8_t* rgb, int width, int height) {
    auto* s = static_cast<Seen*>(user);
    s->frames.push_back(frame);
    s->last.assign(rgb, rgb + static_cast<size_t>(width) * height * 3);
  };
  callbacks.cancelled = [](void* user) -> int { return static_cast<Seen*>(user)->cancel; };
  CHECK(std::string(rushes_decode_clip(&clip, 17, &callbacks).code) == "");
  CHECK(seen.frames == std::vector<int64_t>{17, 18, 19});
  CHECK(psnr(wave(19, 64, 48), seen.last.data()) > 30);
  seen.cancel = true;
  CHECK(std::string(rushes_decode_clip(&clip, 0, &callbacks).code) == "job.cancelled");
  clip.width = 1 << 30;
  CHECK(std::string(rushes_decode_clip(&clip, 0, &callbacks).code) == "file.unreadable");
  clip = {units.data(), 0, 64, 48};
  CHECK(std::string(rushes_decode_clip(&clip, 0, &callbacks).code) == "file.unreadable");
}
