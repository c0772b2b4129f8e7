// The safetensors container (huggingface/safetensors:safetensors/src/tensor.rs): header parsed and validated in full,
// data memory-mapped.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "files/checkpoint.h"
#include "files/mapped_file.h"

namespace rushes {

/// One tensor as the header describes it; offsets are relative to the data that follows the header.
struct SafetensorsEntry {
  std::string name;
  DType type = DType::f32;
  Shape shape;
  uint64_t begin = 0, end = 0;
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  // header order
  std::map<std::string, std::string> metadata;
};

/// Parses the JSON text of a header. `path` names the file in errors. Offsets are not yet compared with the file.
SafetensorsHeader parse_safetensors_header(std::string_view json, const std::filesystem::path& path);

std::shared_ptr<const Checkpoint> open_safetensors(std::shared_ptr<const MappedFile> file);
/// `path` is a *.safetensors.index.json; the shards lie beside it.
std::shared_ptr<const Checkpoint> open_sharded_safetensors(const std::filesystem::path& path, FileUse use);

}  // namespace rushes
