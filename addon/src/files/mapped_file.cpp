// POSIX mapping of weights files. A file that another program cuts short while it is mapped raises SIGBUS on access;
// the engine lives in a process of its own for such cases.
#include "files/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "files/refusal.h"

namespace rushes {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::open(const std::filesystem::path& path, FileUse use) {
  // O_NONBLOCK: opening a named pipe must not wait for a writer.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.number() < 0) {
    const int code = errno;
    if (code == ENOENT || code == ENOTDIR || code == ENAMETOOLONG || code == ELOOP)
      throw Error("checkpoint.missing", "There is no file " + display_name(path) + ".",
                  "Check the path, or download the file again.", display_path(path));
    if (code == EACCES || code == EPERM)
      throw Error("checkpoint.missing", display_name(path) + " may not be read by this user.",
                  "Change the file's permissions.", display_path(path));
    throw Error("checkpoint.missing", display_name(path) + " cannot be opened: " + std::strerror(code) + ".", "",
                display_path(path));
  }
  struct stat status {};
  if (::fstat(file.number(), &status) != 0)
    throw Error("checkpoint.missing", display_name(path) + " cannot be read: " + std::strerror(errno) + ".");
  if (S_ISDIR(status.st_mode))
    throw Error("checkpoint.missing", display_name(path) + " is a folder, not a weights file.",
                "Name a .safetensors or .pth file inside it.", display_path(path));
  if (!S_ISREG(status.st_mode))
    throw Error("checkpoint.missing", display_name(path) + " is a device or pipe, not a weights file.", "",
                display_path(path));
  const auto size = static_cast<size_t>(status.st_size);
  if (size == 0) return std::shared_ptr<const MappedFile>(new MappedFile(path, nullptr, 0, false, use));
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_NORESERVE, file.number(), 0);
  if (data == MAP_FAILED && errno == ENOMEM) {
    Error error("memory.exhausted", "There is no room in memory to read " + display_name(path) + ".",
                "Close other programs.", display_path(path));
    error.needed_bytes = size;
    throw error;
  }
  if (data == MAP_FAILED)
    throw Error("checkpoint.missing", display_name(path) + " cannot be mapped: " + std::strerror(errno) + ".",
                "Copy the file to a local disk.", display_path(path));
  return std::shared_ptr<const MappedFile>(new MappedFile(path, static_cast<const std::byte*>(data), size, true, use));
}

std::shared_ptr<const MappedFile> MappedFile::borrow(std::span<const std::byte> bytes,
                                                     const std::filesystem::path& path) {
  return std::shared_ptr<const MappedFile>(new MappedFile(path, bytes.data(), bytes.size(), false, FileUse::weights));
}

MappedFile::~MappedFile() {
  if (mapped_) ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::will_need(const std::byte* begin, uint64_t count) const {
  if (!mapped_ || use_ == FileUse::headers || count == 0) return;
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const uintptr_t first = reinterpret_cast<uintptr_t>(begin) / page * page;
  const uintptr_t last = reinterpret_cast<uintptr_t>(begin) + count;
  ::madvise(reinterpret_cast<void*>(first), last - first, MADV_WILLNEED);
}

void MappedFile::release(const std::byte* begin, uint64_t count) const {
  if (!mapped_ || use_ == FileUse::headers) return;
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const uintptr_t first = (reinterpret_cast<uintptr_t>(begin) + page - 1) / page * page;
  const uintptr_t last = (reinterpret_cast<uintptr_t>(begin) + count) / page * page;
  if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

}  // namespace rushes
