// POSIX mapping of weights files.
#include "files/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "files/refusal.h"

namespace rushes {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(Descriptor&& other) noexcept : number_(other.release()) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }
  int release() { return std::exchange(number_, -1); }

 private:
  int number_;
};

// Of the same file, unless another one has taken its name.
Descriptor open_again(const std::filesystem::path& path, const struct stat& first, int flags = 0) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags));
  struct stat status {};
  const bool same = file.number() >= 0 && ::fstat(file.number(), &status) == 0 && status.st_dev == first.st_dev &&
                    status.st_ino == first.st_ino;
  if (!same) return Descriptor(-1);
  return file;
}

uintptr_t page_size() {
  static const auto size = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  return size;
}

// Pages the cache holds of those from `address` on, which begins one; all of them where the system does not say.
size_t cached_pages(uintptr_t address, size_t count) {
  unsigned char held[1024];
  size_t sum = 0;
  for (size_t at = 0; at < count; at += sizeof held) {
    const size_t step = std::min(sizeof held, count - at);
    if (::mincore(reinterpret_cast<void*>(address + at * page_size()), step * page_size(), held) != 0)
      sum += step;
    else
      sum += static_cast<size_t>(std::count_if(held, held + step, [](unsigned char page) { return page & 1; }));
  }
  return sum;
}

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
#ifdef O_DIRECT
  constexpr int kPastCache = O_DIRECT;
#else
  constexpr int kPastCache = 0;
#endif
  Descriptor reader = open_again(path, status);
  Descriptor direct = kPastCache ? open_again(path, status, kPastCache) : Descriptor(-1);
  return std::shared_ptr<const MappedFile>(new MappedFile(path, static_cast<const std::byte*>(data), size, true, use,
                                                          reader.release(), direct.release(), write_time(status)));
}

MappedFile::WriteTime MappedFile::write_time(const struct stat& status) {
  return {status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
}

// Asked of the open file, whatever its name has become. A file that does not say is one that went away.
bool MappedFile::is_changed() const {
  if (reader_ < 0) return false;
  struct stat status {};
  return ::fstat(reader_, &status) != 0 || static_cast<size_t>(status.st_size) != size_ ||
         write_time(status) != written_;
}

std::shared_ptr<const MappedFile> MappedFile::borrow(std::span<const std::byte> bytes,
                                                     const std::filesystem::path& path) {
  return std::shared_ptr<const MappedFile>(new MappedFile(path, bytes.data(), bytes.size(), false, FileUse::weights));
}

MappedFile::~MappedFile() {
  guard_.reset();
  if (mapped_) ::munmap(const_cast<std::byte*>(data_), size_);
  if (reader_ >= 0) ::close(reader_);
  if (direct_ >= 0) ::close(direct_);
}

bool MappedFile::is_cached(const std::byte* begin, uint64_t count) const {
  if (!mapped_ || count == 0) return true;
  const uintptr_t first = reinterpret_cast<uintptr_t>(begin) / page_size() * page_size();
  const size_t pages = (reinterpret_cast<uintptr_t>(begin) + count - first + page_size() - 1) / page_size();
  return cached_pages(first, pages) == pages;
}

uint64_t MappedFile::cached_bytes(const std::byte* begin, uint64_t count) const {
  constexpr uint64_t kStep = 1 << 20;
  if (!mapped_) return count;
  uint64_t cached = 0;
  for (uint64_t at = 0; at < count; at += kStep) {
    const uint64_t bytes = std::min(kStep, count - at);
    const uintptr_t middle = reinterpret_cast<uintptr_t>(begin) + at + bytes / 2;
    cached += cached_pages(middle / page_size() * page_size(), 1) * bytes;
  }
  return cached;
}

bool MappedFile::read_into_cache(const std::byte* begin, std::span<std::byte> to) const {
  if (reader_ < 0) return false;
  for (size_t at = 0; at < to.size();) {
    const ssize_t got = ::pread(reader_, to.data() + at, to.size() - at, begin - data_ + static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += static_cast<size_t>(got);
  }
  return true;
}

bool MappedFile::read_past_cache(uint64_t offset, std::byte* to, uint64_t bytes) const {
  if (direct_ < 0) return false;
  for (uint64_t at = 0; at < bytes;) {
    const uint64_t blocks = (bytes - at + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
    const ssize_t got = ::pread(direct_, to + at, blocks, static_cast<off_t>(offset + at));
    if (got < 0 && errno == EINTR) continue;
    // In whole blocks, but for the end of the file.
    if (got <= 0 || (static_cast<uint64_t>(got) % kBlockBytes != 0 && at + static_cast<uint64_t>(got) < bytes))
      return false;
    at += static_cast<uint64_t>(got);
  }
  return true;
}

void MappedFile::will_need(const std::byte* begin, uint64_t count) const {
  if (!mapped_ || use_ == FileUse::headers || count == 0) return;
  const uintptr_t page = page_size(), first = reinterpret_cast<uintptr_t>(begin) / page * page;
  const uintptr_t last = reinterpret_cast<uintptr_t>(begin) + count;
  ::madvise(reinterpret_cast<void*>(first), last - first, MADV_WILLNEED);
}

void MappedFile::release(const std::byte* begin, uint64_t count) const {
  if (!mapped_ || use_ == FileUse::headers) return;
  const uintptr_t page = page_size();
  const uintptr_t first = (reinterpret_cast<uintptr_t>(begin) + page - 1) / page * page;
  const uintptr_t last = (reinterpret_cast<uintptr_t>(begin) + count) / page * page;
  if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

}  // namespace rushes
