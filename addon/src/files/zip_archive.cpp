// Sizes are taken from the central directory: PyTorch leaves those of the local headers zero (flag bit 3).
#include "files/zip_archive.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "files/refusal.h"

namespace rushes {
namespace {

constexpr uint32_t kLocalSignature = 0x04034b50, kCentralSignature = 0x02014b50, kEndSignature = 0x06054b50,
                   kEnd64Signature = 0x06064b50, kLocatorSignature = 0x07064b50;
constexpr uint64_t kEndBytes = 22, kEnd64Bytes = 56, kLocatorBytes = 20, kCentralBytes = 46, kLocalBytes = 30;
constexpr uint64_t kMaxEntries = kMaxTensors + 16;  // storages and the few entries beside them

/// Little-endian fields at positions that were checked to lie inside the file.
class Fields {
 public:
  explicit Fields(const std::byte* data) : data_(data) {}
  template <class T>
  T at(uint64_t offset) const {
    T value;
    std::memcpy(&value, data_ + offset, sizeof(T));
    return value;
  }
  std::string_view text(uint64_t offset, uint64_t size) const {
    return {reinterpret_cast<const char*>(data_) + offset, size};
  }

 private:
  const std::byte* data_;
};

struct Directory {
  uint64_t offset = 0, bytes = 0, entries = 0;
  uint64_t end = 0;  // where the record after it begins
};

class DirectoryReader {
 public:
  explicit DirectoryReader(const MappedFile& file) : file_(file), fields_(file.bytes().data()) {}

  std::vector<ZipEntry> read() {
    const Directory directory = find_directory();
    if (directory.entries > kMaxEntries) damaged("it claims " + std::to_string(directory.entries) + " entries");
    if (directory.offset > directory.end || directory.bytes != directory.end - directory.offset ||
        directory.entries > directory.bytes / kCentralBytes)
      damaged("its directory is not where it should be");
    uint64_t position = directory.offset;
    for (uint64_t i = 0; i < directory.entries; ++i) position = read_entry(position, directory);
    if (position != directory.end) damaged("its directory has bytes that belong to no entry");
    check_overlap();
    return std::move(entries_);
  }

 private:
  [[noreturn]] void damaged(const std::string& what) const { refuse_corrupt(file_.path(), what); }

  Directory find_directory() const {
    const uint64_t size = file_.size();
    if (size < kEndBytes) refuse_truncated(file_.path(), "it has only " + std::to_string(size) + " bytes");
    // The end record is last; only a comment of at most 65,535 bytes may follow, and its length must fit exactly.
    const uint64_t lowest = size - std::min<uint64_t>(size, kEndBytes + 0xffff);
    for (uint64_t position = size - kEndBytes + 1; position-- > lowest;) {
      if (fields_.at<uint32_t>(position) != kEndSignature) continue;
      if (position + kEndBytes + fields_.at<uint16_t>(position + 20) != size) continue;
      return directory_at(position);
    }
    refuse_truncated(file_.path(), "the directory at its end is absent");
  }

  Directory directory_at(uint64_t position) const {
    Directory out;
    out.entries = fields_.at<uint16_t>(position + 10);
    out.bytes = fields_.at<uint32_t>(position + 12);
    out.offset = fields_.at<uint32_t>(position + 16);
    out.end = position;
    const bool has_locator =
        position >= kLocatorBytes && fields_.at<uint32_t>(position - kLocatorBytes) == kLocatorSignature;
    if (!has_locator) {
      if (fields_.at<uint16_t>(position + 4) != 0 || fields_.at<uint16_t>(position + 6) != 0 ||
          fields_.at<uint16_t>(position + 8) != out.entries)
        damaged("it is one part of an archive of several");
      if (out.entries == 0xffff || out.bytes == 0xffffffff || out.offset == 0xffffffff)
        damaged("its zip64 record is absent");
      return out;
    }
    const uint64_t locator = position - kLocatorBytes;
    const auto record = fields_.at<uint64_t>(locator + 8);
    if (locator < kEnd64Bytes || record > locator - kEnd64Bytes || fields_.at<uint32_t>(record) != kEnd64Signature ||
        fields_.at<uint64_t>(record + 4) != locator - record - 12)
      damaged("its zip64 record is not where it should be");
    if (fields_.at<uint32_t>(record + 16) != 0 || fields_.at<uint32_t>(record + 20) != 0)
      damaged("it is one part of an archive of several");
    out.entries = fields_.at<uint64_t>(record + 32);
    out.bytes = fields_.at<uint64_t>(record + 40);
    out.offset = fields_.at<uint64_t>(record + 48);
    out.end = record;
    return out;
  }

  uint64_t read_entry(uint64_t position, const Directory& directory) {
    if (directory.end - position < kCentralBytes || fields_.at<uint32_t>(position) != kCentralSignature)
      damaged("its directory is broken at entry " + std::to_string(entries_.size()));
    const auto flags = fields_.at<uint16_t>(position + 8), method = fields_.at<uint16_t>(position + 10);
    uint64_t packed = fields_.at<uint32_t>(position + 20), size = fields_.at<uint32_t>(position + 24),
             local = fields_.at<uint32_t>(position + 42);
    const uint64_t name_bytes = fields_.at<uint16_t>(position + 28), extra_bytes = fields_.at<uint16_t>(position + 30),
                   comment_bytes = fields_.at<uint16_t>(position + 32);
    const uint64_t total = kCentralBytes + name_bytes + extra_bytes + comment_bytes;
    if (directory.end - position < total) damaged("its directory is cut off");
    const std::string_view name = fields_.text(position + kCentralBytes, name_bytes);
    if (!is_plain_name(name)) damaged("an entry has an empty, overlong or unprintable name");
    const std::string quoted = "\"" + printable(name) + "\"";
    read_zip64(position + kCentralBytes + name_bytes, extra_bytes, size, packed, local);
    if (flags & 0x2041) refuse_unsupported(file_.path(), "is encrypted", "Decrypt it first.");
    if (method != 0)
      refuse_unsupported(file_.path(), "holds compressed entries, which PyTorch never writes",
                         "Save the weights again with torch.save, or as safetensors.");
    if (packed != size) damaged("the entry " + quoted + " has two different sizes");
    if (!names_.insert(std::string(name)).second) damaged("the entry " + quoted + " appears twice");

    if (local > directory.offset || directory.offset - local < kLocalBytes ||
        fields_.at<uint32_t>(local) != kLocalSignature)
      damaged("the entry " + quoted + " is not where the directory says");
    const uint64_t local_name = fields_.at<uint16_t>(local + 26), local_extra = fields_.at<uint16_t>(local + 28);
    const uint64_t room = directory.offset - local - kLocalBytes;
    if (local_name + local_extra > room || size > room - local_name - local_extra)
      damaged("the entry " + quoted + " does not fit into the file");
    if (fields_.text(local + kLocalBytes, local_name) != name || fields_.at<uint16_t>(local + 8) != 0)
      damaged("the entry " + quoted + " contradicts the directory");
    const uint64_t payload = local + kLocalBytes + local_name + local_extra;
    ranges_.emplace_back(local, payload + size);
    entries_.push_back({std::string(name), file_.bytes().subspan(payload, size)});
    return position + total;
  }

  /// Fields that hold 0xffffffff stand in the extra field 0x0001, in this order.
  void read_zip64(uint64_t position, uint64_t bytes, uint64_t& size, uint64_t& packed, uint64_t& local) const {
    const uint64_t end = position + bytes;
    const bool needed = size == 0xffffffff || packed == 0xffffffff || local == 0xffffffff;
    while (needed && end - position >= 4) {
      const auto id = fields_.at<uint16_t>(position);
      const uint64_t field_end = position + 4 + fields_.at<uint16_t>(position + 2);
      if (field_end > end) break;
      position += 4;
      if (id != 1) {
        position = field_end;
        continue;
      }
      for (uint64_t* value : {&size, &packed, &local}) {
        if (*value != 0xffffffff) continue;
        if (field_end - position < 8) damaged("a zip64 field is cut off");
        *value = fields_.at<uint64_t>(position);
        position += 8;
      }
      return;
    }
    if (needed) damaged("a zip64 field is absent");
  }

  void check_overlap() {
    std::sort(ranges_.begin(), ranges_.end());
    for (size_t i = 1; i < ranges_.size(); ++i)
      if (ranges_[i].first < ranges_[i - 1].second) damaged("two of its entries overlap");
  }

  const MappedFile& file_;
  Fields fields_;
  std::vector<ZipEntry> entries_;
  std::set<std::string> names_;
  std::vector<std::pair<uint64_t, uint64_t>> ranges_;
};

}  // namespace

std::vector<ZipEntry> read_zip_directory(const MappedFile& file) { return DirectoryReader(file).read(); }

}  // namespace rushes
