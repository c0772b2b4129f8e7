// Tells the containers apart by their first bytes and says in one sentence what a file is when it is none of ours.
#include "files/checkpoint.h"

#include <algorithm>
#include <cstring>

#include "files/mapped_file.h"
#include "files/pytorch_zip.h"
#include "files/refusal.h"
#include "files/safetensors.h"

namespace rushes {
namespace {

constexpr std::string_view kGetSafetensors = "Get the model as .safetensors, or as a .pth of PyTorch 1.6 or newer.";

/// Formats people try that this version does not read, by their first bytes.
void refuse_foreign(std::string_view start, const std::filesystem::path& path) {
  const std::string advice(kGetSafetensors);
  if (start.starts_with("GGUF")) refuse_unsupported(path, "is a GGUF file, which this version does not read", advice);
  if (start.size() > 1 && start[0] == '\x80' && start[1] >= 1 && start[1] <= 5)
    refuse_unsupported(path, "is a PyTorch file of the old form (a bare pickle, before PyTorch 1.6)",
                       "Load it in PyTorch and save it again with torch.save, or get a .safetensors file.");
  if (start.size() >= 262 && start.substr(257, 5) == "ustar")
    refuse_unsupported(path, "is a tar archive, not a weights file",
                       "Unpack it first; very old PyTorch files must be saved again.");
  if (start.starts_with("\x1f\x8b") || start.starts_with("7z\xbc\xaf") || start.starts_with("\x28\xb5\x2f\xfd") ||
      start.starts_with("\xfd"
                        "7zXZ"))
    refuse_unsupported(path, "is a compressed archive, not a weights file", "Unpack it first.");
  if (start.starts_with("\x89HDF"))
    refuse_unsupported(path, "is an HDF5 file, which this version does not read", advice);
  if (start.starts_with("version https://git-lfs"))
    refuse_unsupported(path, "is only a Git LFS pointer, not the weights themselves",
                       "Run git lfs pull, or download the file from its page.");
  if (start.starts_with("<!DOCTYPE") || start.starts_with("<!doctype") || start.starts_with("<html"))
    refuse_unsupported(path, "is a web page, not a weights file",
                       "The download was redirected; use the file's direct download link.");
}

std::shared_ptr<const Checkpoint> open_file(std::shared_ptr<const MappedFile> file) {
  const std::filesystem::path path = file->path();
  const std::string_view all(reinterpret_cast<const char*>(file->bytes().data()), file->size());
  if (all.empty()) refuse_truncated(path, "it is empty");
  const std::string_view start = all.substr(0, 512);
  if (start.starts_with(std::string_view("PK\x03\x04", 4)) || start.starts_with(std::string_view("PK\x05\x06", 4)))
    return open_pytorch_zip(std::move(file));
  // A safetensors file begins with its header's length, whose bytes may look like any other signature (0x80 0x02 is a
  // length of 640), so a sensible length before a brace goes first. Up to 8 bytes of one are a file that was cut short.
  constexpr uint64_t kSensibleLength = uint64_t{1} << 32;
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, start.data(), std::min<size_t>(start.size(), 8));
  if (header_bytes < kSensibleLength && (start.size() <= 8 || start[8] == '{'))
    return open_safetensors(std::move(file));
  refuse_foreign(start, path);
  const std::string extension = path.extension().string();
  if (extension == ".safetensors" || extension == ".sft") refuse_corrupt(path, "it does not begin as safetensors do");
  if (extension == ".pth" || extension == ".pt" || extension == ".ckpt" || extension == ".bin")
    refuse_corrupt(path, "it does not begin as PyTorch files do");
  refuse_unsupported(path, "is not a weights file of a kind this version knows", std::string(kGetSafetensors));
}

}  // namespace

std::string_view container_name(Container container) {
  return container == Container::safetensors ? "safetensors" : "PyTorch (zip)";
}

std::shared_ptr<const Checkpoint> Checkpoint::open(const std::filesystem::path& path, FileUse use) {
  if (path.native().ends_with(".safetensors.index.json")) return open_sharded_safetensors(path, use);
  auto file = open_file(MappedFile::open(path, use));
  if (file->is_torn()) refuse_torn(path);
  return file;
}

std::shared_ptr<const Checkpoint> Checkpoint::open_bytes(std::span<const std::byte> bytes,
                                                         const std::filesystem::path& path) {
  return open_file(MappedFile::borrow(bytes, path));
}

const TensorView* Checkpoint::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

}  // namespace rushes
