// The JSON of a safetensors header, read event by event: nothing is built that the format does not have, so a hostile
// header costs no more memory than its own length, and duplicate keys are seen.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "files/refusal.h"
#include "files/safetensors.h"

namespace rushes {
namespace {

using Json = nlohmann::json;

std::optional<DType> dtype_of(std::string_view name) {
  static const std::map<std::string_view, DType> types = {
      {"BOOL", DType::boolean}, {"U8", DType::u8},   {"I8", DType::i8},   {"F8_E5M2", DType::f8_e5m2},
      {"I16", DType::i16},      {"U16", DType::u16}, {"F16", DType::f16}, {"F8_E4M3", DType::f8_e4m3},
      {"BF16", DType::bf16},    {"I32", DType::i32}, {"U32", DType::u32}, {"F32", DType::f32},
      {"F64", DType::f64},      {"I64", DType::i64}, {"U64", DType::u64}};
  const auto found = types.find(name);
  return found == types.end() ? std::nullopt : std::optional(found->second);
}

bool is_known_but_unread(std::string_view name) {
  constexpr std::string_view names[] = {"F4", "F6_E2M3", "F6_E3M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "C64"};
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// States are named by what is expected next.
class HeaderReader : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderReader(const std::filesystem::path& path) : path_(path) {}
  SafetensorsHeader take() { return std::move(header_); }

  bool null() override { return wrong_value(); }
  bool boolean(bool) override { return wrong_value(); }
  bool number_integer(number_integer_t) override { return wrong_value(); }  // only negative numbers come here
  bool number_float(number_float_t, const string_t&) override { return wrong_value(); }
  bool binary(binary_t&) override { return wrong_value(); }

  bool number_unsigned(number_unsigned_t value) override {
    if (state_ == State::shape_values) {
      if (entry_.shape.size() >= kMaxRank) damaged("the tensor " + quoted() + " has too many dimensions");
      if (value > static_cast<uint64_t>(kMaxDimension)) damaged("the tensor " + quoted() + " has an absurd shape");
      entry_.shape.push_back(static_cast<int64_t>(value));
      return true;
    }
    if (state_ == State::offset_values) {
      if (offset_count_ >= 2) damaged("the tensor " + quoted() + " has more than two data_offsets");
      (offset_count_++ == 0 ? entry_.begin : entry_.end) = value;
      return true;
    }
    return wrong_value();
  }

  bool string(string_t& value) override {
    if (state_ == State::metadata_value) {
      header_.metadata[key_] = value;
      state_ = State::metadata_key;
      return true;
    }
    if (state_ == State::dtype_value) {
      if (const auto type = dtype_of(value))
        entry_.type = *type;
      else if (is_known_but_unread(value))
        refuse_unsupported(path_, "stores " + quoted() + " as " + value + ", which this version does not read",
                           "Use a 16-bit or int8 file of the same model.");
      else
        damaged("the tensor " + quoted() + " has the unknown type \"" + printable(value) + "\"");
      state_ = State::field_key;
      return true;
    }
    return wrong_value();
  }

  bool start_object(std::size_t) override {
    if (state_ == State::start)
      state_ = State::tensor_key;
    else if (state_ == State::tensor_value) {
      entry_ = SafetensorsEntry{};
      entry_.name = key_;
      fields_ = 0;
      offset_count_ = 0;
      state_ = State::field_key;
    } else if (state_ == State::metadata_start)
      state_ = State::metadata_key;
    else
      return wrong_value();
    return true;
  }

  bool key(string_t& value) override {
    if (state_ == State::tensor_key) {
      if (!names_.insert(value).second) damaged("the name \"" + printable(value) + "\" appears twice");
      key_ = value;
      if (value == "__metadata__") {
        state_ = State::metadata_start;
      } else {
        if (!is_plain_name(value)) damaged("a tensor has an empty, overlong or unprintable name");
        state_ = State::tensor_value;
      }
    } else if (state_ == State::field_key) {
      const int field = value == "dtype" ? 1 : value == "shape" ? 2 : value == "data_offsets" ? 4 : 0;
      if (field == 0) damaged("the tensor " + quoted() + " has an unknown field \"" + printable(value) + "\"");
      if (fields_ & field) damaged("the tensor " + quoted() + " has two fields named " + value);
      fields_ |= field;
      state_ = field == 1 ? State::dtype_value : field == 2 ? State::shape_start : State::offset_start;
    } else {
      if (header_.metadata.contains(value)) damaged("the metadata key \"" + printable(value) + "\" appears twice");
      key_ = value;
      state_ = State::metadata_value;
    }
    return true;
  }

  bool end_object() override {
    if (state_ == State::field_key) {
      if (header_.entries.size() >= kMaxTensors)
        damaged("it lists more than " + std::to_string(kMaxTensors) + " tensors");
      if (fields_ != 7) damaged("the tensor " + quoted() + " lacks its dtype, shape or data_offsets");
      header_.entries.push_back(std::move(entry_));
      state_ = State::tensor_key;
    } else if (state_ == State::metadata_key) {
      state_ = State::tensor_key;
    } else {
      state_ = State::done;
    }
    return true;
  }

  bool start_array(std::size_t) override {
    if (state_ == State::shape_start)
      state_ = State::shape_values;
    else if (state_ == State::offset_start)
      state_ = State::offset_values;
    else
      return wrong_value();
    return true;
  }

  bool end_array() override {
    if (state_ == State::offset_values && offset_count_ != 2)
      damaged("the tensor " + quoted() + " needs two data_offsets");
    state_ = State::field_key;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    damaged("its header is not valid JSON at byte " + std::to_string(position));
  }

 private:
  enum class State {
    start,
    tensor_key,
    tensor_value,
    field_key,
    dtype_value,
    shape_start,
    shape_values,
    offset_start,
    offset_values,
    metadata_start,
    metadata_key,
    metadata_value,
    done
  };

  [[noreturn]] void damaged(const std::string& what) const { refuse_corrupt(path_, what); }
  std::string quoted() const { return "\"" + printable(entry_.name) + "\""; }
  bool wrong_value() const {
    damaged("its header has a value of the wrong kind" + (key_.empty() ? "" : " near \"" + printable(key_) + "\""));
  }

  const std::filesystem::path& path_;
  SafetensorsHeader header_;
  std::set<std::string, std::less<>> names_;
  State state_ = State::start;
  std::string key_;
  SafetensorsEntry entry_;
  int fields_ = 0, offset_count_ = 0;
};

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view json, const std::filesystem::path& path) {
  HeaderReader reader(path);
  Json::sax_parse(json.begin(), json.end(), &reader);
  return reader.take();
}

}  // namespace rushes
