#include "files/refusal.h"

namespace rushes {
namespace {

/// Length of the UTF-8 sequence at `text`, 0 when there is none (overlong, surrogate, beyond U+10FFFF, cut off).
size_t sequence_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(text[i])); };
  const auto follows = [&](size_t i) { return i < text.size() && (byte(i) & 0xc0u) == 0x80u; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    if (!follows(1) || !follows(2)) return 0;
    const unsigned second = byte(1);
    return (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ? 0 : 3;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if (!follows(1) || !follows(2) || !follows(3)) return 0;
    const unsigned second = byte(1);
    return (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f) ? 0 : 4;
  }
  return 0;
}

/// Invalid and control bytes become "?".
std::string cleaned(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t length = sequence_length(text);
    const auto first = static_cast<unsigned char>(text[0]);
    if (length == 0 || first < 0x20 || first == 0x7f)
      out += '?';
    else
      out += text.substr(0, length);
    text.remove_prefix(length ? length : 1);
  }
  return out;
}

}  // namespace

std::string display_name(const std::filesystem::path& path) {
  const std::filesystem::path name = path.filename();
  return cleaned(name.empty() ? path.native() : name.native());
}

std::string display_path(const std::filesystem::path& path) { return cleaned(path.native()); }

std::string printable(std::string_view text) {
  constexpr size_t kShown = 80;
  if (text.size() <= kShown) return cleaned(text);
  size_t end = kShown - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return cleaned(text.substr(0, end)) + "...";
}

void refuse_corrupt(const std::filesystem::path& path, const std::string& what) {
  throw Error("checkpoint.corrupt", display_name(path) + " is damaged: " + what + ".",
              "Download the file again and compare its checksum.", display_path(path));
}

void refuse_truncated(const std::filesystem::path& path, const std::string& what) {
  throw Error("checkpoint.corrupt", display_name(path) + " is cut short: " + what + ".",
              "The download or copy stopped early; download the file again.", display_path(path));
}

void refuse_torn(const std::filesystem::path& path) {
  throw Error(
      "checkpoint.corrupt",
      display_name(path) + " could not be read to its end: it was changed while it was in use, or its disk went away.",
      "Check the disk and the file, then generate again.", display_path(path));
}

void refuse_unsupported(const std::filesystem::path& path, const std::string& what, const std::string& advice) {
  throw Error("checkpoint.unsupported", display_name(path) + " " + what + ".", advice, display_path(path));
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = sequence_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

bool is_plain_name(std::string_view text) {
  if (text.empty() || text.size() > kMaxNameBytes) return false;
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  return is_utf8(text);
}

std::optional<uint64_t> checked_bytes(const Shape& shape, DType type) {
  // Zero dimensions do not excuse the others: later products over part of the shape must not overflow either.
  uint64_t product = dtype_size(type);
  bool empty = false;
  for (const int64_t size : shape) {
    if (size < 0 || size > kMaxDimension) return std::nullopt;
    if (size == 0)
      empty = true;
    else if (__builtin_mul_overflow(product, static_cast<uint64_t>(size), &product) || product > INT64_MAX)
      return std::nullopt;
  }
  return empty ? 0 : product;
}

}  // namespace rushes
