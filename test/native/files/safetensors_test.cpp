// Every rule of the safetensors container: what is read, and what is refused.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>
#include <fstream>

#include "files/refusals.h"
#include "files/safetensors_writer.h"
#include "fixtures/model_files.h"
#include "fixtures/tensor_source.h"

using namespace rushes;
using namespace rushes::fixtures;
using namespace rushes::test;

namespace {

/// A header around one tensor's fields, with eight bytes of data.
std::vector<std::byte> one(const std::string& fields, size_t data_bytes = 8) {
  return safetensors_with_header("{\"a\":{" + fields + "}}", data_bytes);
}

std::vector<TensorSource> small_tensors() {
  return {tensor_of("a.weight", DType::f32, {2, 3}, {1, 2, 3, 4, 5, 6}),
          tensor_of("b", DType::bf16, {3}, {1, -2, 0.5f}), tensor_of("c", DType::i8, {2, 2}, {-128, 127, 0, 1}),
          tensor_of("empty", DType::f32, {0, 7}, {}), tensor_of("scalar", DType::f64, {}, {42})};
}

}  // namespace

TEST_CASE("safetensors: tensors, types, shapes and metadata are read in place") {
  const auto bytes = safetensors_bytes(small_tensors(), {{"format", "pt"}});
  const auto file = open_memory(bytes);
  CHECK(file->container() == Container::safetensors);
  CHECK(file->file_bytes() == bytes.size());
  REQUIRE(file->tensors().size() == 5);
  CHECK(file->tensors()[0].name == "a.weight");
  CHECK(file->tensors()[0].data == nullptr);
  CHECK(file->find("a.weight")->shape == Shape{2, 3});
  CHECK(file->find("c")->type == DType::i8);
  CHECK(file->find("empty")->count() == 0);
  CHECK(file->find("scalar")->shape.empty());
  CHECK(file->find("nothing") == nullptr);
  CHECK(file->metadata().at("format") == "pt");
  CHECK(values_of(*file, "a.weight") == std::vector<float>{1, 2, 3, 4, 5, 6});
  CHECK(values_of(*file, "b") == std::vector<float>{1, -2, 0.5f});
  CHECK(values_of(*file, "scalar") == std::vector<float>{42});
  const TensorView c = file->view(*file->find("c"));
  CHECK(static_cast<int8_t>(c.data[0]) == -128);
  CHECK(c.data >= bytes.data());
  CHECK(c.data < bytes.data() + bytes.size());
}

TEST_CASE("safetensors: unaligned data is read") {
  const auto file = open_memory(
      safetensors_bytes({tensor_of("a", DType::u8, {1}, {7}), tensor_of("b", DType::f32, {2}, {1.5f, -3})}));
  CHECK(values_of(*file, "b") == std::vector<float>{1.5f, -3});
}

TEST_CASE("safetensors: every type has its size") {
  const std::pair<const char*, DType> types[] = {
      {"BOOL", DType::boolean}, {"U8", DType::u8},   {"I8", DType::i8},   {"F8_E5M2", DType::f8_e5m2},
      {"I16", DType::i16},      {"U16", DType::u16}, {"F16", DType::f16}, {"F8_E4M3", DType::f8_e4m3},
      {"BF16", DType::bf16},    {"I32", DType::i32}, {"U32", DType::u32}, {"F32", DType::f32},
      {"F64", DType::f64},      {"I64", DType::i64}, {"U64", DType::u64}};
  for (const auto& [name, type] : types) {
    const size_t bytes = 2 * dtype_size(type);
    const auto file = open_memory(
        one(std::string("\"dtype\":\"") + name + "\",\"shape\":[2],\"data_offsets\":[0," + std::to_string(bytes) + "]",
            bytes));
    CHECK(file->find("a")->type == type);
  }
  for (const char* name : {"F4", "F6_E2M3", "F8_E8M0", "F8_E4M3FNUZ", "C64"})
    CHECK_REFUSED(refusal_of_bytes(one(std::string("\"dtype\":\"") + name + "\",\"shape\":[8],\"data_offsets\":[0,8]")),
                  "checkpoint.unsupported", name);
}

TEST_CASE("safetensors: a header whose length begins like another format is still a header") {
  // 0x0380 = "\x80\x03", a pickle's first bytes; 0x8b1f = gzip's; padding makes the header exactly that long.
  for (const size_t length : {size_t{0x0280}, size_t{0x0380}, size_t{0x8b1f}}) {
    std::string header = "{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]}}";
    header.resize(length, ' ');
    CHECK(open_memory(safetensors_with_header(header, 8))->tensors().size() == 1);
  }
}

TEST_CASE("safetensors: damaged headers are refused, each with its reason") {
  const auto refused = [](const std::vector<std::byte>& bytes, const char* part) {
    CHECK_REFUSED(refusal_of_bytes(bytes), "checkpoint.corrupt", part);
  };
  const std::string good = "\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]";
  CHECK(refusal_of_bytes(one(good)).code.empty());
  SUBCASE("JSON") {
    refused(safetensors_with_header("{\"a\":", 0), "not valid JSON");
    refused(safetensors_with_header("{}x", 0), "not valid JSON");
    refused(safetensors_with_header("{\"a\xff\":1}", 0), "not valid JSON");
    refused(safetensors_with_header("{\"a\":1e999}", 0), "not valid JSON");
    refused(safetensors_with_header("{\"a\":[[[[]]]]}", 0), "wrong kind");
    refused(safetensors_with_header("{\"a\":null}", 0), "wrong kind");
    refused(safetensors_with_header("{\"a\":{" + good + "},}", 8), "not valid JSON");
  }
  SUBCASE("fields") {
    refused(one("\"dtype\":\"U9\",\"shape\":[8],\"data_offsets\":[0,8]"), "unknown type");
    refused(one("\"dtype\":\"U8\",\"shape\":[8]"), "lacks");
    refused(one("\"shape\":[8],\"data_offsets\":[0,8]"), "lacks");
    refused(one(good + ",\"shape\":[8]"), "two fields");
    refused(one(good + ",\"x\":[8]"), "unknown field");
    refused(one("\"dtype\":\"U8\",\"shape\":[-8],\"data_offsets\":[0,8]"), "wrong kind");
    refused(one("\"dtype\":\"U8\",\"shape\":[8.0],\"data_offsets\":[0,8]"), "wrong kind");
    refused(one("\"dtype\":\"U8\",\"shape\":[[8]],\"data_offsets\":[0,8]"), "wrong kind");
    refused(one("\"dtype\":\"U8\",\"shape\":8,\"data_offsets\":[0,8]"), "wrong kind");
    refused(one("\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0]"), "two data_offsets");
    refused(one("\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8,8]"), "more than two");
    refused(one("\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,8],\"data_offsets\":[0,8]"), "too many");
  }
  SUBCASE("names") {
    refused(safetensors_with_header("{\"a\":{" + good + "},\"a\":{" + good + "}}", 8), "appears twice");
    refused(safetensors_with_header("{\"\":{" + good + "}}", 8), "name");
    refused(safetensors_with_header("{\"a\\u0000b\":{" + good + "}}", 8), "name");
    refused(safetensors_with_header("{\"" + std::string(2000, 'n') + "\":{" + good + "}}", 8), "name");
    refused(safetensors_with_header("{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0), "appears twice");
    refused(safetensors_with_header("{\"__metadata__\":{\"k\":1}}", 0), "wrong kind");
  }
  SUBCASE("sizes") {
    refused(one("\"dtype\":\"U8\",\"shape\":[7],\"data_offsets\":[0,8]"), "does not match");
    refused(one("\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[8,0]"), "does not match");
    refused(one("\"dtype\":\"U8\",\"shape\":[18446744073709551615],\"data_offsets\":[0,8]"), "absurd");
    refused(one("\"dtype\":\"F64\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]"), "absurd");
    refused(one("\"dtype\":\"F64\",\"shape\":[281474976710656,281474976710656,0],\"data_offsets\":[0,0]"), "absurd");
  }
  SUBCASE("tiling") {
    const auto two = [](const char* first, const char* second) {
      return safetensors_with_header(std::string("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":") + first +
                                         "},\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" + second + "}}",
                                     8);
    };
    CHECK(refusal_of_bytes(two("[4,8]", "[0,4]")).code.empty());
    refused(two("[0,4]", "[0,4]"), "overlap");
    refused(two("[0,4]", "[2,6]"), "overlap");
    refused(two("[0,4]", "[5,9]"), "hole");
    refused(two("[1,5]", "[5,9]"), "hole");
    refused(one(good, 9), "after the last tensor");
    refused(one(good, 7), "cut short");
  }
  SUBCASE("length") {
    std::vector<std::byte> bytes = one(good);
    bytes[0] = std::byte{255};
    bytes[1] = std::byte{255};
    refused(bytes, "cut short");
    bytes[3] = std::byte{100};
    refused(bytes, "claims a header");
    bytes[7] = std::byte{255};
    refused(bytes, "damaged");
  }
}

TEST_CASE("safetensors: deep nesting and huge names cost no more than their length") {
  std::string deep = "{\"a\":" + std::string(1'000'000, '[');
  CHECK_REFUSED(refusal_of_bytes(safetensors_with_header(deep, 0)), "checkpoint.corrupt", "wrong kind");
}

TEST_CASE("safetensors: a file cut anywhere never opens") {
  const auto bytes = safetensors_bytes(small_tensors(), {{"format", "pt"}});
  for (size_t length = 0; length < bytes.size(); ++length) {
    const std::vector<std::byte> part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
    const Refusal refusal = refusal_of_bytes(part);
    CAPTURE(length);
    CHECK(refusal.code == "checkpoint.corrupt");
  }
}

TEST_CASE("safetensors writer: what is written is read back") {
  const TemporaryFolder folder;
  const auto source = open_memory(safetensors_bytes(small_tensors()));
  std::vector<TensorView> views;
  for (const TensorView& tensor : source->tensors()) views.push_back(source->view(tensor));
  write_safetensors(folder / "out.safetensors", views, {{"settings", "{\"seed\":\"\xc3\xa9\"}"}});
  const auto file = Checkpoint::open(folder / "out.safetensors");
  CHECK(file->tensors().size() == 5);
  CHECK(file->tensors()[0].name == "scalar");  // falling element size
  CHECK(file->metadata().at("settings") == "{\"seed\":\"\xc3\xa9\"}");
  for (const TensorView& tensor : source->tensors()) {
    CHECK(file->find(tensor.name)->shape == tensor.shape);
    CHECK(file->find(tensor.name)->type == tensor.type);
    if (tensor.count() > 0)
      CHECK(std::memcmp(file->view(*file->find(tensor.name)).data, source->view(tensor).data, tensor.bytes()) == 0);
  }
  write_safetensors(folder / "out.safetensors", {}, {});  // replaces
  CHECK(Checkpoint::open(folder / "out.safetensors")->tensors().empty());
}

TEST_CASE("safetensors writer: a failure leaves nothing behind") {
  const TemporaryFolder folder;
  const float value = 1;
  const TensorView tensor{"a", DType::f32, {1}, reinterpret_cast<const std::byte*>(&value)};
  CHECK_REFUSED(refusal_of([&] { write_safetensors(folder / "absent" / "out.safetensors", {tensor}); }),
                "file.unwritable", "cannot be written");
  std::filesystem::create_directory(folder / "taken");
  CHECK_REFUSED(refusal_of([&] { write_safetensors(folder / "taken", {tensor}); }), "file.unwritable", "taken");
  CHECK_REFUSED(refusal_of([&] { write_safetensors(folder / "twice", {tensor, tensor}); }), "engine.internal", "name");
  size_t left = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    left += entry.path().filename() != "taken";
  CHECK(left == 0);
}

TEST_CASE("safetensors writer: a full disk is said with the bytes needed, and the old file stays") {
  const TemporaryFolder folder;
  const std::vector<float> values(10'000, 1.0f);
  const TensorView small{"a", DType::f32, {1}, reinterpret_cast<const std::byte*>(values.data())};
  const TensorView large{"b", DType::f32, {10'000}, reinterpret_cast<const std::byte*>(values.data())};
  write_safetensors(folder / "out.safetensors", {small});
  // A limit on file sizes stands for the full disk: the same write fails part of the way.
  struct rlimit before {};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit narrow = {4096, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &narrow) == 0);
  uint64_t needed = 0;
  std::string code;
  try {
    write_safetensors(folder / "out.safetensors", {large});
  } catch (const Error& error) {
    code = error.code();
    needed = error.needed_bytes;
  }
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(code == "disk.full");
  CHECK(needed > 40'000);
  CHECK(needed < 41'000);
  CHECK(Checkpoint::open(folder / "out.safetensors")->find("a") != nullptr);
  size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path())) ++files;
  CHECK(files == 1);
}

TEST_CASE("safetensors index: shards are one checkpoint") {
  const TemporaryFolder folder;
  write_safetensors_sparse(folder / "m-00001-of-00002.safetensors", {tensor_of("a", DType::f32, {1}, {1})});
  write_safetensors_sparse(folder / "m-00002-of-00002.safetensors", {tensor_of("b", DType::f32, {1}, {2})});
  const auto index = [&](const std::string& map) {
    std::ofstream(folder / "m.safetensors.index.json")
        << "{\"metadata\":{\"total_size\":8},\"weight_map\":" << map << "}";
    return refusal_of([&] { Checkpoint::open(folder / "m.safetensors.index.json"); });
  };
  const std::string first = "\"m-00001-of-00002.safetensors\"", second = "\"m-00002-of-00002.safetensors\"";
  CHECK(index("{\"a\":" + first + ",\"b\":" + second + "}").code.empty());
  const auto file = Checkpoint::open(folder / "m.safetensors.index.json");
  CHECK(file->tensors().size() == 2);
  CHECK(values_of(*file, "b") == std::vector<float>{2});
  CHECK_REFUSED(index("{\"a\":" + second + ",\"b\":" + second + "}"), "checkpoint.corrupt", "should be");
  CHECK_REFUSED(index("{\"b\":" + first + ",\"a\":" + second + "}"), "checkpoint.corrupt", "does not say");
  CHECK_REFUSED(index("{\"a\":" + first + ",\"b\":" + second + ",\"c\":" + second + "}"), "checkpoint.corrupt",
                "should be");
  CHECK_REFUSED(index("{\"a\":" + first + ",\"a\":" + second + "}"), "checkpoint.corrupt", "appears twice");
  CHECK_REFUSED(index("{\"a\":\"../m-00001-of-00002.safetensors\"}"), "checkpoint.corrupt", "plain file name");
  CHECK_REFUSED(index("{\"a\":\"/etc/passwd\"}"), "checkpoint.corrupt", "plain file name");
  CHECK_REFUSED(index("{\"a\":\"m-00003-of-00002.safetensors\"}"), "checkpoint.missing", "m-00003-of-00002");
  CHECK_REFUSED(index("{\"a\":7}"), "checkpoint.corrupt", "names no file");
  CHECK_REFUSED(index("{}"), "checkpoint.corrupt", "empty");
  CHECK_REFUSED(index("[]"), "checkpoint.corrupt", "no weight_map");
  CHECK_REFUSED(index("{"), "checkpoint.corrupt", "not valid JSON");
  CHECK_REFUSED(index(std::string(100'000, '[')), "checkpoint.corrupt", "nested");
}
