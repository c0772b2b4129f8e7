// A weights-only pickle reader (protocol 2): builds plain values and never calls anything by name. Globals become tags.
// What a persistent id or a rebuilt tensor means for the archive is checked in pytorch_zip.cpp.
#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/dtype.h"
#include "runtime/tensor.h"

namespace rushes::pickle {

/// What a value is. Everything larger than eight bytes lies in Document's arrays, `index` points there.
enum class Kind : uint8_t {
  mark,
  none,
  boolean,
  integer,
  real,
  text,
  global,
  tuple,
  list,
  set,
  dict,
  storage,
  tensor,
  opaque
};

/// The globals that weight files use.
enum class Global : uint8_t {
  ordered_dict,
  rebuild_tensor,
  rebuild_tensor_v2,
  rebuild_tensor_v3,
  rebuild_parameter,
  typed_storage,
  untyped_storage,
  data_type,
  size,
  device,
  set_type,
  encode
};

struct Value {
  Kind kind = Kind::none;
  Global global = Global::ordered_dict;  // kind global
  DType type = DType::f32;               // typed_storage, data_type
  uint32_t index = 0;                    // text, tuple, list, set, dict, storage, tensor
  int64_t integer = 0;                   // integer, boolean
};

struct Pair {
  Value key, value;
};

/// ('storage', type, key, location, count); `untyped` storages count bytes.
struct StorageRecord {
  std::string_view key;
  DType type = DType::f32;
  bool untyped = false;
  int64_t count = 0;
};

struct TensorRecord {
  uint32_t storage = 0;
  DType type = DType::f32;
  int64_t offset = 0;  // elements
  Shape shape;
  std::vector<int64_t> strides;  // elements
};

struct Document {
  Value root;
  std::vector<std::string_view> texts;  // point into the pickle
  std::vector<std::vector<Value>> sequences;
  std::vector<std::vector<Pair>> dicts;
  std::vector<StorageRecord> storages;
  std::vector<TensorRecord> tensors;
};

/// Runs the pickle. The bytes must outlive the document. `path` names the file in errors: checkpoint.corrupt for a
/// broken pickle, checkpoint.unsupported for one that needs classes or opcodes a weights file has no use for.
Document run(std::span<const std::byte> bytes, const std::filesystem::path& path);

}  // namespace rushes::pickle
