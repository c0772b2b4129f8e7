// The header is padded to a multiple of 8 and tensors are ordered by falling element size, then name, as the format's
// own writer does, so every tensor is aligned to its element.
#include "files/safetensors_writer.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "files/refusal.h"

namespace rushes {
namespace {

std::string_view safetensors_type(DType type) {
  constexpr std::string_view names[] = {"F32", "BF16", "F16", "F64", "I8",   "U8",      "I16",    "U16",
                                        "I32", "U32",  "I64", "U64", "BOOL", "F8_E4M3", "F8_E5M2"};
  return names[static_cast<size_t>(type)];
}

/// A file that disappears unless it is kept.
class TemporaryFile {
 public:
  TemporaryFile(const std::filesystem::path& target, uint64_t bytes) : target_(target), bytes_(bytes) {
    path_ = target;
    path_ += ".part-" + std::to_string(::getpid()) + "-" + std::to_string(counter_++);
    file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (file_ < 0) fail(errno);
  }
  ~TemporaryFile() {
    if (file_ >= 0) ::close(file_);
    if (!kept_) ::unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  void write(const void* data, size_t size) {
    const char* next = static_cast<const char*>(data);
    while (size > 0) {
      const ssize_t written = ::write(file_, next, std::min<size_t>(size, 64 << 20));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail(errno);
      next += written;
      size -= static_cast<size_t>(written);
    }
  }

  /// Flushes, closes and takes the target's name; the folder is flushed too, so that the name survives a power loss.
  void keep() {
    if (::fsync(file_) != 0) fail(errno);
    const int closed = ::close(file_);
    file_ = -1;
    if (closed != 0) fail(errno);
    if (::rename(path_.c_str(), target_.c_str()) != 0) fail(errno);
    kept_ = true;
    const std::filesystem::path folder = target_.has_parent_path() ? target_.parent_path() : ".";
    const int directory = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory >= 0) {
      ::fsync(directory);
      ::close(directory);
    }
  }

 private:
  [[noreturn]] void fail(int code) const {
    if (code == ENOSPC || code == EDQUOT || code == EFBIG) {
      Error error("disk.full", "There is not enough room to write " + display_name(target_) + ".",
                  "Free some space or choose another folder.", std::strerror(code));
      error.needed_bytes = bytes_;
      struct statvfs room {};
      const std::filesystem::path folder = target_.has_parent_path() ? target_.parent_path() : ".";
      if (::statvfs(folder.c_str(), &room) == 0) error.free_bytes = uint64_t{room.f_bavail} * room.f_frsize;
      throw error;
    }
    throw Error("file.unwritable", display_name(target_) + " cannot be written: " + std::strerror(code) + ".",
                "Choose a folder this user may write to.", display_path(target_));
  }

  static inline std::atomic<uint64_t> counter_{0};
  std::filesystem::path target_, path_;
  uint64_t bytes_;
  int file_ = -1;
  bool kept_ = false;
};

}  // namespace

void write_safetensors(const std::filesystem::path& path, const std::vector<TensorView>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<const TensorView*> sorted;
  for (const TensorView& tensor : tensors) sorted.push_back(&tensor);
  std::sort(sorted.begin(), sorted.end(), [](const TensorView* a, const TensorView* b) {
    const size_t left = dtype_size(a->type), right = dtype_size(b->type);
    return left != right ? left > right : a->name < b->name;
  });
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t position = 0;
  for (const TensorView* tensor : sorted) {
    if (!is_plain_name(tensor->name) || tensor->name == "__metadata__" || header.contains(tensor->name))
      throw Error("engine.internal", "A tensor to be written has no usable name: " + printable(tensor->name) + ".");
    const uint64_t end = position + tensor->bytes();
    header[tensor->name] = {
        {"dtype", safetensors_type(tensor->type)}, {"shape", tensor->shape}, {"data_offsets", {position, end}}};
    position = end;
  }
  std::string text = header.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t header_bytes = text.size();

  TemporaryFile file(path, 8 + header_bytes + position);
  file.write(&header_bytes, 8);
  file.write(text.data(), text.size());
  for (const TensorView* tensor : sorted) file.write(tensor->data, tensor->bytes());
  file.keep();
}

}  // namespace rushes
