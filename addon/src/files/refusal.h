// How the readers say no: one sentence with the file's name, advice, and the place in the file. Also the checks every
// container shares (names, sizes).
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/dtype.h"
#include "runtime/status.h"
#include "runtime/tensor.h"

namespace rushes {

/// The last part of the path, and the whole path, as text that is always valid UTF-8.
std::string display_name(const std::filesystem::path& path);
std::string display_path(const std::filesystem::path& path);
/// A name found in a hostile file, made fit to print: at most 80 bytes, no control characters, valid UTF-8.
std::string printable(std::string_view text);

/// checkpoint.corrupt: "<file> is damaged: <what>."
[[noreturn]] void refuse_corrupt(const std::filesystem::path& path, const std::string& what);
/// checkpoint.corrupt: "<file> is cut short: <what>."
[[noreturn]] void refuse_truncated(const std::filesystem::path& path, const std::string& what);
/// checkpoint.corrupt, for a Checkpoint that is torn.
[[noreturn]] void refuse_torn(const std::filesystem::path& path);
/// checkpoint.unsupported: "<file> <what>."
[[noreturn]] void refuse_unsupported(const std::filesystem::path& path, const std::string& what,
                                     const std::string& advice);

bool is_utf8(std::string_view text);
/// Names of tensors and entries: 1..kMaxNameBytes bytes of UTF-8 without control characters.
bool is_plain_name(std::string_view text);

inline constexpr size_t kMaxNameBytes = 1024;
inline constexpr size_t kMaxRank = 16;
/// Tensors of one file; the largest models have a few thousand. Bounds the memory that a hostile header costs.
inline constexpr size_t kMaxTensors = 1 << 18;
inline constexpr int64_t kMaxDimension = int64_t{1} << 48;

/// Bytes of a dense tensor, or nothing when a dimension is out of 0..kMaxDimension or the product overflows.
std::optional<uint64_t> checked_bytes(const Shape& shape, DType type);

}  // namespace rushes
