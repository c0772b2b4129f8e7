// PyTorch's zip files: archive, pickle and tensors; every rule with a file that keeps it and one that breaks it.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "files/refusals.h"
#include "fixtures/tensor_source.h"

using namespace rushes;
using namespace rushes::fixtures;
using namespace rushes::test;

namespace {

std::vector<TensorSource> small_tensors() {
  return {tensor_of("a.weight", DType::f32, {2, 3}, {1, 2, 3, 4, 5, 6}),
          tensor_of("b", DType::bf16, {3}, {1, -2, 0.5f}), tensor_of("c", DType::i8, {2, 2}, {-128, 127, 0, 1}),
          tensor_of("scalar", DType::f64, {}, {42})};
}

Refusal refusal_of_pickle(const std::string& pickle) {
  return refusal_of_bytes(archive_of(pickle, {{"0", std::string(16, '\0')}}), "test.pth");
}

std::string le32(uint32_t value) { return {reinterpret_cast<const char*>(&value), 4}; }
std::string text(std::string_view value) {
  return "X" + le32(static_cast<uint32_t>(value.size())) + std::string(value);
}

/// A dictionary {"a": tensor} whose tensor has these arguments over a storage of 4 floats.
std::string with_tensor(const std::string& arguments, const std::string& storage_count = "K\x04",
                        const std::string& key = "0", const std::string& type = "FloatStorage") {
  return "\x80\x02}" + text("a") + "ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") + "ctorch\n" + type +
         "\n" + text(key) + text("cpu") + storage_count + "tQ" + arguments + "\x89}tRs.";
}

template <class T>
void poke(std::vector<std::byte>& bytes, size_t position, T value) {
  REQUIRE(position + sizeof value <= bytes.size());
  std::memcpy(bytes.data() + position, &value, sizeof value);
}

size_t position_of(const std::vector<std::byte>& bytes, std::string_view what, bool last = false) {
  const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const size_t found = last ? all.rfind(what) : all.find(what);
  REQUIRE(found != std::string_view::npos);
  return found;
}

const std::string kCentral("PK\x01\x02", 4), kEnd("PK\x05\x06", 4);

}  // namespace

TEST_CASE("pth: every way torch.save writes a state_dict is read") {
  PthOptions options[9];
  options[1].ordered_dict = false;
  options[2].wrappers = {"state_dict"};
  options[3].wrappers = {"model", "generator_ema"};
  options[4].byte_order = "little";
  options[5].force_zip64 = true;
  options[6].parameters = true;
  options[7].root = "another name";
  options[8] = {.root = "all", .wrappers = {"module"}, .byte_order = "little", .force_zip64 = true, .parameters = true};
  for (const PthOptions& option : options) {
    const auto bytes = pth_bytes(small_tensors(), option);
    const auto file = open_memory(bytes, "test.pth");
    CHECK(file->container() == Container::pytorch_zip);
    REQUIRE(file->tensors().size() == 4);
    CHECK(file->find("c")->type == DType::i8);
    CHECK(file->find("scalar")->shape.empty());
    CHECK(values_of(*file, "a.weight") == std::vector<float>{1, 2, 3, 4, 5, 6});
    CHECK(values_of(*file, "b") == std::vector<float>{1, -2, 0.5f});
    CHECK(values_of(*file, "scalar") == std::vector<float>{42});
    const TensorView a = file->view(*file->find("a.weight"));
    CHECK((a.data >= bytes.data() && a.data < bytes.data() + bytes.size()));  // not a copy
  }
}

TEST_CASE("pth: float8 and unsigned types come over untyped storages") {
  std::vector<TensorSource> tensors = {hole("x", DType::f8_e4m3, {4}), hole("y", DType::u16, {3}),
                                       hole("z", DType::u64, {2})};
  const auto file = open_memory(pth_bytes(tensors, {.version3 = true}), "test.pth");
  CHECK(file->find("x")->type == DType::f8_e4m3);
  CHECK(file->find("y")->type == DType::u16);
  CHECK(file->find("z")->shape == Shape{2});
}

TEST_CASE("pth: views of one storage, transposed and expanded, are made row-major once") {
  std::vector<TensorSource> tensors = {tensor_of("base", DType::f32, {2, 3}, {1, 2, 3, 4, 5, 6})};
  tensors[0].storage_key = "0";
  const auto add_view = [&](const char* name, Shape shape, std::vector<int64_t> strides, int64_t offset) {
    tensors.push_back({.name = name,
                       .type = DType::f32,
                       .shape = std::move(shape),
                       .strides = std::move(strides),
                       .offset = offset,
                       .storage_count = 6,
                       .storage_key = "0"});
  };
  add_view("transposed", {3, 2}, {1, 3}, 0);
  add_view("column", {2}, {3}, 1);
  add_view("expanded", {2, 2}, {0, 1}, 4);
  add_view("row", {1, 3}, {99, 1}, 3);  // a stride over one element says nothing
  add_view("empty", {0, 5}, {1, 7}, 6);
  const auto bytes = pth_bytes(tensors);
  const auto file = open_memory(bytes, "test.pth");
  CHECK(values_of(*file, "transposed") == std::vector<float>{1, 4, 2, 5, 3, 6});
  CHECK(values_of(*file, "column") == std::vector<float>{2, 5});
  CHECK(values_of(*file, "expanded") == std::vector<float>{5, 6, 5, 6});
  CHECK(values_of(*file, "row") == std::vector<float>{4, 5, 6});
  CHECK(values_of(*file, "empty").empty());
  const TensorView once = file->view(*file->find("transposed"));
  CHECK(once.data == file->view(*file->find("transposed")).data);
  const TensorView row = file->view(*file->find("row"));
  CHECK((row.data >= bytes.data() && row.data < bytes.data() + bytes.size()));
}

TEST_CASE("pth: a tensor must lie inside its data") {
  const auto refused = [](const std::string& pickle, const char* part) {
    CHECK_REFUSED(refusal_of_pickle(pickle), "checkpoint.corrupt", part);
  };
  const std::string huge("\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", 10), minus("J\xff\xff\xff\xff", 5);
  const std::string zero("K\0", 2), one("K\x01", 2), two("K\x02", 2), four("K\x04", 2), five("K\x05", 2);
  const auto shape = [](const std::string& size, const std::string& stride) { return size + "\x85" + stride + "\x85"; };
  CHECK(refusal_of_pickle(with_tensor(zero + shape(four, one))).code.empty());
  refused(with_tensor(zero + shape(five, one)), "beyond its data");
  refused(with_tensor(one + shape(four, one)), "beyond its data");
  refused(with_tensor(zero + shape(four, two)), "beyond its data");
  refused(with_tensor(huge + shape(four, one)), "beyond its data");
  refused(with_tensor(huge + shape(zero, one)), "beyond its data");
  refused(with_tensor(zero + shape(huge, one)), "absurd");
  refused(with_tensor(zero + shape(two, huge)), "beyond its data");
  refused(with_tensor(zero + shape(four, huge)), "absurd");
  refused(with_tensor(minus + shape(four, one)), "wrong arguments");
  refused(with_tensor(zero + shape(minus, one)), "wrong arguments");
  refused(with_tensor(zero + shape(four, minus)), "wrong arguments");
  refused(with_tensor(zero + four + "\x85)"), "wrong arguments");
  refused(with_tensor(zero + shape(four, one), five), "shorter");
  refused(with_tensor(zero + shape(four, one), huge), "shorter");
  refused(with_tensor(zero + shape(four, one), minus), "wrong arguments");
  refused(with_tensor(zero + shape(four, one), four, "1"), "absent");
  refused(with_tensor(zero + shape(four, one), four, "../0"), "absent");
  // 256 GiB out of one float
  const std::string expanded("\x8a\x05\x00\x00\x00\x00\x10", 7);
  refused(with_tensor(zero + shape(expanded, zero)), "absurdly often");
}

TEST_CASE("pth: only plain weights are unpickled") {
  const auto unsupported = [](const std::string& pickle, const char* part) {
    CHECK_REFUSED(refusal_of_pickle(pickle), "checkpoint.unsupported", part);
  };
  const auto corrupt = [](const std::string& pickle, const char* part) {
    CHECK_REFUSED(refusal_of_pickle(pickle), "checkpoint.corrupt", part);
  };
  SUBCASE("foreign objects and instructions") {
    unsupported(
        "\x80\x02"
        "cos\nsystem\n" +
            text("true") + "\x85R.",
        "os.system");
    unsupported(
        "\x80\x02"
        "c__builtin__\neval\n.",
        "__builtin__.eval");
    unsupported(
        "\x80\x02"
        "ctorch.nn\nLinear\n.",
        "torch.nn.Linear");
    unsupported(
        "\x80\x02"
        "ctorch\nComplexFloatStorage\n.",
        "ComplexFloatStorage");
    unsupported(
        "\x80\x04"
        "N.",
        "protocol 4");
    unsupported("\x80\x02i", "instruction 105");
    unsupported(
        "\x80\x02"
        "o",
        "instruction 111");
    unsupported("\x80\x02\x93", "instruction 147");
  }
  SUBCASE("not a dictionary of tensors") {
    unsupported("\x80\x02N.", "no dictionary");
    unsupported("\x80\x02].", "no dictionary");
    unsupported("\x80\x02}.", "no named tensors");
    unsupported("\x80\x02}" + text("epoch") + "K\x05s.", "no named tensors");
  }
  SUBCASE("broken") {
    corrupt("", "cut off");
    corrupt("\x80", "cut off");
    corrupt("\x80\x02", "cut off");
    corrupt("\x80\x02.", "leaves 0 values");
    corrupt("\x80\x02NN.", "leaves 2 values");
    corrupt("\x80\x02(.", "mark");
    corrupt("\x80\x02R", "not there");
    corrupt("\x80\x02(R", "mark");
    corrupt("\x80\x02t", "lacks a mark");
    corrupt("\x80\x02h\x05.", "never stored");
    corrupt("\x80\x02Nr\xff\xff\xff\xff.", "remembers too much");
    corrupt("\x80\x02X\xff\xff\xff\xff.", "cut off");
    corrupt("\x80\x02U\x02\xff\xff.", "UTF-8");
    corrupt("\x80\x02}Ns", "not there");
    corrupt("\x80\x02}(Nu.", "without a value");
    corrupt("\x80\x02](NNu.", "something else");
    corrupt("\x80\x02}Na.", "something else");
    corrupt("\x80\x02NNb.", "plain value");
    corrupt("\x80\x02NNR.", "not a function");
    corrupt("\x80\x02NQ.", "wrong arguments");
    corrupt(
        "\x80\x02"
        "ctorch\nfloat32\n)R.",
        "as a function");
    corrupt(
        "\x80\x02"
        "ctorch",
        "without an end");
    corrupt(
        "\x80\x02\x8a\x09"
        "123456789.",
        "64 bits");
    corrupt(
        "\x80\x02"
        "ccollections\nOrderedDict\n]\x85R.",
        "wrong arguments");
  }
  SUBCASE("keys") {
    const std::string tensor = with_tensor(std::string("K\0K\x04\x85K\x01\x85", 8));
    CHECK(refusal_of_pickle(tensor).code.empty());
    std::string twice = tensor;  // }, "a", tensor, s -> the same pair again over the remembered tensor
    twice.replace(twice.size() - 2, 2, "q\x01s" + text("a") + "h\x01s.");
    corrupt(twice, "appears twice");
    std::string number = tensor;
    number.replace(3, 6, "K\x07");
    corrupt(number, "name");
  }
}

TEST_CASE("pth: a pickle that nests or contains itself is survived") {
  std::string deep = "\x80\x02";
  for (int i = 0; i < 300'000; ++i) deep += "]\x85";
  CHECK(!refusal_of_pickle(deep + ".").code.empty());
  CHECK(!refusal_of_pickle("\x80\x02}q\x01" + text("model") + "h\x01s.").code.empty());
  CHECK(!refusal_of_pickle("\x80\x02]q\x01h\x01"
                           "a.")
             .code.empty());
  std::string marks = "\x80\x02" + std::string(3'000'000, '(');
  CHECK_REFUSED(refusal_of_pickle(marks), "checkpoint.corrupt", "too deep");
}

TEST_CASE("pth: archives that PyTorch never writes are refused") {
  const auto good = pth_bytes(small_tensors());
  const auto mutated = [&](auto&& change) {
    std::vector<std::byte> bytes = good;
    change(bytes);
    return refusal_of_bytes(bytes, "test.pth");
  };
  const size_t central = position_of(good, kCentral), end = position_of(good, kEnd, true);
  SUBCASE("directory") {
    CHECK_REFUSED(mutated([&](auto& b) { poke(b, central + 8, uint16_t{1}); }), "checkpoint.unsupported", "encrypted");
    CHECK_REFUSED(mutated([&](auto& b) { poke(b, central + 10, uint16_t{8}); }), "checkpoint.unsupported",
                  "compressed");
    CHECK_REFUSED(mutated([&](auto& b) { poke(b, central + 20, uint32_t{1}); }), "checkpoint.corrupt",
                  "two different sizes");
    CHECK_REFUSED(mutated([&](auto& b) { poke(b, central + 42, uint32_t{1}); }), "checkpoint.corrupt", "not where");
    CHECK_REFUSED(mutated([&](auto& b) { poke(b, central + 42, uint32_t{0xfffffff0}); }), "checkpoint.corrupt",
                  "not where");
    CHECK_REFUSED(mutated([&](auto& b) { poke(b, central + 42, uint32_t{0xffffffff}); }), "checkpoint.corrupt",
                  "zip64");
    CHECK_REFUSED(mutated([&](auto& b) { poke(b, central, uint32_t{0}); }), "checkpoint.corrupt", "broken");
    CHECK_REFUSED(mutated([&](auto& b) { poke(b, central + 28, uint16_t{0}); }), "checkpoint.corrupt", "name");
    CHECK_REFUSED(mutated([&](auto& b) { poke(b, central + 28, uint16_t{0xffff}); }), "checkpoint.corrupt", "cut off");
    CHECK_REFUSED(mutated([&](auto& b) {
                    poke(b, central + 20, uint32_t{0x7fffffff});
                    poke(b, central + 24, uint32_t{0x7fffffff});
                  }),
                  "checkpoint.corrupt", "does not fit");
    CHECK_REFUSED(mutated([&](auto& b) {  // reaches into the next entry
                    poke(b, central + 20, static_cast<uint32_t>(central - 200));
                    poke(b, central + 24, static_cast<uint32_t>(central - 200));
                  }),
                  "checkpoint.corrupt", "overlap");
  }
  SUBCASE("end record") {
    CHECK_REFUSED(mutated([&](auto& b) { poke(b, end, uint32_t{0}); }), "checkpoint.corrupt", "cut short");
    CHECK_REFUSED(mutated([&](auto& b) { poke(b, end + 20, uint16_t{1}); }), "checkpoint.corrupt", "cut short");
    CHECK_REFUSED(mutated([&](auto& b) { poke(b, end + 4, uint16_t{1}); }), "checkpoint.corrupt", "several");
    CHECK_REFUSED(mutated([&](auto& b) { poke(b, end + 12, uint32_t{7}); }), "checkpoint.corrupt", "not where");
    CHECK_REFUSED(mutated([&](auto& b) { poke(b, end + 16, uint32_t{7}); }), "checkpoint.corrupt", "not where");
    CHECK_REFUSED(mutated([&](auto& b) { poke(b, end + 8, uint32_t{0x00010001}); }), "checkpoint.corrupt",
                  "belong to no entry");
    CHECK_REFUSED(mutated([&](auto& b) { poke(b, end + 16, uint32_t{0xffffffff}); }), "checkpoint.corrupt", "zip64");
    CHECK_REFUSED(mutated([&](auto& b) { b.resize(b.size() + 5); }), "checkpoint.corrupt", "cut short");
  }
  SUBCASE("names") {
    CHECK_REFUSED(refusal_of_bytes(archive_of("\x80\x02}.", {{"0", ""}, {"0\x01", ""}}), "test.pth"),
                  "checkpoint.corrupt", "name");
    CHECK_REFUSED(refusal_of_bytes(archive_of("\x80\x02}.", {}, {.byte_order = "big"}), "test.pth"),
                  "checkpoint.unsupported", "big-endian");
    CHECK_REFUSED(refusal_of_bytes(archive_of("\x80\x02}.", {}, {.byte_order = "up"}), "test.pth"),
                  "checkpoint.corrupt", "byte order");
    CHECK_REFUSED(refusal_of_bytes(archive_of("\x80\x02}.", {}, {.root = "a/b"}), "test.zip"), "checkpoint.unsupported",
                  "not one that PyTorch wrote");
    std::vector<std::byte> script = archive_of("\x80\x02}.", {{"xyz", ""}}, {.root = "archive"});
    for (size_t i = 0; i + 8 < script.size(); ++i)  // data/xyz -> code/xyz in both headers
      if (std::memcmp(script.data() + i, "data/xyz", 8) == 0) std::memcpy(script.data() + i, "code/xyz", 8);
    CHECK_REFUSED(refusal_of_bytes(script, "test.pt"), "checkpoint.unsupported", "TorchScript");
    std::vector<std::byte> twice = archive_of("\x80\x02}.", {{"1", ""}, {"2", ""}});
    for (size_t i = 0; i + 6 < twice.size(); ++i)
      if (std::memcmp(twice.data() + i, "data/2", 6) == 0) std::memcpy(twice.data() + i, "data/1", 6);
    CHECK_REFUSED(refusal_of_bytes(twice, "test.pth"), "checkpoint.corrupt", "appears twice");
  }
}

TEST_CASE("pth: a file cut anywhere never opens") {
  for (const bool zip64 : {false, true}) {
    const auto bytes = pth_bytes(small_tensors(), {.force_zip64 = zip64});
    for (size_t length = 0; length < bytes.size(); ++length) {
      const std::vector<std::byte> part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
      CAPTURE(length);
      CHECK(refusal_of_bytes(part, "test.pth").code == "checkpoint.corrupt");
    }
  }
}

TEST_CASE("pth and safetensors: any single byte changed either opens or is refused") {
  for (const auto& bytes : {pth_bytes(small_tensors()), pth_bytes(small_tensors(), {.force_zip64 = true}),
                            safetensors_bytes(small_tensors())}) {
    for (size_t i = 0; i < bytes.size(); ++i) {
      for (const unsigned flip : {0x01u, 0x80u, 0xffu}) {
        std::vector<std::byte> changed = bytes;
        changed[i] ^= static_cast<std::byte>(flip);
        try {
          const auto file = open_memory(changed, "test.pth");
          for (const TensorView& tensor : file->tensors()) file->view(tensor);
        } catch (const Error& error) {
          CHECK(error.code().starts_with("checkpoint."));
        }
      }
    }
  }
}
