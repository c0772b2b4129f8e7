// Source of the names: pytorch/pytorch:torch/_weights_only_unpickler.py and torch/_utils.py.
#include "files/pickle_globals.h"

#include <map>
#include <optional>

#include "files/refusal.h"

namespace rushes::pickle {
namespace {

std::optional<DType> storage_type(std::string_view name) {
  static const std::map<std::string_view, DType> types = {
      {"BFloat16Storage", DType::bf16}, {"HalfStorage", DType::f16}, {"FloatStorage", DType::f32},
      {"DoubleStorage", DType::f64},    {"CharStorage", DType::i8},  {"ByteStorage", DType::u8},
      {"ShortStorage", DType::i16},     {"IntStorage", DType::i32},  {"LongStorage", DType::i64},
      {"BoolStorage", DType::boolean}};
  const auto found = types.find(name);
  return found == types.end() ? std::nullopt : std::optional(found->second);
}

std::optional<DType> element_type(std::string_view name) {
  static const std::map<std::string_view, DType> types = {
      {"float32", DType::f32},        {"float", DType::f32},
      {"bfloat16", DType::bf16},      {"float16", DType::f16},
      {"half", DType::f16},           {"float64", DType::f64},
      {"double", DType::f64},         {"int8", DType::i8},
      {"uint8", DType::u8},           {"int16", DType::i16},
      {"short", DType::i16},          {"uint16", DType::u16},
      {"int32", DType::i32},          {"int", DType::i32},
      {"uint32", DType::u32},         {"int64", DType::i64},
      {"long", DType::i64},           {"uint64", DType::u64},
      {"bool", DType::boolean},       {"float8_e4m3fn", DType::f8_e4m3},
      {"float8_e5m2", DType::f8_e5m2}};
  const auto found = types.find(name);
  return found == types.end() ? std::nullopt : std::optional(found->second);
}

template <class T>
uint32_t add_record(std::vector<T>& records, T record, const std::filesystem::path& path) {
  if (records.size() >= kMaxTensors) refuse_corrupt(path, "its pickle lists too many tensors");
  records.push_back(std::move(record));
  return static_cast<uint32_t>(records.size() - 1);
}

/// Reads a tensor's arguments; every access says what was expected.
class Arguments {
 public:
  Arguments(const Document& document, const Value& tuple, std::string_view callable, const std::filesystem::path& path)
      : document_(document), path_(path), callable_(callable) {
    if (tuple.kind != Kind::tuple) damaged();
    values_ = &document.sequences[tuple.index];
  }
  size_t size() const { return values_->size(); }
  const Value& at(size_t i, Kind kind) const {
    if (i >= values_->size() || (*values_)[i].kind != kind) damaged();
    return (*values_)[i];
  }
  int64_t integer(size_t i) const { return at(i, Kind::integer).integer; }
  std::string_view text(size_t i) const { return document_.texts[at(i, Kind::text).index]; }
  std::vector<int64_t> integers(size_t i) const {
    const std::vector<Value>& items = document_.sequences[at(i, Kind::tuple).index];
    if (items.size() > kMaxRank) refuse_corrupt(path_, "a tensor has " + std::to_string(items.size()) + " dimensions");
    std::vector<int64_t> out;
    for (const Value& item : items) {
      if (item.kind != Kind::integer || item.integer < 0) damaged();
      out.push_back(item.integer);
    }
    return out;
  }
  [[noreturn]] void damaged() const {
    refuse_corrupt(path_, "its pickle calls " + std::string(callable_) + " with wrong arguments");
  }

 private:
  const Document& document_;
  const std::filesystem::path& path_;
  std::string_view callable_;
  const std::vector<Value>* values_ = nullptr;
};

/// (storage, offset, size, stride, ...); version 3 has the element type at index 6.
Value rebuild_tensor(Document& document, const Value& tuple, Global version, const std::filesystem::path& path) {
  const Arguments arguments(document, tuple, "_rebuild_tensor", path);
  TensorRecord tensor;
  tensor.storage = arguments.at(0, Kind::storage).index;
  tensor.offset = arguments.integer(1);
  if (tensor.offset < 0) arguments.damaged();
  tensor.shape = arguments.integers(2);
  tensor.strides = arguments.integers(3);
  if (tensor.strides.size() != tensor.shape.size()) arguments.damaged();
  const StorageRecord& storage = document.storages[tensor.storage];
  tensor.type = storage.type;
  if (version == Global::rebuild_tensor_v3) {
    const Value& type = arguments.at(6, Kind::global);
    if (type.global != Global::data_type) arguments.damaged();
    tensor.type = type.type;
  } else if (storage.untyped) {
    arguments.damaged();  // the element type is stated nowhere
  }
  return {.kind = Kind::tensor, .index = add_record(document.tensors, std::move(tensor), path)};
}

}  // namespace

Value global_value(std::string_view module, std::string_view name, const std::filesystem::path& path) {
  const auto tag = [](Global global) { return Value{.kind = Kind::global, .global = global}; };
  if (module == "torch") {
    if (const auto type = storage_type(name))
      return {.kind = Kind::global, .global = Global::typed_storage, .type = *type};
    if (const auto type = element_type(name)) return {.kind = Kind::global, .global = Global::data_type, .type = *type};
    if (name == "Size") return tag(Global::size);
    if (name == "device") return tag(Global::device);
    if (name.ends_with("Storage") || name.starts_with("complex") || name.starts_with("q") || name.starts_with("float8"))
      refuse_unsupported(path, "stores tensors as torch." + printable(name) + ", which this version does not read",
                         "Use a 16-bit or int8 file of the same model.");
  } else if (module == "torch._utils") {
    if (name == "_rebuild_tensor") return tag(Global::rebuild_tensor);
    if (name == "_rebuild_tensor_v2") return tag(Global::rebuild_tensor_v2);
    if (name == "_rebuild_tensor_v3") return tag(Global::rebuild_tensor_v3);
    if (name == "_rebuild_parameter") return tag(Global::rebuild_parameter);
  } else if (module == "torch.storage" && name == "UntypedStorage") {
    return tag(Global::untyped_storage);
  } else if (module == "collections" && name == "OrderedDict") {
    return tag(Global::ordered_dict);
  } else if ((module == "__builtin__" || module == "builtins") && name == "set") {
    return tag(Global::set_type);
  } else if (module == "_codecs" && name == "encode") {
    return tag(Global::encode);
  }
  refuse_unsupported(
      path,
      "needs the Python object " + printable(module) + "." + printable(name) + ", which is not part of plain weights",
      "Get the model as safetensors, or save only its state_dict.");
}

Value reduce(Document& document, const Value& callable, const Value& arguments, const std::filesystem::path& path) {
  if (callable.kind != Kind::global) refuse_corrupt(path, "its pickle calls something that is not a function");
  switch (callable.global) {
    case Global::ordered_dict: {
      // Python 3 always makes it empty and fills it afterwards.
      const Arguments none(document, arguments, "OrderedDict", path);
      if (none.size() != 0) none.damaged();
      return {.kind = Kind::dict, .index = add_record(document.dicts, {}, path)};
    }
    case Global::rebuild_tensor:
    case Global::rebuild_tensor_v2:
    case Global::rebuild_tensor_v3:
      return rebuild_tensor(document, arguments, callable.global, path);
    case Global::rebuild_parameter:
      return Arguments(document, arguments, "_rebuild_parameter", path).at(0, Kind::tensor);
    case Global::size:
      return Arguments(document, arguments, "Size", path).at(0, Kind::tuple);
    case Global::device:
    case Global::set_type:
    case Global::encode:
      return {.kind = Kind::opaque};
    default:
      refuse_corrupt(path, "its pickle calls a type as a function");
  }
}

Value persistent_value(Document& document, const Value& id, const std::filesystem::path& path) {
  const Arguments arguments(document, id, "a storage", path);
  if (arguments.size() != 5 || arguments.text(0) != "storage") arguments.damaged();
  const Value& type = arguments.at(1, Kind::global);
  StorageRecord storage;
  if (type.global == Global::untyped_storage)
    storage.untyped = true;
  else if (type.global == Global::typed_storage)
    storage.type = type.type;
  else
    arguments.damaged();
  if (storage.untyped) storage.type = DType::u8;
  storage.key = arguments.text(2);
  storage.count = arguments.integer(4);
  if (storage.count < 0) arguments.damaged();
  return {.kind = Kind::storage, .index = add_record(document.storages, storage, path)};
}

}  // namespace rushes::pickle
