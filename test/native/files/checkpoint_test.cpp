// What is no weights file at all: each is named in one sentence, with advice.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "files/mapped_file.h"
#include "files/refusals.h"
#include "fixtures/model_files.h"
#include "project_paths.h"

using namespace rushes;
using namespace rushes::fixtures;
using namespace rushes::test;

namespace {

std::vector<std::byte> bytes_of(std::string_view text) {
  std::vector<std::byte> out(text.size());
  std::memcpy(out.data(), text.data(), text.size());
  return out;
}

// No bytes on the disk; some ten of them are more than there are addresses. False where the file system refuses them.
bool write_vast(const std::filesystem::path& path) {
  std::ofstream(path).put('x');
  std::error_code too_large;
  std::filesystem::resize_file(path, uint64_t{15} << 40, too_large);
  return !too_large;
}

bool takes_vast_files() {
  const TemporaryFolder folder;
  return write_vast(folder / "vast.safetensors");
}

}  // namespace

TEST_CASE("checkpoint: what is not there") {
  const TemporaryFolder folder;
  const auto refused = [](const std::filesystem::path& path, const char* part) {
    const Refusal refusal = refusal_of([&] { Checkpoint::open(path); });
    CHECK_REFUSED(refusal, "checkpoint.missing", part);
    CHECK(!refusal.advice.empty());
  };
  refused(folder / "absent.pth", "There is no file absent.pth");
  refused(folder / "absent" / "model.pth", "There is no file model.pth");
  refused(folder.path(), "is a folder");
  refused(folder / std::string(300, 'x'), "There is no file");
  refused(folder / "absent.safetensors.index.json", "There is no file");
  REQUIRE(::mkfifo((folder / "pipe.pth").c_str(), 0600) == 0);
  CHECK_REFUSED(refusal_of([&] { Checkpoint::open(folder / "pipe.pth"); }), "checkpoint.missing", "device or pipe");
  if (::geteuid() != 0) {
    std::ofstream(folder / "closed.pth") << "x";
    ::chmod((folder / "closed.pth").c_str(), 0);
    refused(folder / "closed.pth", "may not be read");
  }
}

TEST_CASE("checkpoint: an empty file, on disk") {
  const TemporaryFolder folder;
  std::ofstream(folder / "empty.pth").flush();
  CHECK_REFUSED(refusal_of([&] { Checkpoint::open(folder / "empty.pth"); }), "checkpoint.corrupt", "it is empty");
}

TEST_CASE("checkpoint: files of other kinds are named") {
  const auto named = [](std::string_view start, const char* part) {
    std::string text(start);
    text.resize(600, 'x');
    const Refusal refusal = refusal_of_bytes(bytes_of(text), "model.pth");
    CHECK_REFUSED(refusal, "checkpoint.unsupported", part);
    CHECK(!refusal.advice.empty());
  };
  named(std::string_view("GGUF\x03\0\0\0", 8), "GGUF");
  named("\x80\x02\x8a\x0al\xfc\x9c\x46\xf9", "old form");
  named("\x80\x04\x95", "old form");
  named("\x1f\x8b\x08", "compressed archive");
  named("7z\xbc\xaf\x27\x1c", "compressed archive");
  named("\x89HDF\r\n", "HDF5");
  named("version https://git-lfs.github.com/spec/v1\n", "Git LFS");
  named("<!DOCTYPE html>", "web page");
  std::string tar(257, 'f');
  named(tar + "ustar", "tar archive");
  const std::string nonsense = "nonsense" + std::string(600, 'x');
  CHECK_REFUSED(refusal_of_bytes(bytes_of(nonsense), "model.pth"), "checkpoint.corrupt", "PyTorch");
  CHECK_REFUSED(refusal_of_bytes(bytes_of(nonsense), "model.safetensors"), "checkpoint.corrupt", "safetensors");
  CHECK_REFUSED(refusal_of_bytes(bytes_of(nonsense), "notes.txt"), "checkpoint.unsupported", "not a weights file");
}

TEST_CASE("checkpoint: names that cannot be shown are made fit to print") {
  const Refusal refusal = refusal_of([] {
    Checkpoint::open(
        "no\nsuch\xff"
        "file.pth");
  });
  CHECK(refusal.says("no?such?file.pth"));
}

TEST_CASE("checkpoint: mapped pages can be given back and read again") {
  const TemporaryFolder folder;
  std::vector<float> values(100'000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  const std::vector<TensorSource> tensors = {tensor_of("a", DType::f32, {100'000}, values)};
  write_pth(folder / "model.pth", tensors);
  write_safetensors_sparse(folder / "model.safetensors", tensors);
  for (const char* name : {"model.pth", "model.safetensors"}) {
    const auto file = Checkpoint::open(folder / name);
    CHECK(values_of(*file, "a") == values);
    file->release(*file->find("a"));
    CHECK(values_of(*file, "a") == values);
  }
}

TEST_CASE("checkpoint: a file that memory has no room for is not called missing" * doctest::skip(!takes_vast_files())) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder / "vast.safetensors";
  REQUIRE(write_vast(path));
  std::vector<std::shared_ptr<const MappedFile>> mapped;
  const Refusal refusal = refusal_of([&] {
    for (int i = 0; i < 20; ++i) mapped.push_back(MappedFile::open(path, FileUse::headers));
  });
  CHECK_REFUSED(refusal, "memory.exhausted", "There is no room in memory to read vast.safetensors");
}
