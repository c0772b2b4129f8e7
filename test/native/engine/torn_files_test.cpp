// Weights files that are cut short while they are mapped: a job says so, the process and its other jobs live on.
#include <fstream>
#include <thread>

#include "engine/demo_run.h"
#include "files/mapped_file.h"
#include "fixtures/model_files.h"

using namespace rushes;
using rushes::check::Demo;
using rushes::check::DemoFiles;
using rushes::check::generate;
using rushes::check::Job;
using rushes::check::Outcome;
using rushes::check::small_settings;
using rushes::fixtures::TemporaryFolder;

namespace {

// A copy of a file that can be cut short and made whole again in place, as another program would.
class Copy {
 public:
  Copy(const std::string& from, const std::filesystem::path& to) : from_(from), path_(to) {
    std::filesystem::copy_file(from, to);
  }
  void cut() const { std::filesystem::resize_file(path_, std::filesystem::file_size(from_) / 3); }
  void mend() const {
    std::ifstream whole(from_, std::ios::binary);
    std::ofstream(path_, std::ios::binary | std::ios::in) << whole.rdbuf();
  }
  std::string text() const { return path_.string(); }

 private:
  std::string from_;
  std::filesystem::path path_;
};

void check_torn(const Outcome& outcome, const std::string& file) {
  CHECK(std::string(outcome.status.code) == "checkpoint.corrupt");
  const std::string sentence = outcome.status.sentence;
  CHECK_MESSAGE(sentence.find(file + " could not be read to its end") == 0, sentence);
  CHECK(outcome.status.advice[0] != 0);
}

}  // namespace

TEST_CASE("what a mapped file lost reads as zeros, in any thread, and is known") {
  const TemporaryFolder folder;
  const Copy copy(DemoFiles().vae, folder / "vae.pth");
  const auto file = MappedFile::open(copy.text());
  const auto other = MappedFile::open(DemoFiles().vae);
  copy.cut();
  CHECK_FALSE(file->is_torn());
  std::vector<std::jthread> readers;
  std::atomic<int> zeros = 0;
  for (size_t i = 0; i < 8; ++i)
    readers.emplace_back([&, i] { zeros += file->bytes()[file->size() - 1 - i * 4096] == std::byte{0}; });
  readers.clear();
  CHECK(zeros == 8);
  CHECK(file->is_torn());
  CHECK(file->bytes()[0] == other->bytes()[0]);
  CHECK_FALSE(other->is_torn());
}

TEST_CASE("a transformer that is cut short while it is in use fails its job; mended, it works again") {
  const TemporaryFolder folder;
  const Copy copy(DemoFiles().dit, folder / "dit.pth");
  DemoFiles files;
  files.dit = copy.text();
  Demo demo(files);
  copy.cut();
  Job job{.latents = (folder / "latents").string(), .prefix = (folder / "step").string()};
  check_torn(generate(demo, small_settings(), job), "dit.pth");
  CHECK_FALSE(std::filesystem::exists(job.latents));
  CHECK_FALSE(std::filesystem::exists(job.prefix + "-step1.safetensors"));
  // Still cut short: now its header says so.
  CHECK(std::string(generate(demo, small_settings(), job).status.code) == "checkpoint.corrupt");
  copy.mend();
  const Outcome outcome = generate(demo, small_settings(), job);
  CHECK_MESSAGE(outcome.status.code[0] == 0, outcome.status.sentence);
  Demo untouched;
  CHECK(generate(untouched, small_settings()).frames == outcome.frames);
}

TEST_CASE("nothing is kept of what a cut text encoder or VAE made") {
  const TemporaryFolder folder;
  const Copy text(DemoFiles().text, folder / "text.pth"), vae(DemoFiles().vae, folder / "vae.pth");
  DemoFiles files;
  files.text = text.text();
  files.vae = vae.text();
  Demo demo(files);
  text.cut();
  const Job job{.embedding = (folder / "embedding").string()};
  check_torn(generate(demo, small_settings(), job), "text.pth");
  CHECK_FALSE(std::filesystem::exists(job.embedding));
  text.mend();
  REQUIRE(generate(demo, small_settings(), job).status.code[0] == 0);

  Demo fresh(files);
  vae.cut();
  check_torn(generate(fresh, small_settings(), job), "vae.pth");
}

TEST_CASE("a kept embedding that is damaged is made anew") {
  const TemporaryFolder folder;
  Job job{.embedding = (folder / "embedding").string()};
  Demo demo;
  const Outcome first = generate(demo, small_settings(), job);
  REQUIRE_MESSAGE(first.status.code[0] == 0, first.status.sentence);
  const auto bytes = std::filesystem::file_size(job.embedding);
  REQUIRE(bytes > 3 * 4096);
  const auto check_made_anew = [&](const Job& given) {
    Demo fresh;
    const Outcome outcome = generate(fresh, small_settings(), given);
    REQUIRE_MESSAGE(outcome.status.code[0] == 0, outcome.status.sentence);
    CHECK(outcome.frames == first.frames);
    CHECK(std::filesystem::file_size(job.embedding) == bytes);
  };
  // When it is already open, and before that.
  Job meanwhile = job;
  meanwhile.while_running = [&, done = false](rushes_stage stage, double fraction) mutable {
    if (stage != RUSHES_STAGE_TEXT || fraction < 1 || done) return;
    done = true;
    std::filesystem::resize_file(job.embedding, 4096);
  };
  check_made_anew(meanwhile);
  std::filesystem::resize_file(job.embedding, 4096);
  check_made_anew(job);
  std::filesystem::resize_file(job.embedding, 4);
  check_made_anew(job);
}
