// The directory of a zip archive whose entries are all stored (uncompressed), as PyTorch writes it. Zip64 included.
// Knows nothing of pickles.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "files/mapped_file.h"

namespace rushes {

struct ZipEntry {
  std::string name;
  std::span<const std::byte> payload;
};

/// Entries in central directory order. Refuses (checkpoint.corrupt / checkpoint.unsupported) compression, encryption,
/// several disks, duplicate names, entries that overlap or lie outside the file, and a directory that does not end
/// where the end record begins.
std::vector<ZipEntry> read_zip_directory(const MappedFile& file);

}  // namespace rushes
